//! `[scope.NAME.PART]`: within which bounds a variant is checked, and for which properties they are large enough.

use std::collections::BTreeMap;

use model::program::{Kind, OpKind};
use model::{Bounds, Code, limit};
use vocab::{PropertyId, Threat};

use super::Part;
use super::fields::{self, Fields, choices, number, unknown_key};
use super::report::{Problem, Sink};
use super::source::Span;
use super::tree::Node;
use super::words::one_of;

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

const COUNTS: [(&str, u8, usize); 11] = [
    ("devices", 1, limit::DEVICES),
    ("ssids", 1, limit::SLOTS),
    ("asids", 1, limit::ASIDS),
    ("vmids", 1, limit::VMIDS),
    ("spaces", 1, limit::SPACES),
    ("pages", 1, limit::PAGES),
    ("ipas", 1, limit::IPAS),
    ("vms", 1, limit::VMS),
    ("viommus", 1, limit::VIOMMUS),
    ("guest_threads", 0, limit::THREADS),
    ("host_threads", 0, limit::THREADS),
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
            unknown_key("[scope]", key, &known, sink);
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
    let counts = COUNTS.map(|(key, ..)| key);
    let known = [&counts[..], &["operations", "asks", "threats", "because"]].concat();
    let fields = Fields::of("a part of a scope", node, &known, sink)?;
    let counted = COUNTS.map(|(key, least, most)| {
        let node = fields.need(key, sink)?;
        number(
            node,
            least,
            most as u8,
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
            sink.report(
                Problem::at(item.span, format!("the spec has no operation `{name}`"))
                    .label(format!("`{section}.{name}` is not defined")),
            );
        }
    }
    chosen
}

/// Bounds that are each small enough may be too large together.
fn fits(bounds: &Bounds, fields: &Fields<'_>, code: Option<&Code>, sink: &mut Sink) {
    let mut too_many = |key: &str, count: usize, most: usize, what: &str| {
        if count > most {
            let place = fields.get(key).map_or(fields.span, |node| node.span);
            sink.report(
                Problem::at(place, format!("{what}: {count}"))
                    .label(format!("at most {most} fit into a state")),
            );
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
        sink.report(
            Problem::at(fields.span, "this part has no threads").label("nothing would ever happen"),
        );
    }
    if bounds.viommus < bounds.vms {
        let place = fields.get("viommus").map_or(fields.span, |node| node.span);
        sink.report(
            Problem::at(
                place,
                format!(
                    "{} viommus are too few for {} vms",
                    bounds.viommus, bounds.vms
                ),
            )
            .label("every VM has at least one"),
        );
    }
}
