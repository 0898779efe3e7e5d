//! Words and signs of one line.

use super::super::lines::Line;
use super::super::report::{Problem, Sink};
use super::super::source::Span;

/// A word, a number or a sign, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub text: String,
    pub span: Span,
}

impl Token {
    /// Whether it is a word or a number, not a sign.
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

/// Splits a line; nothing if it has a character that no step uses.
pub(crate) fn tokens(line: &Line, sink: &mut Sink) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = line.text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let mut end = start + c.len_utf8();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if is_word(c) {
            while let Some((at, c)) = rest.next_if(|(_, c)| is_word(*c)) {
                end = at + c.len_utf8();
            }
        } else if c == ':' {
            if rest.next_if(|(_, c)| *c == '=').is_some() {
                end += 1;
            }
        } else if c.is_whitespace() {
            continue;
        } else if !matches!(c, '(' | ')' | ',' | '.' | '=') {
            sink.report(Problem::at(
                line.place(start, end),
                format!("no step uses the character `{c}`"),
            ));
            return None;
        }
        tokens.push(Token {
            text: line.text[start..end].to_owned(),
            span: line.place(start, end),
        });
    }
    Some(tokens)
}
