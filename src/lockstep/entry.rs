//! One entry of the model's caches, by name: what a step of hardware caches.

use model::caches::{Caches, s2_tag, tag_of, values};
use model::limit;
use vocab::{Asid, Device, Frame, Ipa, Page, Slot, Space, Vmid};

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A word of an STE, with its value.
    Ste(Device, usize, u8),
    /// A word of a CD, with its value.
    Cd(Slot, usize, u8),
    /// A stage-1 result.
    Stage1 {
        tag: (Vmid, Asid, Page),
        space: Space,
        ipa: Ipa,
    },
    /// A stage-2 result.
    Stage2 { vmid: Vmid, ipa: Ipa, frame: Frame },
    /// Stage-2 results for tables.
    Tables(Vmid),
    /// A combined entry.
    Tlb {
        tag: (Vmid, Asid, Page),
        frame: Frame,
    },
    /// An ATC entry.
    Atc {
        slot: Slot,
        page: Page,
        frame: Frame,
    },
}

/// The entry that a name names ([`Caches::bits`]).
pub fn entry(byte: u8, bit: u8) -> Entry {
    let one = Caches::one(byte, bit);
    let find = |cells: &[u8]| {
        let place = cells.iter().position(|cell| *cell != 0)?;
        let value = values(cells[place]).next()?;
        Some((place, value))
    };
    let ste = [&one.ste0, &one.ste1, &one.ste2].map(|words| find(words));
    if let Some((word, (device, value))) = first(&ste) {
        return Entry::Ste(Device(device as u8), word, value);
    }
    let cd = [&one.cd0, &one.cd1].map(|words| find(words));
    if let Some((word, (slot, value))) = first(&cd) {
        return Entry::Cd(Slot(slot as u8), word, value);
    }
    if let Some(cell) = one.s1.iter().position(|set| *set != 0) {
        let value = one.s1[cell].trailing_zeros() as usize;
        return Entry::Stage1 {
            tag: tag_of(cell),
            space: Space((value / limit::IPAS) as u8),
            ipa: Ipa((value % limit::IPAS) as u8),
        };
    }
    if let Some((cell, frame)) = find(&one.s2) {
        let (vmid, ipa) = (
            Vmid((cell / limit::IPAS) as u8),
            Ipa((cell % limit::IPAS) as u8),
        );
        debug_assert!(s2_tag(vmid, ipa) == cell);
        let frame = Frame(frame);
        return Entry::Stage2 { vmid, ipa, frame };
    }
    if let Some((vmid, _)) = find(&one.s2_tables) {
        return Entry::Tables(Vmid(vmid as u8));
    }
    if let Some((cell, frame)) = find(&one.tlb) {
        return Entry::Tlb {
            tag: tag_of(cell),
            frame: Frame(frame),
        };
    }
    let (cell, frame) = find(&one.atc).expect("a name names an entry of some cache");
    Entry::Atc {
        slot: Slot((cell / limit::PAGES) as u8),
        page: Page((cell % limit::PAGES) as u8),
        frame: Frame(frame),
    }
}

fn first<T: Copy>(found: &[Option<T>]) -> Option<(usize, T)> {
    let place = found.iter().position(Option::is_some)?;
    found[place].map(|found| (place, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_some_entry() {
        let mut kinds = std::collections::HashSet::new();
        for byte in 0..model::caches::BYTES as u8 {
            for bit in 0..8 {
                kinds.insert(std::mem::discriminant(&entry(byte, bit)));
            }
        }
        assert_eq!(kinds.len(), 7);
    }
}
