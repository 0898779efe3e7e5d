//! The lines of a program: one step a line, with its indentation and its place in the file.
//!
//! Everything that changes programs (`[[change]]`) works on lines, before they are parsed; so a line that a change brings in
//! points to the change, and every other line to where it was first written.

use super::report::{Problem, Sink};
use super::source::{FileId, Span};

/// A line that is neither empty nor only a comment.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// How many spaces stand before the step.
    pub indent: usize,
    /// The step, without comment.
    pub text: String,
    /// Where the step stands; the whole string, if that uses escapes and its characters have no places of their own.
    pub span: Span,
    exact: bool,
}

impl Line {
    /// The place of a part of the line's text.
    pub fn place(&self, start: usize, end: usize) -> Span {
        if !self.exact {
            return self.span;
        }
        Span {
            start: self.span.start + start,
            end: self.span.start + end,
            ..self.span
        }
    }
}

/// Splits a string into lines; `raw` is how it is written in the file, quotes included.
pub(crate) fn split(
    file: FileId,
    span: Span,
    raw: &str,
    value: &str,
    sink: &mut Sink,
) -> Vec<Line> {
    let (inner, value) = match contents(raw, value) {
        Some((base, inner)) => (Some(base), inner),
        None => (None, value),
    };
    let mut lines = Vec::new();
    let mut offset = 0;
    for piece in value.split_inclusive('\n') {
        let code = piece.split('#').next().unwrap_or("").trim_end();
        let text = code.trim_start();
        let indent = code.len() - text.len();
        let start = offset + indent;
        offset += piece.len();
        if text.is_empty() {
            continue;
        }
        let (place, exact) = match inner {
            Some(base) => (
                Span::new(
                    file,
                    span.start + base + start..span.start + base + start + text.len(),
                ),
                true,
            ),
            None => (span, false),
        };
        let line = Line {
            indent,
            text: text.to_owned(),
            span: place,
            exact,
        };
        if !code[..indent].bytes().all(|byte| byte == b' ') {
            sink.report(
                Problem::at(
                    line.span,
                    "this step is indented with something else than spaces",
                )
                .help("use spaces; how wide a tab is depends on who looks"),
            );
        }
        lines.push(line);
    }
    lines
}

/// Where the contents of a string begin in how it is written, if its characters are its contents.
///
/// Line ends may differ: TOML reads `\r\n` as `\n`.
fn contents<'a>(raw: &'a str, value: &str) -> Option<(usize, &'a str)> {
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| raw.starts_with(quotes))?;
    let inner = raw.strip_prefix(quotes)?.strip_suffix(quotes)?;
    let newline = match quotes.len() {
        3 => {
            inner.len()
                - inner
                    .strip_prefix("\r\n")
                    .or(inner.strip_prefix('\n'))
                    .unwrap_or(inner)
                    .len()
        }
        _ => 0,
    };
    let inner = &inner[newline..];
    (inner == value || inner.replace("\r\n", "\n") == value)
        .then_some((quotes.len() + newline, inner))
}

/// A step's text with its white space folded, so that `f( a,b )` and `f(a, b)` are the same.
pub(crate) fn folded(text: &str) -> String {
    let mut folded = String::new();
    for word in text.split_whitespace() {
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        if joins(folded.chars().last()) && joins(word.chars().next()) {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_folded_only_where_it_separates_words() {
        assert_eq!(
            folded("pte( space,page )  :=  none"),
            "pte(space,page):=none"
        );
        assert_eq!(
            folded("let  x = one of slots(space)"),
            "let x=one of slots(space)"
        );
    }

    #[test]
    fn a_string_with_escapes_has_no_places_within() {
        assert_eq!(contents("\"\"\"\na\n\"\"\"", "a\n"), Some((4, "a\n")));
        assert_eq!(contents("'a'", "a"), Some((1, "a")));
        assert_eq!(contents("\"a\\nb\"", "a\nb"), None);
    }
}
