//! A step's text with what its variables hold in their place.

use vocab::{Asid, Space, Viommu, Vmid};

use super::retrace::Retraced;
use crate::caches::values;
use crate::command::decode;
use crate::machine::Machine;
use crate::program::{Binding, Instr, Kind, Operand, Pc, ReadExpr, Row};
use crate::state::{State, Thread};

/// A visible step that was taken, with its outcome if it had several.
pub(super) fn performed(machine: &Machine, told: &Retraced, at: &State, after: &State) -> String {
    let this = &at.threads[told.thread];
    let text = match machine.code.instrs[this.pc as usize] {
        // What is made of the command stands behind the step.
        Instr::Chunk { .. } | Instr::HwqGuest { fixup: true, .. } => {
            written(machine, this.pc).to_owned()
        }
        _ => waiting(machine, at, told.thread),
    };
    match outcome(machine, told, at, after) {
        Some(outcome) if text.ends_with(':') => format!("{text} {outcome}"),
        Some(outcome) => format!("{text}: {outcome}"),
        None => text,
    }
}

/// The step at which a thread waits.
pub(super) fn waiting(machine: &Machine, state: &State, thread: usize) -> String {
    let this = &state.threads[thread];
    let text = written(machine, this.pc);
    match machine.code.instrs[this.pc as usize] {
        // A lock may bear a variable's name.
        Instr::Lock(_) | Instr::Unlock(_) => text.to_owned(),
        Instr::Chunk { .. } | Instr::HwqGuest { .. } => {
            let as_it_is = matches!(
                machine.code.instrs[this.pc as usize],
                Instr::HwqGuest { fixup: false, .. }
            );
            let command = decode(this.command).map(|command| match !as_it_is {
                true => machine.guests_command(command),
                false => machine.issued_command(command),
            });
            replace_words(text, |word| match word {
                Word::Alone("command") => command.clone(),
                Word::Part(function, "command") => command
                    .as_ref()
                    .map(|command| format!("{function}({command})")),
                _ => None,
            })
        }
        _ => replace_words(text, |word| value(machine, state, this, this.pc, word)),
    }
}

/// A step as its author wrote it.
fn written(machine: &Machine, pc: Pc) -> &str {
    match machine.code.step_of(pc) {
        Some(step) => &machine.code.steps[step].text,
        None => "goes on",
    }
}

fn value(
    machine: &Machine,
    state: &State,
    this: &Thread,
    pc: Pc,
    word: Word<'_>,
) -> Option<String> {
    let bindings: &[Binding] = machine.code.bindings.get(pc as usize)?;
    let find = |name: &str| bindings.iter().find(|binding| binding.name == name);
    match word {
        Word::Alone(name) => {
            let binding = find(name)?;
            let value = machine.name_of(binding.kind, machine.value(this, binding.operand));
            Some(value + &namespace(machine, this, pc, binding))
        }
        Word::Part(function, _)
            if machine
                .code
                .tables
                .iter()
                .any(|table| table.name == function) =>
        {
            None
        }
        Word::Part(function, name) => {
            let binding = find(name)?;
            let part = |of: fn(crate::program::Reg) -> Operand| match binding.operand {
                Operand::Reg(reg) => machine.value(this, of(reg)),
                _ => None,
            };
            match (function, binding.kind) {
                ("device", Kind::Slot) => {
                    Some(machine.name_of(Kind::Device, part(Operand::DeviceOf)))
                }
                ("viommu", Kind::Space) => {
                    Some(machine.name_of(Kind::Viommu, part(Operand::ViommuOf)))
                }
                ("vm", Kind::Viommu) => Some(machine.name_of(Kind::Vm, part(Operand::VmOf))),
                ("vmid", Kind::Viommu) => Some(vmid(state, machine.value(this, binding.operand))),
                _ => None,
            }
        }
    }
}

/// Whose ASID it is that a table is looked up by: the ASIDs of two vIOMMUs are different keys.
fn namespace(machine: &Machine, this: &Thread, pc: Pc, binding: &Binding) -> String {
    let row = row_of(machine.code.instrs[pc as usize]).filter(|row| row.key == binding.operand);
    let viommu = row.and_then(|row| machine.value(this, row.viommu?));
    viommu.map_or(String::new(), |viommu| machine.of_viommu(Viommu(viommu)))
}

/// The row of a software table that an instruction is about.
fn row_of(instr: Instr) -> Option<Row> {
    match instr {
        Instr::Insert(row, _)
        | Instr::Remove(row, _)
        | Instr::ReadSet(_, row)
        | Instr::Require { row, .. }
        | Instr::Wait(row)
        | Instr::Read(_, ReadExpr::One(row) | ReadExpr::Empty(row) | ReadExpr::Has(row, _)) => {
            Some(row)
        }
        _ => None,
    }
}

/// The VMID of a vIOMMU.
fn vmid(state: &State, viommu: Option<u8>) -> String {
    let vmid = viommu.and_then(|viommu| state.memory.vmid[viommu as usize].checked_sub(1));
    vmid.map_or("none".to_owned(), |vmid| Vmid(vmid).to_string())
}

