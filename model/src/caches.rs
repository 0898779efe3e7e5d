//! What caches hold: for every tag the set of values that are, or may be, cached under it.
//!
//! Manual     Arm IHI 0070 G.b, 3.21 "Structure access rules and update procedures", 3.17 "TLB tagging, VMIDs, ASIDs and
//!            participation in broadcast TLB maintenance", 3.9 "Support for PCI Express, PASIDs, PRI, and ATS", chapter 4.
//! Modelled   STE and CD words, stage-1 entries, stage-2 entries, combined entries, ATC entries, and their tags.
//! Left out   levels above the leaf, ASET, capacity (any subset may be dropped at any time).
//!
//! A cell is one tag; each bit of it is one value. In the saturated mode a set bit says that some cache of the SMMU (or the ATC)
//! may hold that value now; in the scheduled mode that one does.

use bytemuck::{Pod, Zeroable};

use vocab::{Asid, Ipa, Page, Slot, Space, Viommu, Vm, Vmid};

use crate::machine::limit;

/// The sets, tag by tag.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Caches {
    /// Stage-1 entries, tag {VMID, ASID or [`GLOBAL`], page}: which intermediate page, and (a ghost) which space's tables said so.
    pub s1: [u16; TAGS],
    /// TTB0 as TLB entries remember it, tag {VMID, ASID, page}: of which spaces, as a bit set. Where a walk may begin whatever a CD says.
    pub ttb: [u8; TAGS],
    /// Word 0 of STEs, tag {StreamID}: [`ste0`] values.
    pub ste0: [u8; limit::DEVICES],
    /// Word 1 of STEs: [`ste1`] values.
    pub ste1: [u8; limit::DEVICES],
    /// Words 2 and 3 of STEs: [`ste2`] values, each pair of what may be latched of the one and of the other.
    pub ste2: [u8; limit::DEVICES],
    /// Word 0 of CDs, tag {StreamID, SubstreamID}: [`cd0`] values.
    pub cd0: [u8; limit::SLOTS],
    /// Word 1 of CDs: [`cd1`] values.
    pub cd1: [u8; limit::SLOTS],
    /// Stage-2 entries, tag {VMID, ipa}: which frames.
    pub s2: [u8; limit::VMIDS * limit::IPAS],
    /// Stage-2 entries of the pages that hold CD and stage-1 tables, and S2TTBs as entries remember them, tag {VMID}: which VMs' stage 2
    /// they are of. Those pages are never reclaimed, so that nothing need be told of them while there is one VM.
    pub s2_tables: [u8; limit::VMIDS],
    /// Combined entries, tag {VMID, ASID or [`GLOBAL`], page}: which frames.
    pub tlb: [u8; TAGS],
    /// ATC entries, tag {StreamID, SubstreamID or none, page}: which frames. No ASID: that is the difficulty of the strong ASID
    /// model. Where traffic without SubstreamID uses CD 0, the slot of SSID 0 is that traffic's.
    pub atc: [u8; limit::SLOTS * limit::PAGES],
}

/// Values of STE word 0, {V, Config, S1ContextPtr}.
pub mod ste0 {
    use super::{Viommu, limit};

    /// V=0 or Config=abort.
    pub const ABORT: u8 = 0;

    /// Config=nested with the CD table of a vIOMMU.
    pub const fn nested(viommu: Viommu) -> u8 {
        1 + viommu.0
    }

    /// Config=0b110: stage 1 is bypassed, stage 2 translates. No CD table is read.
    pub const S2_TRANS: u8 = 1 + limit::VIOMMUS as u8;

    /// The vIOMMU whose CD table a word points to, if it points to one.
    pub const fn table(word: u8) -> Option<Viommu> {
        match word {
            ABORT | S2_TRANS => None,
            table => Some(Viommu(table - 1)),
        }
    }

    /// The set of words that point to a CD table.
    pub const TABLES: u8 = ((1 << S2_TRANS) - 1) & !(1 << ABORT);
}

