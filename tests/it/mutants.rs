//! What is claimed is what is found: of every shipped variant, and of every mutant.
//!
//! A mutant is a shipped variant with a small mistake. It inherits the claims of the variant and states only those that its mistake
//! changes, so that "it breaks this and nothing else" is what is checked.

use std::collections::BTreeMap;
use std::path::Path;

use model::property;

use crate::claims::{self, HONEST, HOSTILE};
use crate::runs::{self, CORPUS, MUTANTS, SHIPPED};

#[test]
fn every_mutant_breaks_something_that_its_base_claims() {
    claims::each_breaks_its_base(MUTANTS);
}

/// Under some threat and with some devices it breaks that property and no other.
#[test]
fn every_property_is_broken_by_the_mutant_that_it_names() {
    let mut wrong = Vec::new();
    for property in &property::ALL {
        let (id, path) = (property.id, Path::new(property.broken_by));
        let mut directories = [MUTANTS, CORPUS].iter();
        let is_ours = directories.any(|directory| path.parent() == Some(Path::new(directory)));
        if !path.is_file() || !is_ours {
            let (id, path) = (id.name(), path.display());
            wrong.push(format!("{id}: there is no mutant {path}"));
            continue;
        }
        let mut broken: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for change in claims::changes(&runs::read(path)) {
            broken.entry(change.pair).or_default().push(change.id);
        }
        let alone = broken.iter().find(|(_, broken)| **broken == [id]);
        let (id, path) = (id.name(), path.display());
        match alone {
            Some((&pair, _)) => println!("{id}: {path}, {}", runs::pair_name(pair)),
            None => wrong.push(format!("{id}: {path} breaks it nowhere without another")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_mutant_breaks_exactly_what_it_declares() {
    let mut mutants = runs::specs(MUTANTS);
    mutants.extend(runs::bugs_as_variants());
    claims::check(mutants, claims::is_news);
}

/// A property that is claimed to hold and was not put to the test is vacuous, which differs from the claim.
#[test]
fn every_variant_is_as_claimed() {
    claims::check(runs::specs(SHIPPED), |_, pair| {
        pair == HONEST || pair == HOSTILE
    });
}
