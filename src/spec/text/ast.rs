//! Programs as trees of steps, with places and without meaning.

use vocab::Opcode;

use super::super::source::Span;

/// A name as it stands in the text.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub text: String,
    pub span: Span,
}

/// An argument: a variable, or something that belongs to one.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// `slot`
    Name(Name),
    /// `device(slot)`
    Of(Name, Box<Arg>),
}

impl Arg {
    /// Its place.
    pub fn span(&self) -> Span {
        match self {
            Arg::Name(name) => name.span,
            Arg::Of(function, inner) => Span {
                end: inner.span().end.max(function.span.end),
                ..function.span
            },
        }
    }
}

/// `TABLE(key)`
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub table: Name,
    pub key: Arg,
}

/// A command with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub opcode: Opcode,
    pub span: Span,
    pub args: Vec<Arg>,
}

/// What `let` reads.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Asid(Arg),
    CdAsid(Arg),
    One(Row),
    Empty(Row),
    Has(Row, Arg),
    /// `device(command)`
    DeviceOf(Name),
}

/// What `for` goes over.
#[derive(Clone, Debug)]
pub(crate) enum Set {
    Row(Row),
    Pages,
    Viommus(Arg),
    Slots(Arg),
}

/// What is written to the first word of a CD.
#[derive(Clone, Debug)]
pub(crate) enum Word0 {
    Valid(Arg),
    Epd(Arg),
    Invalid,
}

/// How a program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Exit,
    Ioctl,
    Hypercall,
    Call,
}

impl Via {
    /// The step's first word.
    pub fn word(self) -> &'static str {
        match self {
            Via::Exit => "exit",
            Via::Ioctl => "ioctl",
            Via::Hypercall => "hypercall",
            Via::Call => "call",
        }
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub via: Via,
    pub program: Name,
    pub args: Vec<Arg>,
    pub on_refusal: Option<Vec<Step>>,
}

/// What is written to word 0 of an STE.
#[derive(Clone, Debug)]
pub(crate) enum SteWord0 {
    Abort,
    Nested(Arg),
    S2Trans,
}

/// What `if` asks.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Variable(Name),
    ChunkIsFull,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Pte {
        space: Arg,
        page: Arg,
        ipa: Option<Arg>,
        global: bool,
    },
    CdWord0(Arg, Word0),
    CdWord1(Arg, Option<Arg>),
    SteWord0(Arg, SteWord0),
    SteWord1 {
        device: Arg,
        eats: bool,
        bypass: bool,
    },
    SteWord2(Arg, Option<Arg>),
    S2 {
        vm: Arg,
        ipa: Arg,
        present: bool,
    },
    Insert(Row, Arg),
    Remove(Row, Arg),
    AllocAsid(Arg),
    FreeAsid(Arg),
    AllocVmid(Arg),
    FreeVmid(Arg),
    Let(Name, Expr),
    If {
        on: Test,
        negated: bool,
        then: Vec<Step>,
        otherwise: Vec<Step>,
    },
    For(Name, Set, Vec<Step>),
    ForCommand(Vec<Step>),
    Lock(Name),
    Unlock(Name),
    Wait(Row),
    Cmdq(Command),
    CmdqSync {
        on_refusal: Option<Vec<Step>>,
    },
    Hwq(u8, Command),
    HwqSync {
        queue: u8,
        on_error: Option<Vec<Step>>,
    },
    HwqGuest {
        queue: u8,
        fixup: bool,
        command: Name,
        on_error: Option<Vec<Step>>,
    },
    HwqChunk {
        on_error: Option<Vec<Step>>,
    },
    Chunk(Name),
    Report,
    Call(Call),
    Require(Row, Arg),
    Refuse,
    MayFail,
    Return,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Which line of its program it is.
    pub line: usize,
    /// The whole step.
    pub span: Span,
    /// The variables that its text names.
    pub names: Vec<Name>,
    pub action: Action,
}

impl Step {
    /// The blocks within the step.
    pub fn blocks(&self) -> Vec<&[Step]> {
        match &self.action {
            Action::If {
                then, otherwise, ..
            } => vec![then, otherwise],
            Action::For(_, _, body) | Action::ForCommand(body) => vec![body],
            Action::CmdqSync {
                on_refusal: Some(block),
            }
            | Action::HwqSync {
                on_error: Some(block),
                ..
            }
            | Action::HwqGuest {
                on_error: Some(block),
                ..
            }
            | Action::HwqChunk {
                on_error: Some(block),
            } => vec![block],
            Action::Call(Call {
                on_refusal: Some(block),
                ..
            }) => vec![block],
            _ => Vec::new(),
        }
    }
}

/// Calls `visit` for every step of a block and of the blocks within.
pub(crate) fn walk<'a>(block: &'a [Step], visit: &mut impl FnMut(&'a Step)) {
    for step in block {
        visit(step);
        for inner in step.blocks() {
            walk(inner, visit);
        }
    }
}