/// Values of STE word 1, {EATS, S1DSS}. Where no traffic without SubstreamID is bypassed, S1DSS is what the axis says, and 0 here.
pub mod ste1 {
    use super::bit;

    /// EATS, and whether S1DSS says that traffic without SubstreamID bypasses stage 1.
    pub const fn new(eats: bool, bypass: bool) -> u8 {
        eats as u8 | (bypass as u8) << 1
    }

    /// The set of words with EATS=1.
    pub const EATS: u8 = bit(new(true, false)) | bit(new(true, true));

    /// The set of words with S1DSS=0b01.
    pub const BYPASSES: u8 = bit(new(false, true)) | bit(new(true, true));

    /// EATS and whether S1DSS=0b01, of a word.
    pub const fn decode(word: u8) -> (bool, bool) {
        (word & 1 != 0, word & 2 != 0)
    }
}

/// Values of STE words 2 and 3, {S2VMID} and {S2TTB}: software writes them in one step, hardware reads each by itself.
pub mod ste2 {
    use super::{Vm, Vmid, bit, limit, values};

    /// Nothing was written yet.
    pub const NONE: u8 = 0;

    /// A VMID and the stage 2 of a VM.
    pub const fn new(vmid: Vmid, vm: Vm) -> u8 {
        1 + vmid.0 * limit::VMS as u8 + vm.0
    }

    /// What [`new`] was given.
    pub const fn decode(word: u8) -> Option<(Vmid, Vm)> {
        match word {
            NONE => None,
            word => {
                let pair = word - 1;
                Some((Vmid(pair / limit::VMS as u8), Vm(pair % limit::VMS as u8)))
            }
        }
    }

    /// Every VMID of a set of values with every stage 2 of it. A word 2 or 3 of zeros is ILLEGAL with any other word.
    pub fn pairs(set: u8) -> u8 {
        let written = || values(set).filter_map(decode);
        written().fold(0, |pairs, (vmid, _)| {
            written().fold(pairs, |pairs, (_, vm)| pairs | bit(new(vmid, vm)))
        })
    }
}

/// Values of CD word 0, {V, EPD0, ASID}.
pub mod cd0 {
    use super::{Asid, limit};

    /// V=0.
    pub const INVALID: u8 = 0;

    /// V=1, EPD0=0.
    pub const fn valid(asid: Asid) -> u8 {
        1 + asid.0
    }

    /// V=1, EPD0=1: TLB hits are possible, walks are not (Arm IHI 0070 G.b, 5.4 "Context Descriptor", EPD0).
    pub const fn epd(asid: Asid) -> u8 {
        1 + limit::ASIDS as u8 + asid.0
    }

    /// The set of words with which a walk is possible.
    pub const WALKS: u8 = ((1 << limit::ASIDS) - 1) << valid(Asid(0));

    /// The ASID of a word with V=1, and whether a walk is possible with it.
    pub const fn decode(word: u8) -> Option<(Asid, bool)> {
        match word {
            INVALID => None,
            w if w <= limit::ASIDS as u8 => Some((Asid(w - 1), true)),
            w => Some((Asid(w - 1 - limit::ASIDS as u8), false)),
        }
    }
}

/// Values of CD word 1, {TTB0}.
pub mod cd1 {
    use super::Space;

    /// No table.
    pub const NONE: u8 = 0;

    /// The tables of a space.
    pub const fn ttb(space: Space) -> u8 {
        1 + space.0
    }
}

/// The set of one value.
pub const fn bit(value: u8) -> u8 {
    1 << value
}

/// The values in a set, smallest first.
pub fn values(set: u8) -> impl Iterator<Item = u8> {
    let mut rest = set;
    std::iter::from_fn(move || {
        let smallest = rest.trailing_zeros() as u8;
        let is_some = rest != 0;
        rest &= rest.wrapping_sub(1);
        is_some.then_some(smallest)
    })
}

