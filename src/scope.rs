//! Bounds on the command line: a named scope of the spec, single dimensions set otherwise, or both.

use std::str::FromStr;

use model::{Bounds, Code, OpKind, limit};

use crate::spec::scopes::misfits;
use crate::spec::words::{did_you_mean, one_of};
use crate::spec::{Part, Spec};

/// One dimension of [`Bounds`]. The same rows make `[scope]`, `--scope`, `list scopes` and the JSON report.
#[derive(Clone, Copy)]
pub struct Dimension {
    /// As in spec files.
    pub name: &'static str,
    /// What it counts.
    pub meaning: &'static str,
    /// What a run needs at least.
    pub least: u8,
    /// What a state can represent.
    pub most: usize,
    /// Reads it.
    pub get: fn(&Bounds) -> u8,
    set: fn(&mut Bounds, u8),
}

impl Dimension {
    /// Sets it; whether a run can have the bounds is for [`check`] to say.
    pub fn set(&self, bounds: &mut Bounds, value: u8) {
        (self.set)(bounds, value);
    }
}

macro_rules! dimensions {
    ($($name:ident $least:literal ..= $most:path: $meaning:literal;)*) => {
        /// All of them, in the order of reports.
        pub const DIMENSIONS: [Dimension; 11] = [$(Dimension {
            name: stringify!($name),
            meaning: $meaning,
            least: $least,
            most: $most,
            get: |bounds| bounds.$name,
            set: |bounds, value| bounds.$name = value,
        }),*];
    };
}

dimensions! {
    devices 1 ..= limit::DEVICES: "devices";
    ssids 1 ..= limit::SLOTS: "SubstreamIDs of each device";
    asids 1 ..= limit::ASIDS: "ASIDs of each vIOMMU";
    vmids 1 ..= limit::VMIDS: "VMIDs of the host";
    spaces 1 ..= limit::SPACES: "address spaces of all vIOMMUs together";
    pages 1 ..= limit::PAGES: "pages of each space";
    ipas 1 ..= limit::IPAS: "intermediate pages of each VM";
    vms 1 ..= limit::VMS: "virtual machines";
    viommus 1 ..= limit::VIOMMUS: "vIOMMUs of all VMs together";
    guest_threads 0 ..= limit::THREADS: "threads of all guests together";
    host_threads 0 ..= limit::THREADS: "threads of the host";
}

/// The value of `--scope`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Which scope; `default` unless given.
    name: Option<String>,
    /// Dimensions that are set otherwise, in every part; an index into [`DIMENSIONS`].
    set: Vec<(usize, u8)>,
    /// The operations, if given.
    operations: Option<Vec<OpKind>>,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut choice = Choice::default();
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None if item.is_empty() => return Err("a name or `name=value` is missing".into()),
                None if choice.name.is_some() => {
                    return Err(format!("`{item}`: a scope is named already"));
                }
                None => choice.name = Some(item.to_owned()),
                Some(("operations", list)) => choice.operations = Some(operations(list)?),
                Some((name, value)) => choice.set.push(dimension(name, value)?),
            }
        }
        Ok(choice)
    }
}

fn dimension(name: &str, value: &str) -> Result<(usize, u8), String> {
    let names = || DIMENSIONS.iter().map(|dimension| dimension.name);
    let Some(place) = names().position(|known| known == name) else {
        let help = did_you_mean(name, names().chain(["operations"]));
        let help = help.unwrap_or_else(|| format!("expected {}", one_of(names())));
        return Err(format!("`{name}`: unknown dimension; {help}"));
    };
    let value = value
        .parse()
        .map_err(|_| format!("`{value}`: {name} needs a small number"))?;
    Ok((place, value))
}

fn operations(list: &str) -> Result<Vec<OpKind>, String> {
    let names = || OpKind::ALL.into_iter().map(OpKind::name);
    let find = |name: &str| OpKind::ALL.into_iter().find(|kind| kind.name() == name);
    let unknown = |name| {
        let help = did_you_mean(name, names());
        let help = help.unwrap_or_else(|| format!("expected {}", one_of(names())));
        format!("`{name}`: unknown operation; {help}")
    };
    list.split('+')
        .map(|name| find(name).ok_or_else(|| unknown(name)))
        .collect()
}

/// As it can be given again.
impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        for (place, value) in &self.set {
            write!(f, ",{}={value}", DIMENSIONS[*place].name)?;
        }
        match &self.operations {
            None => Ok(()),
            Some(operations) => {
                let names: Vec<_> = operations.iter().map(|kind| kind.name()).collect();
                write!(f, ",operations={}", names.join("+"))
            }
        }
    }
}

impl Choice {
    /// The scope's name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("default")
    }

    /// The parts of a spec's scope, with what was set otherwise.
    pub fn parts(&self, spec: &Spec) -> Result<Vec<Part>, String> {
        let name = self.name();
        let Some(parts) = spec.scopes.get(name) else {
            let known = || spec.scopes.keys().map(String::as_str);
            let help = did_you_mean(name, known());
            let help = help.unwrap_or_else(|| format!("it has {}", one_of(known())));
            let path = spec.path.display();
            return Err(format!("{path} has no scope `{name}`; {help}"));
        };
        let mut parts = parts.clone();
        for part in &mut parts {
            for &(place, value) in &self.set {
                (DIMENSIONS[place].set)(&mut part.bounds, value);
            }
            if let Some(operations) = &self.operations {
                part.bounds.operations.clone_from(operations);
            }
            check(&part.bounds, &spec.code).map_err(|what| {
                format!(
                    "{}: scope {name}.{}: {what}",
                    spec.path.display(),
                    part.name
                )
            })?;
        }
        Ok(parts)
    }
}

/// Whether a run can have these bounds; otherwise the first thing that is wrong.
pub(crate) fn check(bounds: &Bounds, code: &Code) -> Result<(), String> {
    for dimension in DIMENSIONS {
        let (name, value) = (dimension.name, (dimension.get)(bounds));
        let (least, most) = (dimension.least, dimension.most);
        let why = match usize::from(value) {
            few if few < usize::from(least) => "nothing can be checked with fewer",
            many if many > most => "more does not fit into a state",
            _ => continue,
        };
        return Err(format!(
            "{name} is {value}, expected {least} to {most}; {why}"
        ));
    }
    let missing = bounds
        .operations
        .iter()
        .find(|kind| !code.entries.iter().any(|entry| entry.name == kind.name()));
    if let Some(kind) = missing {
        return Err(format!("the spec has no operation `{}`", kind.name()));
    }
    match misfits(bounds, Some(code)).into_iter().next() {
        Some(misfit) => Err(format!("{}; {}", misfit.what, misfit.why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Choice>().unwrap_err()
    }

    #[test]
    fn a_name_and_dimensions() {
        let choice: Choice = "quick,pages=2,operations=map+unmap".parse().unwrap();
        assert_eq!(choice.name(), "quick");
        assert_eq!(choice.set, [(5, 2)]);
        assert_eq!(choice.operations, Some(vec![OpKind::Map, OpKind::Unmap]));
        assert_eq!("pages=2".parse::<Choice>().unwrap().name(), "default");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            refused("page=2"),
            "`page`: unknown dimension; did you mean `pages`?"
        );
        assert_eq!(refused("pages=many"), "`many`: pages needs a small number");
        assert_eq!(refused("quick,deep"), "`deep`: a scope is named already");
        assert_eq!(
            refused("operations=mep"),
            "`mep`: unknown operation; did you mean `map`?"
        );
    }
}
