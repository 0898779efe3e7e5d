//! `[scope.NAME.PART]`: within which bounds a variant is checked, and for which properties they are large enough.

use std::collections::BTreeMap;

use model::program::{Kind, OpKind};
use model::{Bounds, Code, limit};
use vocab::{PropertyId, Threat};

use super::Part;
use super::fields::{self, Fields, choices, number, unknown_keys};
use super::keys;
use super::report::{Problem, Sink};
use super::source::Span;
use super::tree::Node;
use super::words::one_of;
use crate::scope::DIMENSIONS;

/// The names of scopes, and what each is for.
pub const SCOPES: [(&str, &str); 4] = [
    (
        "tiny",
        "so small that the definition of caches can be searched too; may be absent",
    ),
    ("quick", "seconds: after every change"),
    ("default", "minutes: what verdicts are quoted from"),
    ("deep", "hours: before anybody relies on it"),
];

/// Reads `[scope]`; without code, what depends on programs is not judged.
pub(crate) fn read(
    node: Option<&Node>,
    code: Option<&Code>,
    whole: Span,
    sink: &mut Sink,
) -> BTreeMap<String, Vec<Part>> {
    let mut scopes = BTreeMap::new();
    let known = SCOPES.map(|(name, _)| name);
    for (key, node) in node
        .and_then(|node| fields::table("[scope]", node, sink))
        .map_or(&[][..], |table| &table.entries)
    {
        if !known.contains(&key.name.as_str()) {
            unknown_keys("[scope]", [key], &known, sink);
            continue;
        }
        let Some(parts) = fields::table("a scope", node, sink) else {
            continue;
        };
        let read = parts
            .entries
            .iter()
            .filter_map(|(name, part)| one(&name.name, part, code, sink))
            .collect();
        scopes.insert(key.name.clone(), read);
    }
    let missing = ["quick", "default", "deep"]
        .into_iter()
        .filter(|name| node.is_none_or(|node| !has(node, name)));
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        sink.report(
            Problem::at(node.map_or(whole, |node| node.span), format!("there is no scope {}", one_of(missing)))
                .help("`quick`, `default` and `deep` must exist; each has at least one part: `[scope.quick.sharing]`"),
        );
    }
    scopes
}

/// Whether a scope is there, with at least one part, right or wrong.
fn has(node: &Node, name: &str) -> bool {
    let super::tree::Value::Table(scopes) = &node.value else {
        return true;
    };
    match scopes.get(name).map(|(_, node)| &node.value) {
        Some(super::tree::Value::Table(parts)) => !parts.entries.is_empty(),
        Some(_) => true,
        None => false,
    }
}

fn one(name: &str, node: &Node, code: Option<&Code>, sink: &mut Sink) -> Option<Part> {
    let fields = Fields::of(keys::part(), node, sink)?;
    let counted = DIMENSIONS.map(|dimension| {
        let node = fields.need(dimension.name, sink)?;
        number(
            node,
            dimension.least,
            dimension.most as u8,
            "; more does not fit into a state",
            sink,
        )
    });
    let operations = fields
        .need("operations", sink)
        .map(|node| operations(node, code, sink));
    let properties = PropertyId::ALL.map(|property| (property.name(), property));
    let asks = fields.need("asks", sink).map(|node| {
        let asks = choices("property", node, &properties, sink);
        if fields::list(node, sink).is_some_and(<[_]>::is_empty) {
            sink.report(
                Problem::at(node.span, "this part asks nothing")
                    .label("expected at least one property"),
            );
        }
        asks
    });
    let threats = match fields.get("threats") {
        Some(node) => choices(
            "threat",
            node,
            &Threat::ALL.map(|threat| (threat.name(), threat)),
            sink,
        ),
        None => Threat::ALL.to_vec(),
    };
    let because = fields
        .get("because")
        .and_then(|node| fields::text(node, sink))
        .map(str::to_owned);
    let [
        devices,
        ssids,
        asids,
        vmids,
        spaces,
        pages,
        ipas,
        vms,
        viommus,
        guest_threads,
        host_threads,
    ] = counted;
    let bounds = Bounds {
        devices: devices?,
        ssids: ssids?,
        asids: asids?,
        vmids: vmids?,
        spaces: spaces?,
        pages: pages?,
        ipas: ipas?,
        vms: vms?,
        viommus: viommus?,
        guest_threads: guest_threads?,
        host_threads: host_threads?,
        operations: operations?,
    };
    fits(&bounds, &fields, code, sink);
    Some(Part {
        name: name.to_owned(),
        bounds,
        asks: asks?,
        threats,
        because,
    })
}