/// In the place of an ASID: entries from leaves with nG=0, which hit for every ASID of their VMID (3.17, "global").
pub const GLOBAL: Asid = Asid(limit::ASIDS as u8);

/// How many cells there are for {VMID, ASID or global, page}.
pub const TAGS: usize = limit::VMIDS * (limit::ASIDS + 1) * limit::PAGES;

/// The cell of {VMID, ASID, page}; of {VMID, page} if the ASID is [`GLOBAL`].
pub const fn tag(vmid: Vmid, asid: Asid, page: Page) -> usize {
    (vmid.index() * (limit::ASIDS + 1) + asid.index()) * limit::PAGES + page.index()
}

/// What a cell of [`tag`] is the cell of.
pub const fn tag_of(cell: usize) -> (Vmid, Asid, Page) {
    let (row, page) = (cell / limit::PAGES, cell % limit::PAGES);
    let (vmid, asid) = (row / (limit::ASIDS + 1), row % (limit::ASIDS + 1));
    (Vmid(vmid as u8), Asid(asid as u8), Page(page as u8))
}

/// The cell of {VMID, ipa}.
pub const fn s2_tag(vmid: Vmid, ipa: Ipa) -> usize {
    vmid.index() * limit::IPAS + ipa.index()
}

/// The cell of {StreamID, SubstreamID, page}.
pub const fn atc_tag(slot: Slot, page: Page) -> usize {
    slot.index() * limit::PAGES + page.index()
}

/// The set of one stage-1 result.
pub const fn s1_bit(space: Space, ipa: Ipa) -> u16 {
    1 << (space.index() * limit::IPAS + ipa.index())
}

/// The intermediate pages in a set of stage-1 results, whichever space said so.
pub const fn s1_ipas(set: u16) -> u8 {
    let mut ipas = 0;
    let mut space = 0;
    while space < limit::SPACES {
        ipas |= set >> (space * limit::IPAS) & ((1 << limit::IPAS) - 1);
        space += 1;
    }
    ipas as u8
}

/// The spaces in a set of stage-1 results, as a bit set.
pub const fn s1_spaces(set: u16) -> u8 {
    let mut spaces = 0;
    let mut space = 0;
    while space < limit::SPACES {
        if set >> (space * limit::IPAS) & ((1 << limit::IPAS) - 1) != 0 {
            spaces |= 1 << space;
        }
        space += 1;
    }
    spaces
}

/// The CD word 1 values that point to one of a bit set of spaces.
pub const fn descriptor_values(spaces: u8) -> u8 {
    spaces << cd1::ttb(Space(0))
}

/// Size of [`Caches`] in bytes: the range of [`Caches::bits`].
pub const BYTES: usize = size_of::<Caches>();

impl Caches {
    fn zip(&self, other: &Self, op: impl Fn(u8, u8) -> u8) -> Self {
        let mut result = *self;
        let theirs: &[u8; BYTES] = bytemuck::cast_ref(other);
        let mine: &mut [u8; BYTES] = bytemuck::cast_mut(&mut result);
        for (mine, theirs) in mine.iter_mut().zip(theirs) {
            *mine = op(*mine, *theirs);
        }
        result
    }

