//! Going through a line's tokens, and the parts that many steps share: names, arguments, rows, commands.

use vocab::Opcode;

use super::super::lines::Line;
use super::super::report::{Problem, Sink};
use super::super::source::Span;
use super::super::words::{did_you_mean, one_of};
use super::ast::{Arg, Command, Name, Row};
use super::forms;
use super::lexer::{Token, tokens};

/// What has been reported already.
pub(crate) struct Reported;

/// The result of parsing a part of a line.
pub(crate) type Parsed<T> = Result<T, Reported>;

/// Words that cannot name variables, because steps read them otherwise.
const RESERVED: [&str; 13] = [
    "none", "ats", "not", "in", "is", "empty", "of", "one", "queue", "command", "invalid", "abort",
    "chunk",
];

/// A place in a line.
pub(crate) struct Cursor<'a> {
    line: &'a Line,
    tokens: Vec<Token>,
    next: usize,
    /// The variables that were named so far.
    pub names: Vec<Name>,
    pub sink: &'a mut Sink,
}

impl<'a> Cursor<'a> {
    pub fn new(line: &'a Line, sink: &'a mut Sink) -> Parsed<Self> {
        let tokens = tokens(line, sink).ok_or(Reported)?;
        Ok(Cursor {
            line,
            tokens,
            next: 0,
            names: Vec::new(),
            sink,
        })
    }

    pub fn peek(&self) -> &str {
        self.ahead(0)
    }

    /// The token `n` after the next; empty behind the end.
    pub fn ahead(&self, n: usize) -> &str {
        self.tokens
            .get(self.next + n)
            .map_or("", |token| &token.text)
    }

    /// The next token's place; behind the end, that of the last.
    pub fn place(&self) -> Span {
        match self.tokens.get(self.next) {
            Some(token) => token.span,
            None => {
                let end = self.line.text.len();
                self.line.place(end.saturating_sub(1), end)
            }
        }
    }

