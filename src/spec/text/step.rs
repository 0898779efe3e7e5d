//! One step: what follows each first word. The blocks of `if` and `for` are filled in by `block.rs`.

use super::super::report::Problem;
use super::super::words::{did_you_mean, one_of};
use super::ast::{Action, Arg, Call, Expr, Set, SteWord0, Test, Via, Word0};
use super::cursor::{Cursor, Parsed, Reported};
use super::forms;

/// What a line is.
pub(crate) enum Item {
    /// A step, or the head of a block that is still empty.
    Action(Box<Action>),
    /// `else:`
    Else,
    /// `on refusal:`
    OnRefusal,
    /// `on error:`
    OnError,
}

/// Parses one line.
pub(crate) fn item(c: &mut Cursor<'_>) -> Parsed<Item> {
    let head = c.word("a step")?;
    let action = match head.text.as_str() {
        "pte" => {
            let (space, page) = c.pair()?;
            c.need(":=")?;
            let global = c.peek() == "global" && c.ahead(1) == "(";
            let ipa = match global {
                true => c.take("global").then(|| c.in_parentheses()).transpose()?,
                false => c.arg_or_none()?,
            };
            Action::Pte {
                space,
                page,
                ipa,
                global,
            }
        }
        "cd" => cd(c)?,
        "ste" => ste(c)?,
        "s2" => {
            let (vm, ipa) = c.pair()?;
            c.need(":=")?;
            Action::S2 {
                vm,
                ipa,
                present: c.one_of(&[("frame", true), ("none", false)])?,
            }
        }
        "insert" => c.entry().map(|(row, value)| Action::Insert(row, value))?,
        "remove" => c.entry().map(|(row, value)| Action::Remove(row, value))?,
        "alloc" => allocator(c, Action::AllocAsid, Action::AllocVmid)?,
        "free" => allocator(c, Action::FreeAsid, Action::FreeVmid)?,
        "let" => {
            let name = c.new_variable()?;
            c.need("=")?;
            Action::Let(name, expr(c)?)
        }
        "if" => {
            let negated = c.take("not");
            let on = test(c)?;
            c.need(":")?;
            Action::If {
                on,
                negated,
                then: Vec::new(),
                otherwise: Vec::new(),
            }
        }
        "else" => {
            c.need(":")?;
            return Ok(Item::Else);
        }
        "on" => {
            let item = match c.one_of(&[("refusal", true), ("error", false)])? {
                true => Item::OnRefusal,
                false => Item::OnError,
            };
            c.need(":")?;
            return Ok(item);
        }
        "for" => for_head(c)?,
        "lock" => Action::Lock(c.word("the name of a lock")?),
        "unlock" => Action::Unlock(c.word("the name of a lock")?),
        "wait" => {
            c.need("until")?;
            let row = c.row()?;
            c.need("is")?;
            c.need("empty")?;
            Action::Wait(row)
        }
        "cmdq" if c.take("SYNC") => Action::CmdqSync { on_refusal: None },
        "cmdq" => Action::Cmdq(c.command()?),
        "chunk" => {
            c.need("fixup")?;
            c.need("(")?;
            let command = c.word("`command`")?;
            c.need(")")?;
            Action::Chunk(command)
        }
        "hwq" if c.take("chunk") => Action::HwqChunk { on_error: None },
        "hwq" => hardware_queue(c, 0)?,
        "vcmdq" => hardware_queue(c, 1)?,
        "exit" => call(c, Via::Exit)?,
        "ioctl" => call(c, Via::Ioctl)?,
        "hypercall" => call(c, Via::Hypercall)?,
        "call" => call(c, Via::Call)?,
        "require" => {
            let value = c.arg()?;
            c.need("in")?;
            Action::Require(c.row()?, value)
        }
        "refuse" => Action::Refuse,
        "report" => Action::Report,
        "may" => {
            c.need("fail")?;
            Action::MayFail
        }
        "return" => Action::Return,
        unknown => {
            c.sink.report(
                Problem::at(head.span, format!("unknown step `{unknown}`"))
                    .label("no step begins with this word")
                    .help(match did_you_mean(unknown, forms::heads()) {
                        Some(hint) => hint,
                        None => format!("steps begin with {}", one_of(forms::heads())),
                    }),
            );
            return Err(Reported);
        }
    };
    Ok(Item::Action(Box::new(action)))
}

fn cd(c: &mut Cursor<'_>) -> Parsed<Action> {
    let slot = c.in_parentheses()?;
    c.need(".")?;
    if c.take("word0") {
        c.need(":=")?;
        let value = match c.one_of(&[("valid", 0), ("epd", 1), ("invalid", 2)])? {
            0 => Word0::Valid(c.in_parentheses()?),
            1 => Word0::Epd(c.in_parentheses()?),
            _ => Word0::Invalid,
        };
        return Ok(Action::CdWord0(slot, value));
    }
    if !c.take("word1") {
        return c.expected("`word0` or `word1`");
    }
    c.need(":=")?;
    Ok(Action::CdWord1(slot, either(c, "ttb", "none")?))
}