fn operations(node: &Node, code: Option<&Code>, sink: &mut Sink) -> Vec<OpKind> {
    let chosen = choices(
        "operation",
        node,
        &OpKind::ALL.map(|op| (op.name(), op)),
        sink,
    );
    for item in fields::list(node, sink).unwrap_or_default() {
        if let super::tree::Value::Text(name) = &item.value
            && let Some(op) = chosen.iter().find(|op| op.name() == name)
            && let Some(code) = code
            && !code.entries.iter().any(|entry| entry.name == op.name())
        {
            let section = if op.is_guests() { "guest" } else { "host" };
            sink.report_once(
                Problem::at(item.span, format!("the spec has no operation `{name}`"))
                    .label(format!("`{section}.{name}` is not defined")),
            );
        }
    }
    chosen
}

/// Bounds that are each small enough may be too large together.
fn fits(bounds: &Bounds, fields: &Fields<'_>, code: Option<&Code>, sink: &mut Sink) {
    for misfit in misfits(bounds, code) {
        let place = misfit.key.and_then(|key| fields.get(key));
        let place = place.map_or(fields.span, |node| node.span);
        sink.report(Problem::at(place, misfit.what).label(misfit.why));
    }
}

/// Why a run cannot have some bounds, although each of them is small enough.
pub(crate) struct Misfit {
    /// The dimension to look at first.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub what: String,
    /// And why it is.
    pub why: String,
}

/// Everything that is wrong with bounds, for a spec's programs.
pub(crate) fn misfits(bounds: &Bounds, code: Option<&Code>) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let mut too_many = |key: &'static str, count: usize, most: usize, what: &str| {
        if count > most {
            misfits.push(Misfit {
                key: Some(key),
                what: format!("{what}: {count}"),
                why: format!("at most {most} fit into a state"),
            });
        }
    };
    let b = |value: u8| value as usize;
    too_many(
        "ssids",
        b(bounds.devices) * b(bounds.ssids),
        limit::SLOTS,
        "too many slots, which are devices times ssids",
    );
    let threads = b(bounds.guest_threads) + b(bounds.host_threads);
    too_many(
        "host_threads",
        threads,
        limit::THREADS,
        "too many threads of guests and host together",
    );
    for table in code.map_or(&[][..], |code| &code.tables) {
        let (key, keys) = match table.key {
            Kind::Device => ("devices", b(bounds.devices)),
            Kind::Slot => ("ssids", b(bounds.devices) * b(bounds.ssids)),
            Kind::Space => ("spaces", b(bounds.spaces)),
            Kind::Page => ("pages", b(bounds.pages)),
            Kind::Ipa => ("ipas", b(bounds.ipas)),
            Kind::Vm => ("vms", b(bounds.vms)),
            Kind::Viommu => ("viommus", b(bounds.viommus)),
            Kind::Asid => ("asids", b(bounds.viommus) * b(bounds.asids)),
            Kind::Flag => continue,
        };
        too_many(
            key,
            keys,
            limit::KEYS,
            &format!("too many keys of the table `{}`", table.name),
        );
    }
    let locks = code
        .map_or(&[][..], |code| &code.locks)
        .iter()
        .map(|(_, per_vm)| if *per_vm { b(bounds.vms) } else { 1 })
        .sum();
    too_many(
        "vms",
        locks,
        limit::LOCKS,
        "too many locks, one for each VM where each VM has its own",
    );
    if threads == 0 {
        misfits.push(Misfit {
            key: None,
            what: "this part has no threads".to_owned(),
            why: "nothing would ever happen".to_owned(),
        });
    }
    if bounds.viommus < bounds.vms {
        misfits.push(Misfit {
            key: Some("viommus"),
            what: format!(
                "{} viommus are too few for {} vms",
                bounds.viommus, bounds.vms
            ),
            why: "every VM has at least one".to_owned(),
        });
    }
    misfits
}
