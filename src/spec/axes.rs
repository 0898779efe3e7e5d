//! `[axes]`: in what variants differ that is not a program. The words and their meanings are tables, which `nestcheck list` prints.

use model::{Axes, Errors, S1dss, TableMemory, VmidPer};
use vocab::Opcode;

use super::Words;
use super::fields::{Fields, choice, choices, flag, number};
use super::keys;
use super::report::Sink;
use super::tree::Node;

/// Who may write context descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Guest,
    Hypervisor,
}

/// Everything that `[axes]` says.
#[derive(Clone, Debug)]
pub(crate) struct AxesRead {
    pub axes: Axes,
    pub writer: Writer,
    /// What `fixup` accepts; it must be said if it is used.
    pub accepts: Option<Vec<Opcode>>,
    pub cut: u8,
}

/// An axis as `nestcheck list` prints it.
#[derive(Clone, Debug)]
pub struct AxisWords {
    /// The key in the spec file.
    pub key: &'static str,
    /// What the axis is about.
    pub meaning: &'static str,
    /// Whether it holds a list of its values.
    pub several: bool,
    /// Its values and what each means.
    pub values: Vec<(&'static str, &'static str)>,
}

const MEMORY: Words<TableMemory> = &[
    (
        "guest",
        TableMemory::Guest,
        "in guest memory, which a scribbling guest changes at any time",
    ),
    (
        "hypervisor",
        TableMemory::Hypervisor,
        "in the hypervisor's memory",
    ),
];

const WRITER: Words<Writer> = &[
    (
        "guest",
        Writer::Guest,
        "only [guest] programs write context descriptors",
    ),
    (
        "hypervisor",
        Writer::Hypervisor,
        "only [vmm], [kernel] and [host] programs write them",
    ),
];

const VMID: Words<VmidPer> = &[
    (
        "viommu",
        VmidPer::Viommu,
        "each vIOMMU has a VMID of its own",
    ),
    ("vm", VmidPer::Vm, "the vIOMMUs of a VM share one"),
    ("host", VmidPer::Host, "all share one"),
];

/// What the hardware may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Illegal,
    AtcTimeout,
}

const ERRORS: Words<Reported> = &[
    (
        "CERROR_ILL",
        Reported::Illegal,
        "a command of the guest has bits that the hardware does not take, and is not executed",
    ),
    (
        "CERROR_ATC_INV_SYNC",
        Reported::AtcTimeout,
        "a device does not answer an ATC_INV; raised on the SYNC behind it",
    ),
];

const S1DSS: Words<S1dss> = &[
    (
        "terminate",
        S1dss::Terminate,
        "it aborts, and traffic with SSID 0 uses CD 0; the default",
    ),
    (
        "ssid0",
        S1dss::Ssid0,
        "it uses CD 0, traffic with SSID 0 aborts, and ATC_INV(slot) of SSID 0 finds nothing of it",
    ),
    (
        "bypass",
        S1dss::Bypass,
        "it bypasses stage 1 where word 1 of the STE says so, and under `s2_trans`; the slot with ssid 0 is that traffic's, and is not bound",
    ),
];

fn pairs<T: Copy>(words: Words<T>) -> Vec<(&'static str, T)> {
    words
        .iter()
        .map(|(word, value, _)| (*word, *value))
        .collect()
}

fn meanings<T>(words: Words<T>) -> Vec<(&'static str, &'static str)> {
    words
        .iter()
        .map(|(word, _, meaning)| (*word, *meaning))
        .collect()
}

/// Every axis with its values.
pub fn axes() -> Vec<AxisWords> {
    let axis = |key, meaning, values| AxisWords {
        key,
        meaning,
        several: false,
        values,
    };
    let several = |key, meaning, values| AxisWords {
        several: true,
        ..axis(key, meaning, values)
    };
    vec![
        axis(
            "ats",
            "whether devices have ATCs and streams start with EATS=1",
            vec![("true", "they do"), ("false", "they do not")],
        ),
        axis(
            "cd_table.memory",
            "where the CD table lies",
            meanings(MEMORY),
        ),
        axis("cd_table.writer", "who writes it", meanings(WRITER)),
        axis("vmid", "who has a VMID of its own", meanings(VMID)),
        axis(
            "s1dss",
            "STE.S1DSS: what becomes of traffic without SubstreamID",
            meanings(S1DSS),
        ),
        several(
            "accepts",
            "the opcodes that `hwq fixup(command)` does not refuse",
            Opcode::ALL
                .iter()
                .map(|opcode| (opcode.name(), opcode.meaning()))
                .collect(),
        ),
        axis(
            "cut",
            "the VMM forwards a guest's queue at every cut-th SYNC",
            vec![("1", "at each; the default"), ("2 to 255", "less often")],
        ),
        several(
            "errors",
            "the errors that the hardware may report, and that `on error:` sees; none if absent",
            meanings(ERRORS),
        ),
        axis(
            "early_bind",
            "whether guests bind slots of devices that are not attached yet; false if absent",
            vec![("true", "they do"), ("false", "they do not")],
        ),
    ]
}

/// Reads `[axes]`.
pub(crate) fn read(node: Option<&Node>, sink: &mut Sink) -> Option<AxesRead> {
    let node = node?;
    let fields = Fields::of(keys::axes(), node, sink)?;
    let ats = fields.need("ats", sink).and_then(|node| flag(node, sink));
    let vmid = fields
        .need("vmid", sink)
        .and_then(|node| choice("vmid", node, &pairs(VMID), sink));
    let table = fields
        .need("cd_table", sink)
        .and_then(|node| cd_table(node, sink));
    let opcodes = Opcode::ALL.map(|opcode| (opcode.name(), opcode));
    let accepts = fields
        .get("accepts")
        .map(|node| choices("command", node, &opcodes, sink));
    let cut = match fields.get("cut") {
        Some(node) => number(node, 1, u8::MAX, "", sink),
        None => Some(1),
    };
    let reported = fields
        .get("errors")
        .map(|node| choices("error", node, &pairs(ERRORS), sink))
        .unwrap_or_default();
    let errors = Errors {
        illegal: reported.contains(&Reported::Illegal),
        atc_timeout: reported.contains(&Reported::AtcTimeout),
    };
    let early_bind = match fields.get("early_bind") {
        Some(node) => flag(node, sink),
        None => Some(false),
    };
    let s1dss = match fields.get("s1dss") {
        Some(node) => choice("s1dss", node, &pairs(S1DSS), sink),
        None => Some(S1dss::Terminate),
    };
    let (cd_table, writer) = table?;
    Some(AxesRead {
        axes: Axes {
            ats: ats?,
            cd_table,
            vmid: vmid?,
            errors,
            early_bind: early_bind?,
            s1dss: s1dss?,
        },
        writer,
        accepts,
        cut: cut?,
    })
}

fn cd_table(node: &Node, sink: &mut Sink) -> Option<(TableMemory, Writer)> {
    let fields = Fields::of(keys::cd_table(), node, sink)?;
    let memory = fields
        .need("memory", sink)
        .and_then(|node| choice("memory", node, &pairs(MEMORY), sink));
    let writer = fields
        .need("writer", sink)
        .and_then(|node| choice("writer", node, &pairs(WRITER), sink));
    Some((memory?, writer?))
}
