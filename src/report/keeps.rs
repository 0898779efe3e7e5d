//! What variants must remember: how large their tables become.

use comfy_table::Table;
use model::TableMemory;

use super::Report;
use crate::cost::kept::{self, DESCRIPTOR, Kept};
use crate::spec::Owner;
use crate::spec::kinds::name;

/// What the cells mean.
pub const LEGEND: [&str; 3] = [
    "name(key → value): the most entries of a table, all keys together, with d devices, s slots, two spaces and two ASIDs",
    "hostile: where guests that call anything make a hypervisor's table larger",
    "CD tables: bytes, in whose memory, written by whom",
];

/// The variants whose state was asked for.
pub fn of(report: &Report) -> impl Iterator<Item = (&str, &Kept)> {
    let specs = report.specs.iter();
    specs.filter_map(|spec| Some((spec.name.as_str(), spec.kept.as_ref()?)))
}

/// The table, without a style; none if there are no variants.
pub fn grid<'a>(variants: impl Iterator<Item = (&'a str, &'a Kept)>) -> Option<Table> {
    let mut table = Table::new();
    table.set_header([
        "variant",
        "hypervisor's tables",
        "guest's tables",
        "CD tables",
    ]);
    for (variant, kept) in variants {
        let of = |owner| {
            let tables = kept.tables.iter().filter(|table| table.owner == owner);
            let texts: Vec<_> = tables.map(self::table).collect();
            match texts.is_empty() {
                true => "·".to_owned(),
                false => texts.join(", "),
            }
        };
        table.add_row([
            variant.to_owned(),
            of(Owner::Hypervisor),
            of(Owner::Guest),
            descriptors(kept),
        ]);
    }
    (table.row_count() > 0).then_some(table)
}

/// One table and its size.
fn table(table: &kept::Table) -> String {
    let kept::Table {
        name: table_name,
        key,
        value,
        honest,
        hostile,
        ..
    } = table;
    let size = match hostile.filter(|hostile| hostile.exceeds(honest)) {
        None => honest.to_string(),
        Some(hostile) => format!("{honest} (hostile: {hostile})"),
    };
    format!("{table_name}({} → {}): {size}", name(*key), name(*value))
}

/// The CD tables.
fn descriptors(kept: &Kept) -> String {
    let memory = memory(kept.descriptors);
    let writers: Vec<_> = kept.writers.iter().map(|section| section.name()).collect();
    format!("{DESCRIPTOR}s, {memory}, {}", writers.join("+"))
}

/// Whose memory.
pub fn memory(memory: TableMemory) -> &'static str {
    match memory {
        TableMemory::Guest => "guest",
        TableMemory::Hypervisor => "hypervisor",
    }
}