/// What came of a step that can end in several ways.
fn outcome(machine: &Machine, told: &Retraced, at: &State, after: &State) -> Option<String> {
    let this = &at.threads[told.thread];
    let instr = machine.code.instrs[this.pc as usize];
    let value = |operand| machine.value(this, operand);
    match instr {
        Instr::Read(into, what) => {
            let register = told.done.regs[into.0 as usize];
            Some(match what {
                ReadExpr::Empty(_) | ReadExpr::Has(..) => (register != 0).to_string(),
                ReadExpr::Asid(_) | ReadExpr::CdAsid { .. } => {
                    machine.name_of(Kind::Asid, register.checked_sub(1))
                }
                ReadExpr::One(row) => {
                    machine.name_of(held_by(machine, row), register.checked_sub(1))
                }
            })
        }
        Instr::ReadSet(into, row) => {
            let kind = held_by(machine, row);
            let names: Vec<_> = values(told.done.regs[into.0 as usize])
                .map(|id| machine.name_of(kind, Some(id)))
                .collect();
            Some(match names.is_empty() {
                true => "reads nothing".to_owned(),
                false => format!("reads {}", names.join(", ")),
            })
        }
        Instr::AllocAsid(space) => {
            let space = Space(value(space)?);
            let asid = |state: &State| state.memory.asid[space.index()].checked_sub(1).map(Asid);
            Some(match (asid(at), asid(after)) {
                (Some(asid), _) => format!("has {asid}"),
                (None, asid) => machine.name_of(Kind::Asid, asid.map(|asid| asid.0)),
            })
        }
        Instr::AllocVmid(viommu) => {
            let viommu = Viommu(value(viommu)?);
            Some(match at.memory.vmid[viommu.index()] {
                0 => vmid(after, Some(viommu.0)),
                _ => format!("has {}", vmid(at, Some(viommu.0))),
            })
        }
        Instr::FreeAsid(space) => {
            let asid = at.memory.asid[value(space)? as usize].checked_sub(1);
            Some(machine.name_of(Kind::Asid, asid))
        }
        Instr::FreeVmid(viommu) => Some(vmid(at, value(viommu))),
        Instr::Require { row, value, .. } => {
            let allowed = machine.has(at, this, row, value);
            (!allowed).then(|| "refused".to_owned())
        }
        Instr::MayFail { .. } => Some(["goes on", "fails"][told.choice.min(1) as usize].to_owned()),
        Instr::Hwq(..) if told.issued.is_none() => Some("not issued".to_owned()),
        Instr::HwqGuest { .. } | Instr::HwqChunk(_) if told.choice == 1 => {
            let command = machine.issued_command(told.issued?);
            Some(format!("{command} is illegal and not executed: CERROR_ILL"))
        }
        Instr::HwqChunk(_) => told.issued.map(|command| machine.issued_command(command)),
        Instr::Sync(_) if told.choice == 1 => {
            Some("no answer to an ATC_INV: CERROR_ATC_INV_SYNC".to_owned())
        }
        Instr::Chunk { .. } | Instr::HwqGuest { fixup: true, .. } => {
            Some(match (told.issued, decode(this.command)) {
                (Some(command), _) => machine.issued_command(command),
                (None, Some(command)) => format!("{} is refused", machine.guests_command(command)),
                (None, None) => return None,
            })
        }
        _ => None,
    }
}

/// What a table's rows hold.
fn held_by(machine: &Machine, row: Row) -> Kind {
    machine.code.tables[row.table as usize].value
}

/// A word of a step's text that may stand for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    /// `slot`
    Alone(&'a str),
    /// `vmid(viommu)`
    Part(&'a str, &'a str),
}

/// Replaces words by what they stand for. A word that is a field's name, a function's, or being given a value is left alone.
fn replace_words(text: &str, stands_for: impl Fn(Word<'_>) -> Option<String>) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    let mut before = "";
    while let Some(first) = rest.chars().next() {
        let word = leading_word(rest);
        if word.is_empty() {
            replaced.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let is_field = replaced.ends_with('.');
        let is_new = matches!(before, "let" | "for");
        let is_own = matches!(before, "alloc" | "free");
        before = word;
        rest = &rest[word.len()..];
        let argument = rest
            .strip_prefix('(')
            .map(leading_word)
            .filter(|argument| rest[1 + argument.len()..].starts_with(')'));
        let known = match argument {
            _ if is_field || is_new => None,
            Some(argument) if !is_own => stands_for(Word::Part(word, argument))
                .map(|known| (known, "()".len() + argument.len())),
            _ if rest.starts_with('(') => None,
            _ => stands_for(Word::Alone(word)).map(|known| (known, 0)),
        };
        match known {
            Some((known, length)) => {
                replaced.push_str(&known);
                rest = &rest[length..];
            }
            None => replaced.push_str(word),
        }
    }
    replaced
}

/// The word at the beginning of a text, if there is one.
fn leading_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(text: &str) -> String {
        replace_words(text, |word| match word {
            Word::Alone("asid") => Some("asid 1".to_owned()),
            Word::Alone("slot") => Some("device 0 ssid 1".to_owned()),
            Word::Part("vmid", "viommu") => Some("vmid 7".to_owned()),
            Word::Alone("viommu") => Some("viommu 3".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn only_whole_words_that_stand_for_something_are_replaced() {
        for (text, expected) in [
            (
                "cd(slot).word0 := valid(asid)",
                "cd(device 0 ssid 1).word0 := valid(asid 1)",
            ),
            ("let asid = asid(space)", "let asid = asid(space)"),
            (
                "let asid = cd(slot).asid",
                "let asid = cd(device 0 ssid 1).asid",
            ),
            ("for slot in slots(asid):", "for slot in slots(asid 1):"),
            (
                "hwq TLBI_NH_ASID(vmid(viommu), asid)",
                "hwq TLBI_NH_ASID(vmid 7, asid 1)",
            ),
            (
                "ste(device).word2 := vmid(viommu)",
                "ste(device).word2 := vmid 7",
            ),
            ("alloc vmid(viommu)", "alloc vmid(viommu 3)"),
            (
                "insert slot_list(old_asid, slot)",
                "insert slot_list(old_asid, device 0 ssid 1)",
            ),
        ] {
            assert_eq!(replace(text), expected);
        }
    }
}
