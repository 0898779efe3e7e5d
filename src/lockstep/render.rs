//! What `lockstep` prints.

use comfy_table::{CellAlignment, Table, presets};

use super::job::{Driven, Outcome};
use crate::report::grouped;

/// A table, and each difference told behind it.
pub fn table(driven: &[Driven]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "variant",
        "guest",
        "devices",
        "part",
        "states",
        "edges",
        "steps",
        "accesses",
        "one answer",
        "stale",
        "given",
    ]);
    let mut behind = String::new();
    for one in driven {
        let mut row = vec![
            one.spec.clone(),
            one.threat.name().to_owned(),
            one.devices.name().to_owned(),
            one.part.clone(),
        ];
        match &one.outcome {
            Outcome::Agreed(compared) => row.extend([
                grouped(compared.states),
                grouped(compared.edges),
                grouped(compared.steps),
                grouped(compared.accesses),
                grouped(compared.certain),
                grouped(compared.stale),
                format!(
                    "{} of {}",
                    grouped(compared.given),
                    grouped(compared.allowed)
                ),
            ]),
            Outcome::NotDriven(why) => row.push(format!("not driven: {why}")),
            Outcome::Differs(difference) => {
                row.push("DIFFERS".to_owned());
                behind += &format!(
                    "\n{} ({} guest, {} devices), part {}:\n{difference}\n",
                    one.spec,
                    one.threat.name(),
                    one.devices.name(),
                    one.part
                );
            }
        }
        table.add_row(row);
    }
    for column in 4..11 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rows: Vec<_> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    let accesses: u64 = driven.iter().map(|one| one.accesses()).sum();
    let differ = driven
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Differs(_)))
        .count();
    format!(
        "{}\n{behind}\n{} accesses compared, {differ} graphs differ\n",
        rows.join("\n"),
        grouped(accesses)
    )
}
