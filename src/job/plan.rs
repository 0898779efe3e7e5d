//! What is run of a spec: which parts of the scope, under which threats and with which devices.
//!
//! Of a known bug only what its difference changes is run: the pairs under which it claims a violation that its base does not, the
//! parts that ask for the properties that it breaks; and the same of the base, which must do without the violation.

use std::collections::BTreeSet;

use vocab::{Devices, PropertyId, Threat, Verdict};

use super::Options;
use crate::report::{Broken, BugRole, Role};
use crate::spec::{Bug, Part, Spec};

/// A spec and what is run of it.
pub struct Task<'a> {
    pub spec: &'a Spec,
    pub role: Role,
    pub parts: Vec<Part>,
    pub pairs: Vec<(Threat, Devices)>,
    /// The properties that are judged, if not all that the parts ask for.
    pub only: Option<BTreeSet<PropertyId>>,
}

/// What is run of a spec; nothing of a bug that breaks nothing under what is asked for. Errors are the user's.
pub fn tasks<'a>(spec: &'a Spec, options: &Options) -> Result<Vec<Task<'a>>, String> {
    let mut parts = options.scope.parts(spec)?;
    let Some(bug) = &spec.bug else {
        return Ok(vec![Task {
            spec,
            role: Role::Variant,
            pairs: pairs_of(spec, &parts, options)?,
            parts,
            only: None,
        }]);
    };
    let breaks: Vec<_> = breaks(spec, bug)?
        .into_iter()
        .filter(|(pair, _)| is_asked_for(*pair, options))
        .collect();
    if breaks.is_empty() {
        return Ok(Vec::new());
    }
    let unknown = |name: &&String| !parts.iter().any(|part| part.name == **name);
    if let Some(name) = bug.parts.iter().find(unknown) {
        let (path, scope) = (spec.path.display(), options.scope.name());
        return Err(format!(
            "{path}: [bug] names the part `{name}`, which scope `{scope}` does not have"
        ));
    }
    let broken: BTreeSet<_> = breaks.iter().map(|(_, id)| *id).collect();
    for part in &mut parts {
        part.asks.retain(|id| broken.contains(id));
    }
    parts.retain(|part| !part.asks.is_empty() && bug.shown_in(&part.name));
    let pairs: BTreeSet<_> = breaks.iter().map(|(pair, _)| *pair).collect();
    let pairs: Vec<_> = pairs.into_iter().collect();
    let role = BugRole {
        id: bug.id.clone(),
        grade: bug.grade.name(),
        sources: spec.sources.clone(),
        breaks,
    };
    Ok(vec![
        Task {
            spec,
            role: Role::Bug(role),
            parts: parts.clone(),
            pairs: pairs.clone(),
            only: Some(broken.clone()),
        },
        Task {
            spec: &bug.fixed,
            role: Role::Fixed(bug.id.clone()),
            parts,
            pairs,
            only: Some(broken),
        },
    ])
}

/// What a bug claims to break that its base does not; the base must claim that it holds.
fn breaks(spec: &Spec, bug: &Bug) -> Result<Vec<Broken>, String> {
    let mut breaks = Vec::new();
    for (&pair, claims) in &spec.expect {
        for (&id, claim) in claims {
            let before = bug
                .fixed
                .expect
                .get(&pair)
                .and_then(|claims| claims.get(&id));
            let before = before.map(|claim| claim.verdict);
            match (claim.verdict, before) {
                (Verdict::Violated, Some(Verdict::Holds)) => breaks.push((pair, id)),
                (Verdict::Violated, Some(Verdict::Violated)) => {}
                (Verdict::Violated, _) => {
                    return Err(format!(
                        "{} breaks {}, but {} does not claim that it holds ({} {})",
                        spec.path.display(),
                        id.name(),
                        bug.fixed.path.display(),
                        pair.0.name(),
                        pair.1.name(),
                    ));
                }
                _ => {}
            }
        }
    }
    match breaks.is_empty() {
        true => Err(format!(
            "{} breaks nothing that its base claims to hold",
            spec.path.display()
        )),
        false => Ok(breaks),
    }
}

fn is_asked_for((threat, devices): (Threat, Devices), options: &Options) -> bool {
    options.threat.is_none_or(|only| only == threat)
        && options.devices.is_none_or(|only| only == devices)
}

/// What a spec is run under: whatever it has claims for and the flags let through, or else what the flags ask for.
pub fn pairs_of(
    spec: &Spec,
    parts: &[Part],
    options: &Options,
) -> Result<Vec<(Threat, Devices)>, String> {
    let chosen: Vec<_> = spec
        .expect
        .keys()
        .copied()
        .filter(|pair| is_asked_for(*pair, options))
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let threat = options.threat.unwrap_or(Threat::Honest);
    if !parts.iter().any(|part| part.threats.contains(&threat)) {
        let (path, scope) = (spec.path.display(), options.scope.name());
        let threat = threat.name();
        return Err(format!(
            "{path} has no part in scope `{scope}` that is run under {threat}"
        ));
    }
    Ok(vec![(threat, options.devices.unwrap_or(Devices::Driven))])
}
