//! Words of memory field by field, as the manual names the fields.

use std::fmt::Debug;

use engine::layout::Descriptor;

/// What the manual does not write in capitals.
const SPELT: &[(&str, &str)] = &[
    ("address", "Address"),
    ("af", "AF"),
    ("alloccfg", "ALLOCCFG"),
    ("config", "Config"),
    ("memattr", "MemAttr"),
    ("ng", "nG"),
    ("s1cdmax", "S1CDMax"),
    ("s1contextptr", "S1ContextPtr"),
    ("s1fmt", "S1Fmt"),
    ("table_or_page", "Table/page"),
    ("valid", "Valid"),
];

/// The fields of a word that are not zero. Their names are those of the engine's layouts, which are the manual's in small letters.
pub fn fields(word: &impl Debug) -> String {
    in_words(word, &[])
}

/// The same of a leaf, whose attributes and access permissions each stage calls by names of its own.
pub fn leaf(word: Descriptor, [attributes, ap]: [&str; 2]) -> String {
    in_words(&word, &[("attributes", attributes), ("ap", ap)])
}

fn in_words(word: &impl Debug, spelt: &[(&str, &str)]) -> String {
    let debug = format!("{word:?}");
    let inner = debug.split_once('{').map_or("", |(_, inner)| inner);
    let set: Vec<_> = inner
        .trim_end_matches('}')
        .split(',')
        .filter_map(|field| field.trim().split_once(": "))
        .filter_map(|(name, value)| field(name, value, spelt))
        .collect();
    match set.is_empty() {
        true => ": all zero".to_owned(),
        false => format!(": {}", set.join(" ")),
    }
}

/// `None` for one that is zero.
fn field(name: &str, value: &str, spelt: &[(&str, &str)]) -> Option<String> {
    let value = match value {
        "true" => 1,
        "false" => 0,
        number => number.parse::<u64>().ok()?,
    };
    // Part of an address, and which: told as the address that it is part of.
    let (name, low) = bits(name).unwrap_or((name, 0));
    let spelt = spelt.iter().chain(SPELT).find(|(known, _)| *known == name);
    let name = spelt.map_or_else(|| name.to_uppercase(), |(_, spelt)| (*spelt).to_owned());
    match value << low {
        0 => None,
        value @ 1..=9 => Some(format!("{name}={value}")),
        value => Some(format!("{name}={value:#x}")),
    }
}

/// `ttb0_51_4`: bits 51 to 4 of TTB0.
fn bits(name: &str) -> Option<(&str, u32)> {
    let (name, low) = name.rsplit_once('_')?;
    let (name, high) = name.rsplit_once('_')?;
    let low = low.parse().ok()?;
    high.parse::<u32>().ok().map(|_| (name, low))
}

#[cfg(test)]
mod tests {
    use engine::layout::{CdWord0, CdWord1};

    use super::*;

    #[test]
    fn fields_have_the_manuals_names() {
        let word = CdWord0::new().with_v(true).with_asid(0x21).with_t0sz(39);
        assert_eq!(fields(&word), ": T0SZ=0x27 V=1 ASID=0x21");
        assert_eq!(fields(&CdWord0::new()), ": all zero");
    }

    #[test]
    fn parts_of_addresses_are_told_as_addresses() {
        let word = CdWord1::new().with_ttb0_51_4(0x2000);
        assert_eq!(fields(&word), ": TTB0=0x20000");
        let word = Descriptor::new().with_valid(true).with_ng(true);
        let word = word.with_ap(3).with_address_47_12(5);
        assert_eq!(
            leaf(word, ["MemAttr", "S2AP"]),
            ": Valid=1 S2AP=3 nG=1 Address=0x5000"
        );
    }
}
