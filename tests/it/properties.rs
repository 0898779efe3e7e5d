//! Every property is put to the test by the shipped variants, or by the correct versions of known bugs.

use model::{CacheMode, property};
use vocab::{Devices, Threat};

use crate::runs::{self, FIXED, Run, SHIPPED};

#[test]
fn every_witness_is_reached() {
    let quick = Run {
        scope: "quick",
        pair: Some((Threat::Honest, Devices::Driven)),
        caches: CacheMode::Saturated,
    };
    let mut missing: Vec<_> = property::ALL.iter().collect();
    for spec in [SHIPPED, FIXED].into_iter().flat_map(runs::specs) {
        if missing.is_empty() {
            break;
        }
        let report = runs::run(&spec, &quick).unwrap_or_else(|error| panic!("{error}"));
        let parts: Vec<_> = report.pairs.iter().flat_map(|pair| &pair.parts).collect();
        missing.retain(|property| {
            let reached = parts.iter().find(|part| {
                part.verdict(property.id).is_some() && part.found.witnessed & property.id.bit() != 0
            });
            if let Some(part) = reached {
                let (id, witness) = (property.id.name(), property.witness);
                println!("{id}: {witness}: {} {}", spec.name, part.name);
            }
            reached.is_none()
        });
    }
    let missing: Vec<_> = missing
        .iter()
        .map(|property| format!("{}: {}", property.id.name(), property.witness))
        .collect();
    assert!(
        missing.is_empty(),
        "no shipped variant and no correct version reaches\n{}",
        missing.join("\n")
    );
}
