//! Names and arguments: what they stand for, and whether that is the kind of thing that a step needs.

use model::program::{self, Kind, Operand, Reg, Section};

use super::super::kinds;
use super::super::report::Problem;
use super::super::source::Span;
use super::super::tables::Owner;
use super::super::text::ast::{Arg, Name, Row};
use super::super::words::{did_you_mean, one_of};
use super::compiler::{Compiler, Frame, lookup};
use super::scope::Holds;

impl Compiler<'_> {
    /// A variable of any kind.
    pub fn variable(&mut self, name: &Name, frame: &Frame<'_>) -> Holds {
        if let Some(holds) = lookup(frame, &name.text) {
            return holds;
        }
        let mut known: Vec<_> = frame.vars.iter().map(|var| var.name.as_str()).collect();
        known.dedup();
        let program = frame.program.full_name();
        self.sink.report_once(
            Problem::at(
                name.span,
                format!("`{program}` has no variable `{}` here", name.text),
            )
            .label(match known.is_empty() {
                true => "there are no variables here".to_owned(),
                false => format!("expected {}", one_of(known.iter().copied())),
            })
            .hint(did_you_mean(&name.text, known.iter().copied())),
        );
        Holds::Unknown
    }

    /// A variable that has a register, such as the condition of an `if`.
    pub fn register(&mut self, name: &Name, frame: &Frame<'_>) -> Option<Reg> {
        match self.variable(name, frame) {
            Holds::Id(Operand::Reg(reg), _) => Some(reg),
            Holds::Unknown => None,
            Holds::Command => {
                self.sink
                    .report(Problem::at(name.span, "a command cannot be asked about"));
                None
            }
            Holds::Id(..) => {
                self.sink.report(
                    Problem::at(name.span, format!("`{}` is not a variable of its own here", name.text))
                        .label("the caller passed something like `device(slot)`, which cannot be asked about"),
                );
                None
            }
        }
    }

    /// An argument and what it names.
    pub fn any(&mut self, arg: &Arg, frame: &Frame<'_>) -> Option<(Operand, Kind)> {
        match arg {
            Arg::Name(name) => match self.variable(name, frame) {
                Holds::Id(operand, kind) => Some((operand, kind)),
                Holds::Unknown => None,
                Holds::Command => {
                    self.sink.report(
                        Problem::at(name.span, "a command cannot be used here")
                            .help("a taken command is passed on to other programs, or forwarded: `hwq fixup(command)`"),
                    );
                    None
                }
            },
            Arg::Of(function, inner) => self.part(function, inner, frame),
        }
    }

    /// `device(slot)`, `viommu(space)`, `vm(viommu)`
    fn part(&mut self, function: &Name, inner: &Arg, frame: &Frame<'_>) -> Option<(Operand, Kind)> {
        type Part = (&'static str, Kind, fn(Reg) -> Operand, Kind);
        const PARTS: [Part; 3] = [
            ("device", Kind::Slot, Operand::DeviceOf, Kind::Device),
            ("viommu", Kind::Space, Operand::ViommuOf, Kind::Viommu),
            ("vm", Kind::Viommu, Operand::VmOf, Kind::Vm),
        ];
        let Some((_, from, make, to)) = PARTS.into_iter().find(|(name, ..)| *name == function.text)
        else {
            let problem = Problem::at(
                function.span,
                format!("`{}(...)` cannot be used here", function.text),
            )
            .label("expected a variable, `device(slot)`, `viommu(space)` or `vm(viommu)`");
            self.sink.report(match function.text.as_str() {
                "asid" => {
                    problem.help("read it first, in a step of its own: `let asid = asid(space)`")
                }
                "vmid" => problem.help(
                    "`vmid(viommu)` is the first argument of TLBI commands on `hwq` and `vcmdq`",
                ),
                _ => problem,
            });
            return None;
        };
        match self.need(inner, from, frame)? {
            Operand::Reg(reg) => Some((make(reg), to)),
            _ => {
                self.sink.report(
                    Problem::at(
                        inner.span(),
                        "this is already a part of something, and a part of a part is not known",
                    )
                    .help("pass the slot, space or vIOMMU itself to the program"),
                );
                None
            }
        }
    }

    /// An argument that must be of a kind.
    pub fn need(&mut self, arg: &Arg, kind: Kind, frame: &Frame<'_>) -> Option<Operand> {
        let (operand, found) = self.any(arg, frame)?;
        if found == kind {
            return Some(operand);
        }
        let message = format!("expected {}, found {}", kinds::a(kind), kinds::a(found));
        let fitting: Vec<_> = frame
            .vars
            .iter()
            .filter(|var| matches!(var.holds, Holds::Id(_, k) if k == kind))
            .map(|var| var.name.as_str())
            .collect();
        let hint =
            (!fitting.is_empty()).then(|| format!("{} here: {}", kinds::a(kind), one_of(fitting)));
        self.sink
            .report(Problem::at(arg.span(), message).hint(hint));
        None
    }

    /// The vIOMMU on whose behalf a step is made, which steps about CDs and ASIDs do not name.
    pub fn viommu(&mut self, place: Span, why: &str, frame: &Frame<'_>) -> Option<Operand> {
        match lookup(frame, "viommu") {
            Some(Holds::Id(operand, Kind::Viommu)) => Some(operand),
            Some(Holds::Unknown) => None,
            _ => {
                self.sink.report(
                    Problem::at(
                        place,
                        format!("{why}, and there is no variable `viommu` here"),
                    )
                    .help("name one: a parameter `viommu`, or `for viommu in viommus(vm):`"),
                );
                None
            }
        }
    }

    /// A row of a table that the program may use, and what the row holds.
    pub fn row(&mut self, row: &Row, frame: &Frame<'_>) -> Option<(program::Row, Kind)> {
        let tables = self.parts.tables;
        let Some(index) = tables
            .iter()
            .position(|table| table.table.name == row.table.text)
        else {
            let names = || tables.iter().map(|table| table.table.name.as_str());
            self.sink.report_once(
                Problem::at(
                    row.table.span,
                    format!("there is no table `{}`", row.table.text),
                )
                .label(match tables.is_empty() {
                    true => "the spec has no [tables]".to_owned(),
                    false => format!("expected {}", one_of(names())),
                })
                .hint(did_you_mean(&row.table.text, names())),
            );
            return None;
        };
        let found = &tables[index];
        let guests = frame.program.section == Section::Guest;
        if guests != (found.owner == Owner::Guest) {
            let (whose, who) = match guests {
                true => (
                    "the hypervisor's",
                    "[guest] programs use tables with `owner = \"guest\"`",
                ),
                false => (
                    "the guest's",
                    "[vmm], [kernel] and [host] programs use tables with `owner = \"hypervisor\"`",
                ),
            };
            self.sink.report(
                Problem::at(
                    row.table.span,
                    format!("`{}` is {whose} table", row.table.text),
                )
                .label(who)
                .also(found.span, "declared here"),
            );
        }
        let key = self.need(&row.key, found.table.key, frame)?;
        let viommu = match found.table.key {
            Kind::Asid => Some(self.viommu(
                row.key.span(),
                "keys that are ASIDs are told apart by vIOMMU",
                frame,
            )?),
            _ => None,
        };
        Some((
            program::Row {
                table: index as u8,
                key,
                viommu,
            },
            found.table.value,
        ))
    }
}
