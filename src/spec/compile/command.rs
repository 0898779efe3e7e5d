//! Commands: how many arguments each takes, of which kinds.

use model::program::{CommandExpr, Kind, VmidField};
use vocab::Opcode;

use super::super::report::Problem;
use super::super::text::ast::{Arg, Command};
use super::compiler::{Compiler, Frame};

/// Whether a command's first field is a VMID, and the kinds of the others; ATC_INV apart.
fn shape(opcode: Opcode) -> (bool, &'static [Kind]) {
    match opcode {
        Opcode::CfgiSte | Opcode::CfgiCdAll => (false, &[Kind::Device]),
        Opcode::CfgiCd => (false, &[Kind::Slot]),
        Opcode::TlbiNhAll | Opcode::TlbiS12Vmall => (true, &[]),
        Opcode::TlbiNhAsid => (true, &[Kind::Asid]),
        Opcode::TlbiNhVa => (true, &[Kind::Asid, Kind::Page]),
        Opcode::TlbiNhVaa => (true, &[Kind::Page]),
        Opcode::TlbiS2Ipa => (true, &[Kind::Ipa]),
        Opcode::TlbiNsnhAll => (false, &[]),
        Opcode::AtcInv => (false, &[Kind::Slot, Kind::Page]),
    }
}

/// How a command is written.
pub(crate) fn written(opcode: Opcode, guests: bool) -> String {
    if opcode == Opcode::AtcInv {
        return "`ATC_INV(slot, page)`, `ATC_INV(slot)` or `ATC_INV(device)`".to_owned();
    }
    let (vmid, kinds) = shape(opcode);
    let vmid = (vmid && !guests).then_some("vmid(viommu)");
    let named = kinds.iter().filter_map(|kind| {
        super::super::kinds::KINDS
            .iter()
            .find(|(_, known)| known == kind)
            .map(|(name, _)| *name)
    });
    let args: Vec<_> = vmid.into_iter().chain(named).collect();
    match args.is_empty() {
        true => format!("`{}`", opcode.name()),
        false => format!("`{}({})`", opcode.name(), args.join(", ")),
    }
}

impl Compiler<'_> {
    /// A command with its arguments looked up; `guests` is whether a guest writes it, who does not know its VMID.
    pub fn command(
        &mut self,
        command: &Command,
        guests: bool,
        frame: &Frame<'_>,
    ) -> Option<CommandExpr> {
        let opcode = command.opcode;
        let (has_vmid, kinds) = shape(opcode);
        let mut args = command.args.as_slice();
        let first_is_vmid =
            matches!(args.first(), Some(Arg::Of(function, _)) if function.text == "vmid");
        let vmid = match (args.first(), first_is_vmid) {
            (Some(arg), true) if guests => {
                self.sink.report(
                    Problem::at(arg.span(), "a guest does not know its VMID")
                        .label(format!("leave it out: {}", written(opcode, guests))),
                );
                return None;
            }
            (Some(Arg::Of(_, viommu)), true) if has_vmid => {
                args = &args[1..];
                VmidField::Of(self.need(viommu, Kind::Viommu, frame)?)
            }
            _ if has_vmid && !guests => {
                self.sink.report(
                    Problem::at(
                        command.span,
                        format!("this {} lacks its VMID", opcode.name()),
                    )
                    .label(format!("expected {}", written(opcode, guests))),
                );
                return None;
            }
            _ => VmidField::Guest,
        };
        if opcode == Opcode::AtcInv && args.len() == 1 {
            return match self.any(&args[0], frame)? {
                (slot, Kind::Slot) => Some(CommandExpr::AtcInvSsid(slot)),
                (device, Kind::Device) => Some(CommandExpr::AtcInvAll(device)),
                _ => {
                    self.sink.report(
                        Problem::at(args[0].span(), "expected a slot or a device").help(format!(
                            "the command is written {}",
                            written(opcode, guests)
                        )),
                    );
                    None
                }
            };
        }
        if args.len() != kinds.len() {
            self.sink.report(
                Problem::at(
                    command.span,
                    format!("{} takes other arguments", opcode.name()),
                )
                .label(format!("expected {}", written(opcode, guests))),
            );
            return None;
        }
        let found: Vec<_> = args
            .iter()
            .zip(kinds)
            .map(|(arg, kind)| self.need(arg, *kind, frame))
            .collect();
        let field = |index: usize| found.get(index).copied().flatten();
        Some(match opcode {
            Opcode::CfgiSte => CommandExpr::CfgiSte(field(0)?),
            Opcode::CfgiCd => CommandExpr::CfgiCd(field(0)?),
            Opcode::CfgiCdAll => CommandExpr::CfgiCdAll(field(0)?),
            Opcode::TlbiNhAll => CommandExpr::TlbiNhAll(vmid),
            Opcode::TlbiNhAsid => CommandExpr::TlbiNhAsid(vmid, field(0)?),
            Opcode::TlbiNhVa => CommandExpr::TlbiNhVa(vmid, field(0)?, field(1)?),
            Opcode::TlbiNhVaa => CommandExpr::TlbiNhVaa(vmid, field(0)?),
            Opcode::TlbiS2Ipa => CommandExpr::TlbiS2Ipa(vmid, field(0)?),
            Opcode::TlbiS12Vmall => CommandExpr::TlbiS12Vmall(vmid),
            Opcode::TlbiNsnhAll => CommandExpr::TlbiNsnhAll,
            Opcode::AtcInv => CommandExpr::AtcInv(field(0)?, field(1)?),
        })
    }
}
