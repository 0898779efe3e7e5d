//! Commands: how many arguments each takes, of which kinds.

use model::program::{CommandExpr, Kind, VmidField};
use vocab::Opcode;

use super::super::report::Problem;
use super::super::text::ast::{Arg, Command};
use super::compiler::{Compiler, Frame};

/// Whether a command's first field is a VMID, and the kinds of the others; ATC_INV apart, which takes a slot or a device, with or without
/// a page.
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
        Opcode::AtcInv => (false, &[]),
    }
}

/// How a command is written.
pub(crate) fn written(opcode: Opcode, guests: bool) -> String {
    if opcode == Opcode::AtcInv {
        return "`ATC_INV(slot, page)`, `ATC_INV(slot)`, `ATC_INV(device, page)` or `ATC_INV(device)`"
            .to_owned();
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
        let fits = match opcode {
            Opcode::AtcInv => (1..=2).contains(&args.len()),
            _ => args.len() == kinds.len(),
        };
        if !fits {
            self.sink.report(
                Problem::at(
                    command.span,
                    format!("{} takes other arguments", opcode.name()),
                )
                .label(format!("expected {}", written(opcode, guests))),
            );
            return None;
        }
        if let (Opcode::AtcInv, [of, page @ ..]) = (opcode, args) {
            return self.atc_inv(of, page.first(), guests, frame);
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
            Opcode::AtcInv => unreachable!("its arguments were looked up above"),
        })
    }

    /// ATC_INV of a slot (SSV=1) or of a device (SSV=0), of one page or of all.
    fn atc_inv(
        &mut self,
        of: &Arg,
        page: Option<&Arg>,
        guests: bool,
        frame: &Frame<'_>,
    ) -> Option<CommandExpr> {
        let found = self.any(of, frame);
        let page = page.map(|page| self.need(page, Kind::Page, frame));
        match (found?, page) {
            ((slot, Kind::Slot), None) => Some(CommandExpr::AtcInvSsid(slot)),
            ((slot, Kind::Slot), Some(page)) => Some(CommandExpr::AtcInv(slot, page?)),
            ((device, Kind::Device), None) => Some(CommandExpr::AtcInvAll(device)),
            ((device, Kind::Device), Some(page)) => Some(CommandExpr::AtcInvPage(device, page?)),
            _ => {
                self.sink
                    .report(
                        Problem::at(of.span(), "expected a slot or a device").help(format!(
                            "the command is written {}",
                            written(Opcode::AtcInv, guests)
                        )),
                    );
                None
            }
        }
    }
}
