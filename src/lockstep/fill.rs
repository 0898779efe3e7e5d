//! What a step of hardware caches, by the name that the model gives it.

use model::caches::{Caches, s2_tag, tag_of, values};
use model::limit;
use vocab::{Asid, Frame, Ipa, Page, Slot, Space, Vmid};

/// An entry of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// A word of an STE.
    Ste,
    /// A word of a CD.
    Cd,
    /// A stage-1 result.
    Stage1 {
        tag: (Vmid, Asid, Page),
        space: Space,
        ipa: Ipa,
    },
    /// A stage-2 result.
    Stage2 { vmid: Vmid, ipa: Ipa, frame: Frame },
    /// Where a walk has begun.
    Ttb,
    /// Stage-2 results for tables.
    Tables,
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

/// What a name names ([`Caches::bits`]).
pub fn fill(byte: u8, bit: u8) -> Fill {
    let one = Caches::one(byte, bit);
    let find = |cells: &[u8]| {
        let place = cells.iter().position(|cell| *cell != 0)?;
        let value = values(cells[place]).next()?;
        Some((place, value))
    };
    let some = |cells: &[u8]| cells.iter().any(|cell| *cell != 0);
    if some(&one.ste0) || some(&one.ste1) || some(&one.ste2) {
        return Fill::Ste;
    }
    if some(&one.cd0) || some(&one.cd1) {
        return Fill::Cd;
    }
    if let Some(cell) = one.s1.iter().position(|set| *set != 0) {
        let value = one.s1[cell].trailing_zeros() as usize;
        return Fill::Stage1 {
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
        return Fill::Stage2 { vmid, ipa, frame };
    }
    if some(&one.ttb) {
        return Fill::Ttb;
    }
    if some(&one.s2_tables) {
        return Fill::Tables;
    }
    if let Some((cell, frame)) = find(&one.tlb) {
        return Fill::Tlb {
            tag: tag_of(cell),
            frame: Frame(frame),
        };
    }
    let (cell, frame) = find(&one.atc).expect("a name names an entry of some cache");
    Fill::Atc {
        slot: Slot((cell / limit::PAGES) as u8),
        page: Page((cell % limit::PAGES) as u8),
        frame: Frame(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_some_entry() {
        let mut kinds = std::collections::HashSet::new();
        for byte in 0..model::caches::BYTES as u8 {
            for bit in 0..8 {
                kinds.insert(std::mem::discriminant(&fill(byte, bit)));
            }
        }
        assert_eq!(kinds.len(), 8);
    }
}