fn ste(c: &mut Cursor<'_>) -> Parsed<Action> {
    let device = c.in_parentheses()?;
    c.need(".")?;
    let word = c.one_of(&[("word0", 0), ("word1", 1), ("word2", 2)])?;
    c.need(":=")?;
    Ok(match word {
        0 => {
            let value = match c.one_of(&[("nested", 0), ("s2_trans", 1), ("abort", 2)])? {
                0 => SteWord0::Nested(c.in_parentheses()?),
                1 => SteWord0::S2Trans,
                _ => SteWord0::Abort,
            };
            Action::SteWord0(device, value)
        }
        1 => {
            c.need("eats")?;
            c.need("(")?;
            let eats = c.one_of(&[("1", true), ("0", false)])?;
            c.need(")")?;
            let bypass = c.take(",");
            if bypass {
                for word in ["s1dss", "(", "bypass", ")"] {
                    c.need(word)?;
                }
            }
            Action::SteWord1 {
                device,
                eats,
                bypass,
            }
        }
        _ => Action::SteWord2(device, either(c, "vmid", "none")?),
    })
}

/// `some(argument)` or the word for nothing.
fn either(c: &mut Cursor<'_>, some: &str, nothing: &str) -> Parsed<Option<Arg>> {
    match c.one_of(&[(some, true), (nothing, false)])? {
        true => c.in_parentheses().map(Some),
        false => Ok(None),
    }
}

fn allocator(
    c: &mut Cursor<'_>,
    asid: fn(Arg) -> Action,
    vmid: fn(Arg) -> Action,
) -> Parsed<Action> {
    let of = c.one_of(&[("asid", asid), ("vmid", vmid)])?;
    Ok(of(c.in_parentheses()?))
}

fn expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    match (c.peek(), c.ahead(1)) {
        ("one", "of") => {
            c.take("one");
            c.take("of");
            return Ok(Expr::One(c.row()?));
        }
        ("asid", "(") => {
            c.take("asid");
            return Ok(Expr::Asid(c.in_parentheses()?));
        }
        ("device", "(") if c.ahead(4).is_empty() => {
            c.take("device");
            c.take("(");
            let command = c.variable()?;
            c.need(")")?;
            return Ok(Expr::DeviceOf(command));
        }
        ("cd", "(") => {
            c.take("cd");
            let slot = c.in_parentheses()?;
            c.need(".")?;
            c.need("asid")?;
            return Ok(Expr::CdAsid(slot));
        }
        _ => {}
    }
    // `T(key) is empty` and `device(slot) in T(key)` begin alike.
    if c.ahead(1) == "(" && !matches!(c.peek(), "device" | "viommu" | "vm") {
        let row = c.row()?;
        c.need("is")?;
        c.need("empty")?;
        return Ok(Expr::Empty(row));
    }
    let value = c.arg()?;
    c.need("in")?;
    Ok(Expr::Has(c.row()?, value))
}

fn test(c: &mut Cursor<'_>) -> Parsed<Test> {
    if c.peek() == "chunk" {
        for word in ["chunk", "is", "full"] {
            c.need(word)?;
        }
        return Ok(Test::ChunkIsFull);
    }
    Ok(Test::Variable(c.variable()?))
}

fn for_head(c: &mut Cursor<'_>) -> Parsed<Action> {
    if c.peek() == "command" {
        c.take("command");
        for word in ["in", "queue", ":"] {
            c.need(word)?;
        }
        return Ok(Action::ForCommand(Vec::new()));
    }
    let name = c.new_variable()?;
    c.need("in")?;
    let set = match (c.peek(), c.ahead(1)) {
        ("pages", _) => {
            c.take("pages");
            Set::Pages
        }
        ("viommus", "(") => {
            c.take("viommus");
            Set::Viommus(c.in_parentheses()?)
        }
        ("slots_of", "(") => {
            c.take("slots_of");
            Set::Slots(c.in_parentheses()?)
        }
        _ => Set::Row(c.row()?),
    };
    c.need(":")?;
    Ok(Action::For(name, set, Vec::new()))
}

fn hardware_queue(c: &mut Cursor<'_>, queue: u8) -> Parsed<Action> {
    if c.take("SYNC") {
        return Ok(Action::HwqSync {
            queue,
            on_error: None,
        });
    }
    let fixup = c.peek() == "fixup" && c.ahead(1) == "(";
    if fixup {
        c.take("fixup");
        c.take("(");
    }
    if fixup || c.peek() == "command" {
        let command = c.word("`command`")?;
        if fixup {
            c.need(")")?;
        }
        return Ok(Action::HwqGuest {
            queue,
            fixup,
            command,
            on_error: None,
        });
    }
    Ok(Action::Hwq(queue, c.command()?))
}

fn call(c: &mut Cursor<'_>, via: Via) -> Parsed<Action> {
    let program = c.word("the name of a program")?;
    let args = c.args()?;
    Ok(Action::Call(Call {
        via,
        program,
        args,
        on_refusal: None,
    }))
}
