//! The kinds of things that variables name, in words.

use model::program::Kind;

/// The kinds that parameters and tables may have, by their names.
pub(crate) const KINDS: [(&str, Kind); 8] = [
    ("device", Kind::Device),
    ("slot", Kind::Slot),
    ("space", Kind::Space),
    ("page", Kind::Page),
    ("ipa", Kind::Ipa),
    ("vm", Kind::Vm),
    ("viommu", Kind::Viommu),
    ("asid", Kind::Asid),
];

/// The kind's name.
pub(crate) fn name(kind: Kind) -> &'static str {
    let known = KINDS.iter().find(|(_, known)| *known == kind);
    known.map_or("flag", |(name, _)| name)
}

/// The kind in a sentence: `a slot`, `an asid`.
pub(crate) fn a(kind: Kind) -> String {
    match KINDS.iter().find(|(_, known)| *known == kind) {
        Some((name, _)) if name.starts_with(['a', 'i']) => format!("an {name}"),
        Some((name, _)) => format!("a {name}"),
        None => "true or false".to_owned(),
    }
}