    /// What either holds.
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// What both hold.
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// What this holds and the other does not.
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Whether the other holds all of this.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        bytemuck::bytes_of(self).iter().all(|&byte| byte == 0)
    }

    /// How many entries it holds.
    pub fn count(&self) -> u32 {
        bytemuck::bytes_of(self)
            .iter()
            .map(|byte| byte.count_ones())
            .sum()
    }

    /// How many tags it holds anything under, tables apart, which no command names by themselves. All words of an STE are one entry, and all words of a CD: a command that hits one hits all.
    pub fn tags(&self) -> u32 {
        let words = |arrays: [&[u8]; 3]| {
            let [first, second, third] = arrays;
            let places = first.iter().zip(second).zip(third);
            places
                .filter(|((first, second), third)| **first | **second | **third != 0)
                .count()
        };
        let some = |cells: &[u8]| cells.iter().filter(|&&cell| cell != 0).count();
        let tags = self.s1.iter().filter(|&&cell| cell != 0).count()
            + some(&self.s2)
            + some(&self.tlb)
            + some(&self.atc)
            + words([&self.ste0, &self.ste1, &self.ste2])
            + words([&self.cd0, &self.cd1, &self.cd1]);
        tags as u32
    }

    /// Every entry it holds, as (byte, bit): the names that hardware's own steps give to entries.
    pub fn bits(&self) -> impl Iterator<Item = (u8, u8)> {
        bytemuck::cast::<Self, [u8; BYTES]>(*self)
            .into_iter()
            .enumerate()
            .flat_map(|(byte, set)| values(set).map(move |bit| (byte as u8, bit)))
    }

    /// The set of one entry, by its name.
    pub fn one(byte: u8, bit: u8) -> Self {
        let mut bytes = [0u8; BYTES];
        bytes[byte as usize] = 1 << bit;
        bytemuck::cast(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_their_cells() {
        assert!(cd0::epd(Asid(limit::ASIDS as u8 - 1)) < 8);
        assert!(cd1::ttb(Space(limit::SPACES as u8 - 1)) < 8);
        assert!(ste0::nested(Viommu(limit::VIOMMUS as u8 - 1)) < ste0::S2_TRANS);
        const { assert!(ste0::S2_TRANS < 8) }
        assert!(ste2::new(Vmid(limit::VMIDS as u8 - 1), Vm(limit::VMS as u8 - 1)) < 8);
        const { assert!(limit::SPACES * limit::IPAS <= 16 && limit::VMS * limit::IPAS <= 8) }
        const { assert!(TAGS <= 16, "a set of tags is a u16") }
    }

    #[test]
    fn every_cell_is_the_cell_of_its_tag() {
        for cell in 0..TAGS {
            let (vmid, asid, page) = tag_of(cell);
            assert_eq!(tag(vmid, asid, page), cell);
            assert!(vmid.index() < limit::VMIDS && asid.0 <= GLOBAL.0);
        }
    }

    #[test]
    fn cd_word_0_decodes_to_what_was_encoded() {
        assert_eq!(cd0::decode(cd0::INVALID), None);
        for asid in (0..limit::ASIDS as u8).map(Asid) {
            assert_eq!(cd0::decode(cd0::valid(asid)), Some((asid, true)));
            assert_eq!(cd0::decode(cd0::epd(asid)), Some((asid, false)));
            assert_eq!(
                cd0::WALKS & (bit(cd0::valid(asid)) | bit(cd0::epd(asid))),
                bit(cd0::valid(asid))
            );
        }
    }

    #[test]
    fn descriptors_are_one_tag_each_whatever_their_words_hold() {
        let all = Caches::default().zip(&Caches::default(), |_, _| 0xff);
        // What `s2_tables` and `ttb` have is no tag that a command names by itself.
        let cells = all.s1.len() + all.s2.len() + all.tlb.len() + all.atc.len();
        let tags = cells + limit::DEVICES + limit::SLOTS;
        assert_eq!(all.tags() as usize, tags);
        let mut caches = Caches::default();
        assert_eq!(caches.tags(), 0);
        caches.cd1[1] = 0b11;
        caches.cd0[1] = 0b1;
        caches.ste2[0] = 0b1;
        caches.atc[3] = 0b11;
        assert_eq!(caches.tags(), 3);
    }

    #[test]
    fn an_entry_has_one_name() {
        let all = Caches::default().zip(&Caches::default(), |_, _| 0xff);
        assert_eq!(all.bits().count() as u32, all.count());
        for (byte, bit) in all.bits() {
            assert_eq!(
                Caches::one(byte, bit).bits().collect::<Vec<_>>(),
                [(byte, bit)]
            );
        }
    }
}
