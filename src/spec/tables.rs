//! `[tables]`: the data structures of software.

use model::limit;
use model::program::{Kind, TableStart};

use super::fields::{self, Fields, choice};
use super::keys;
use super::kinds::KINDS;
use super::report::{Problem, Sink};
use super::source::Span;
use super::tree::Node;

/// Whose programs may use a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are words of the spec format")]
pub enum Owner {
    Guest,
    Hypervisor,
}

/// A table and where it was declared.
#[derive(Clone, Debug)]
pub(crate) struct TableRead {
    pub table: model::program::Table,
    pub owner: Owner,
    pub span: Span,
}

pub(crate) const OWNERS: [(&str, Owner); 2] =
    [("guest", Owner::Guest), ("hypervisor", Owner::Hypervisor)];
pub(crate) const STARTS: [(&str, TableStart); 2] = [
    ("empty", TableStart::Empty),
    ("attached", TableStart::Attached),
];

/// Reads `[tables]`, which may be absent.
pub(crate) fn read(node: Option<&Node>, sink: &mut Sink) -> Vec<TableRead> {
    let Some(declared) = node.and_then(|node| fields::table("[tables]", node, sink)) else {
        return Vec::new();
    };
    let mut tables = Vec::new();
    for (key, node) in &declared.entries {
        if tables.len() == limit::TABLES {
            sink.report(Problem::at(
                key.span,
                format!("there are more than {} tables", limit::TABLES),
            ));
            break;
        }
        tables.extend(one(&key.name, key.span, node, sink));
    }
    tables
}

fn one(name: &str, span: Span, node: &Node, sink: &mut Sink) -> Option<TableRead> {
    let fields = Fields::of(keys::table(), node, sink)?;
    let key = fields
        .need("key", sink)
        .and_then(|node| choice("kind", node, &KINDS, sink));
    let value = fields
        .need("value", sink)
        .and_then(|node| choice("kind", node, &KINDS, sink));
    let owner = fields
        .need("owner", sink)
        .and_then(|node| choice("owner", node, &OWNERS, sink));
    let start = match fields.get("start") {
        Some(node) => choice("start", node, &STARTS, sink)?,
        None => TableStart::Empty,
    };
    let (key, value, owner) = (key?, value?, owner?);
    if let Some(node) = fields.get("start")
        && start == TableStart::Attached
        && !matches!(
            (key, value),
            (Kind::Viommu, Kind::Device) | (Kind::Vm, Kind::Viommu)
        )
    {
        sink.report(
            Problem::at(
                node.span,
                "only a table from viommu to device, or from vm to viommu, can start as `attached`",
            )
            .label("every device is listed under its vIOMMU, or every vIOMMU that has a device under its VM"),
        );
    }
    Some(TableRead {
        table: model::program::Table {
            name: name.to_owned(),
            key,
            value,
            start,
        },
        owner,
        span,
    })
}
