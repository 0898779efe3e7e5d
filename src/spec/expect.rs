//! `[expect.THREAT.DEVICES]`: the verdicts that an author claims.

use std::collections::BTreeMap;

use vocab::{Devices, PropertyId, Threat, Verdict};

use super::Claim;
use super::fields::{self, Fields, choice, unknown_keys};
use super::keys;
use super::report::{Problem, Sink};
use super::source::{Files, Span};
use super::tree::{Node, Value};

type Claims = BTreeMap<(Threat, Devices), BTreeMap<PropertyId, Claim>>;

/// Reads `[expect]`, without which a file is only a base.
pub(crate) fn read(node: Option<&Node>, files: &Files, sink: &mut Sink) -> Claims {
    let mut claims = Claims::new();
    let Some(node) = node else {
        return claims;
    };
    let threats = Threat::ALL.map(|threat| (threat.name(), threat));
    let devices = Devices::ALL.map(|devices| (devices.name(), devices));
    for (key, node) in fields::table("[expect]", node, sink).map_or(&[][..], |table| &table.entries)
    {
        let Some((_, threat)) = threats.iter().find(|(name, _)| *name == key.name) else {
            unknown_keys(
                "[expect], whose keys are threats",
                [key],
                &threats.map(|(name, _)| name),
                sink,
            );
            continue;
        };
        for (key, node) in
            fields::table("a threat's claims", node, sink).map_or(&[][..], |table| &table.entries)
        {
            let Some((_, devices)) = devices.iter().find(|(name, _)| *name == key.name) else {
                let known = devices.map(|(name, _)| name);
                unknown_keys(
                    "[expect.THREAT], whose keys say what devices do",
                    [key],
                    &known,
                    sink,
                );
                continue;
            };
            claims.insert((*threat, *devices), pair(node, files, sink));
        }
    }
    claims
}

fn pair(node: &Node, files: &Files, sink: &mut Sink) -> BTreeMap<PropertyId, Claim> {
    let mut claims = BTreeMap::new();
    let Some(table) = fields::table("claims", node, sink) else {
        return claims;
    };
    let names = PropertyId::ALL.map(PropertyId::name);
    let unknown = table.entries.iter().map(|(key, _)| key);
    let unknown = unknown.filter(|key| PropertyId::from_name(&key.name).is_none());
    unknown_keys("claims, whose keys are properties", unknown, &names, sink);
    for (key, node) in &table.entries {
        let Some(property) = PropertyId::from_name(&key.name) else {
            continue;
        };
        let place = (&key.span, files);
        claims.extend(claim(node, place, sink).map(|claim| (property, claim)));
    }
    claims
}

fn claim(node: &Node, (at, files): (&Span, &Files), sink: &mut Sink) -> Option<Claim> {
    let verdicts = Verdict::ALL.map(|verdict| (verdict.name(), verdict));
    let file = files.get(at.file).path.clone();
    let line = files.line(*at);
    if let Value::Text(_) = node.value {
        return Some(Claim {
            verdict: choice("verdict", node, &verdicts, sink)?,
            because: None,
            file,
            line,
        });
    }
    let Value::Table(_) = node.value else {
        let message = format!(
            "expected a verdict or `{{ verdict = ..., because = ... }}`, found {}",
            node.what()
        );
        sink.report(Problem::at(node.span, message));
        return None;
    };
    let fields = Fields::of(keys::claim(), node, sink)?;
    let because = fields
        .get("because")
        .and_then(|node| fields::text(node, sink))
        .map(str::to_owned);
    let verdict = fields.need("verdict", sink)?;
    Some(Claim {
        verdict: choice("verdict", verdict, &verdicts, sink)?,
        because,
        file,
        line,
    })
}
