//! Blocks: what the indentation of lines says about which step is within which.

use super::super::lines::Line;
use super::super::report::{Problem, Sink};
use super::ast::{Action, Call, Step};
use super::cursor::{Cursor, Parsed};
use super::step::{Item, item};

/// How deep blocks may lie within each other.
const DEEPEST: usize = 16;

/// Parses a program. Lines that cannot be understood are reported and left out.
pub(crate) fn parse(lines: &[Line], sink: &mut Sink) -> Vec<Step> {
    let mut parser = Parser {
        lines,
        next: 0,
        sink,
    };
    let Some(first) = lines.first() else {
        return Vec::new();
    };
    let mut steps = parser.block(first.indent, 0);
    // Only lines indented less than the first are left over.
    while parser.next < lines.len() {
        parser.misplaced();
        steps.extend(parser.block(lines[parser.next].indent, 0));
    }
    steps
}

struct Parser<'a> {
    lines: &'a [Line],
    next: usize,
    sink: &'a mut Sink,
}

/// The innermost step to which an `else:`, `on refusal:` or `on error:` could belong.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    If,
    Call,
    /// A step of the hardware's queue, which may end in an error.
    Hardware,
    Other,
    /// It could not be understood: what belongs to it is not judged.
    Unknown,
}

impl Parser<'_> {
    fn misplaced(&mut self) {
        let line = &self.lines[self.next];
        self.sink.report(
            Problem::at(line.span, "this step is indented differently from those around it")
                .help("the steps of a block stand below each other; only `if`, `else`, `for` and `on refusal` begin one"),
        );
    }

    fn block(&mut self, indent: usize, depth: usize) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut last = Last::Other;
        while let Some(line) = self.lines.get(self.next) {
            if line.indent < indent {
                break;
            }
            if line.indent > indent {
                if last != Last::Unknown {
                    self.misplaced();
                }
                self.skip(indent);
                continue;
            }
            let at = self.next;
            self.next += 1;
            let mut names = Vec::new();
            let Ok(item) = self.line(line, &mut names) else {
                last = Last::Unknown;
                continue;
            };
            match item {
                Item::Action(mut action) => {
                    last = match action.as_mut() {
                        Action::If { then, .. } => {
                            *then = self.inner(line, depth);
                            Last::If
                        }
                        Action::For(_, _, body) | Action::ForCommand(body) => {
                            *body = self.inner(line, depth);
                            Last::Other
                        }
                        Action::Call(_) | Action::CmdqSync { .. } => Last::Call,
                        Action::HwqSync { .. }
                        | Action::HwqGuest { .. }
                        | Action::HwqChunk { .. } => Last::Hardware,
                        _ => Last::Other,
                    };
                    steps.push(Step {
                        line: at,
                        span: line.span,
                        names,
                        action: *action,
                    });
                }
                Item::Else => {
                    let body = self.inner(line, depth);
                    if let (Last::If, Some(Action::If { otherwise, .. })) =
                        (last, steps.last_mut().map(|step| &mut step.action))
                    {
                        *otherwise = body;
                    } else if last != Last::Unknown {
                        self.sink.report(Problem::at(
                            line.span,
                            "there is no `if` above this `else:`",
                        ));
                    }
                    last = Last::Other;
                }
                Item::OnError => {
                    let body = self.inner(line, depth);
                    if let (
                        Last::Hardware,
                        Some(
                            Action::HwqSync { on_error, .. }
                            | Action::HwqGuest { on_error, .. }
                            | Action::HwqChunk { on_error },
                        ),
                    ) = (last, steps.last_mut().map(|step| &mut step.action))
                    {
                        *on_error = Some(body);
                    } else if last != Last::Unknown {
                        self.sink.report(
                            Problem::at(line.span, "no step above this `on error:` can end in an error")
                                .help("the hardware reports errors of `hwq command`, `hwq fixup(command)`, `hwq chunk` and `hwq SYNC`"),
                        );
                    }
                    last = Last::Other;
                }
                Item::OnRefusal => {
                    let body = self.inner(line, depth);
                    if let (
                        Last::Call,
                        Some(
                            Action::Call(Call { on_refusal, .. }) | Action::CmdqSync { on_refusal },
                        ),
                    ) = (last, steps.last_mut().map(|step| &mut step.action))
                    {
                        *on_refusal = Some(body);
                    } else if last != Last::Unknown {
                        self.sink.report(
                            Problem::at(line.span, "there is no call above this `on refusal:`")
                                .help("only `exit`, `ioctl`, `hypercall`, `call` and `cmdq SYNC` are refused"),
                        );
                    }
                    last = Last::Other;
                }
            }
        }
        steps
    }

    fn line(&mut self, line: &Line, names: &mut Vec<super::ast::Name>) -> Parsed<Item> {
        let mut cursor = Cursor::new(line, self.sink)?;
        let item = item(&mut cursor)?;
        cursor.end()?;
        *names = std::mem::take(&mut cursor.names);
        Ok(item)
    }

    /// The block below a head.
    fn inner(&mut self, head: &Line, depth: usize) -> Vec<Step> {
        match self.lines.get(self.next) {
            Some(first) if first.indent > head.indent => {
                if depth == DEEPEST {
                    let message = format!("blocks lie more than {DEEPEST} deep within each other");
                    self.sink.report(Problem::at(first.span, message));
                    self.skip(head.indent);
                    return Vec::new();
                }
                self.block(first.indent, depth + 1)
            }
            _ => {
                self.sink.report(
                    Problem::at(head.span, "this block is empty")
                        .label("expected steps below, indented further than this line"),
                );
                Vec::new()
            }
        }
    }

    /// Leaves out the lines that are indented further than the head of a block.
    fn skip(&mut self, indent: usize) {
        while self
            .lines
            .get(self.next)
            .is_some_and(|line| line.indent > indent)
        {
            self.next += 1;
        }
    }
}