    /// Reports what was expected at this place.
    pub fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let found = match self.peek() {
            "" => "the end of the step".to_owned(),
            text => format!("`{text}`"),
        };
        let head = self.tokens.first().map_or("", |token| token.text.as_str());
        let forms = forms::written(head);
        let problem = Problem::at(self.place(), format!("expected {what}, found {found}"));
        let help = (!forms.is_empty()).then(|| format!("the step is written {forms}"));
        self.sink.report(problem.hint(help));
        Err(Reported)
    }

    /// The next token, if it is this one.
    pub fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == text;
        self.next += found as usize;
        found
    }

    /// The next token must be this one.
    pub fn need(&mut self, text: &str) -> Parsed<()> {
        if self.take(text) {
            Ok(())
        } else {
            self.expected(&format!("`{text}`"))
        }
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Parsed<()> {
        if self.next == self.tokens.len() {
            Ok(())
        } else {
            self.expected("the end of the step")
        }
    }

    /// A word; `what` it is to name.
    pub fn word(&mut self, what: &str) -> Parsed<Name> {
        match self.tokens.get(self.next) {
            Some(token) if token.is_word() => {
                self.next += 1;
                Ok(Name {
                    text: token.text.clone(),
                    span: token.span,
                })
            }
            _ => self.expected(what),
        }
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Parsed<T> {
        let names = || words.iter().map(|(word, _)| *word);
        match words.iter().find(|(word, _)| *word == self.peek()) {
            Some((_, value)) => {
                self.next += 1;
                Ok(*value)
            }
            None => self.expected(&one_of(names())),
        }
    }

    /// The name of a new variable.
    pub fn new_variable(&mut self) -> Parsed<Name> {
        let name = self.word("the name of a variable")?;
        let first_digit = name.text.starts_with(|c: char| c.is_ascii_digit());
        if RESERVED.contains(&name.text.as_str()) || first_digit {
            self.sink.report(
                Problem::at(name.span, format!("`{}` cannot name a variable", name.text))
                    .label("steps read this word otherwise"),
            );
            return Err(Reported);
        }
        self.names.push(name.clone());
        Ok(name)
    }

    /// The name of a variable.
    pub fn variable(&mut self) -> Parsed<Name> {
        let name = self.word("a variable")?;
        self.names.push(name.clone());
        Ok(name)
    }

    /// `slot` or `device(slot)`.
    pub fn arg(&mut self) -> Parsed<Arg> {
        // Every level takes two tokens of one line, and nobody writes thousands of them except to see what happens.
        self.nested_arg(0)
    }

    fn nested_arg(&mut self, depth: usize) -> Parsed<Arg> {
        if self.ahead(1) != "(" {
            return Ok(Arg::Name(self.variable()?));
        }
        if depth > 3 {
            return self.expected("a variable");
        }
        let function = self.word("a variable")?;
        self.need("(")?;
        let inner = self.nested_arg(depth + 1)?;
        self.need(")")?;
        Ok(Arg::Of(function, Box::new(inner)))
    }

    /// `(slot)`
    pub fn in_parentheses(&mut self) -> Parsed<Arg> {
        self.need("(")?;
        let arg = self.arg()?;
        self.need(")")?;
        Ok(arg)
    }

    /// `(space, page)`
    pub fn pair(&mut self) -> Parsed<(Arg, Arg)> {
        self.need("(")?;
        let first = self.arg()?;
        self.need(",")?;
        let second = self.arg()?;
        self.need(")")?;
        Ok((first, second))
    }

    /// `none` or an argument.
    pub fn arg_or_none(&mut self) -> Parsed<Option<Arg>> {
        if self.take("none") {
            Ok(None)
        } else {
            self.arg().map(Some)
        }
    }

    /// `(a, b)`, which may be empty; nothing at all is empty too.
    pub fn args(&mut self) -> Parsed<Vec<Arg>> {
        let mut args = Vec::new();
        if !self.take("(") || self.take(")") {
            return Ok(args);
        }
        loop {
            args.push(self.arg()?);
            if self.take(")") {
                return Ok(args);
            }
            if !self.take(",") {
                return self.expected("`,` or `)`");
            }
        }
    }

    /// `TABLE(key)`
    pub fn row(&mut self) -> Parsed<Row> {
        let table = self.word("the name of a table")?;
        let key = self.in_parentheses()?;
        Ok(Row { table, key })
    }

    /// `TABLE(key, value)`
    pub fn entry(&mut self) -> Parsed<(Row, Arg)> {
        let table = self.word("the name of a table")?;
        let (key, value) = self.pair()?;
        Ok((Row { table, key }, value))
    }

    /// `CFGI_CD(slot)`
    pub fn command(&mut self) -> Parsed<Command> {
        let start = self.place();
        let name = self.word("a command")?;
        let Some(opcode) = Opcode::ALL
            .into_iter()
            .find(|opcode| opcode.name() == name.text)
        else {
            let names = || Opcode::ALL.iter().map(|opcode| opcode.name());
            self.sink.report(
                Problem::at(name.span, format!("unknown command `{}`", name.text))
                    .label(format!("expected {}", one_of(names())))
                    .hint(did_you_mean(&name.text, names().chain(["SYNC"]))),
            );
            return Err(Reported);
        };
        let args = self.args()?;
        let last = &self.tokens[self.next - 1];
        Ok(Command {
            opcode,
            span: Span {
                end: last.span.end,
                ..start
            },
            args,
        })
    }
}

/// Parses a string that holds one command.
pub(crate) fn command_list(lines: &[Line], sink: &mut Sink) -> Vec<Command> {
    let mut commands = Vec::new();
    for line in lines {
        let parsed = Cursor::new(line, sink).and_then(|mut cursor| {
            let command = cursor.command()?;
            cursor.end()?;
            Ok(command)
        });
        commands.extend(parsed.ok());
    }
    commands
}
