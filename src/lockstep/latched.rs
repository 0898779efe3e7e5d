//! Words as hardware may have read them: every STE and CD that the words which are cached for a slot add up to.
//!
//! An entry is read word by word and kept word by word, so that what is in use is any combination. Of each combination it is said which
//! words of memory a fetch of it would have to find, and where: an engine that is given these words fetches just that entry.

use model::caches::{GLOBAL, cd0, cd1, ste0, ste1, ste2, tag, values};
use model::state::descriptor;
use model::{Machine, State};
use vocab::{Asid, Frame, Page, Slot, Space, Viommu, Vm, Vmid};

use super::{encode, map};

/// The values of a word that are cached; if there is none, what memory holds.
const fn latched(cached: u8, word: u8) -> u8 {
    if cached == 0 { 1 << word } else { cached }
}

/// Words of memory: addresses and what is there.
pub type Words = Vec<(u64, u64)>;

/// One combination.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The words of the STE, of the CD, and those of stage 2 that lead a fetch of the CD to another VM's memory.
    pub words: Words,
    /// What the STE says: whose CD table, if any.
    pub table: Option<Viommu>,
    /// Which VMID, and whose stage 2.
    pub stage_2: Option<(Vmid, Vm)>,
    /// In whose memory tables are found.
    pub reader: Option<Vm>,
    /// Whether EATS=1, and the STE does not abort.
    pub eats: bool,
    /// What the CD says: its ASID and whether a walk is possible.
    pub asid: Option<(Asid, bool)>,
    /// And its tables.
    pub space: Option<Space>,
}

impl Entry {
    /// Every combination for a slot.
    pub fn all(machine: &Machine, state: &State, slot: Slot) -> Vec<Entry> {
        let device = machine.device_of(slot);
        let place = device.index();
        let caches = &state.caches;
        let mut entries = Vec::new();
        let memory = &state.memory;
        let words0 = latched(caches.ste0[place], memory.ste0[place]);
        let words1 = latched(caches.ste1[place], memory.ste1[place]);
        let words2 = latched(caches.ste2[place], memory.ste2[place]);
        for word0 in values(words0) {
            for word1 in values(words1) {
                for word2 in values(words2) {
                    let [raw2, raw3] = encode::ste_words2(word2);
                    let at = map::ste(device);
                    let ste = Entry {
                        words: vec![
                            (at, encode::ste_word0(device, word0)),
                            (at + 8, encode::ste_word1(machine, word1)),
                            (at + 16, raw2),
                            (at + 24, raw3),
                        ],
                        table: ste0::table(word0),
                        stage_2: ste2::decode(word2),
                        reader: None,
                        eats: 1 << word1 & ste1::EATS != 0 && word0 != ste0::ABORT,
                        asid: None,
                        space: None,
                    };
                    ste.with_cds(machine, state, slot, &mut entries);
                }
            }
        }
        entries
    }

    /// This STE with every CD that it may lead to; alone if it leads to none.
    fn with_cds(self, machine: &Machine, state: &State, slot: Slot, entries: &mut Vec<Entry>) {
        let caches = &state.caches;
        let (Some(table), Some((vmid, vm))) = (self.table, self.stage_2) else {
            entries.push(self);
            return;
        };
        let (place, memory) = (descriptor(table, slot), &state.memory);
        let words0 = latched(caches.cd0[slot.index()], memory.cd0[place]);
        let words1 = latched(caches.cd1[slot.index()], memory.cd1[place]);
        let device = machine.device_of(slot);
        let index = u64::from(encode::index(machine, slot).0);
        let cd = map::cd_table(table, device) + index * 64;
        for reader in values(caches.s2_tables[vmid.index()] | 1 << vm.0).map(Vm) {
            let found = Entry {
                reader: Some(reader),
                ..self.clone()
            };
            for word0 in values(words0) {
                for word1 in values(words1) {
                    let mut entry = found.clone();
                    let at = map::physical(reader, cd);
                    entry.words.push((at, encode::cd_word0(word0)));
                    entry.words.push((at + 8, encode::cd_word1(word1)));
                    entry.words.extend(entry.leading(cd));
                    entry.asid = cd0::decode(word0);
                    entry.space = (word1 != cd1::NONE).then(|| Space(word1 - 1));
                    entries.push(entry);
                }
            }
        }
    }

    /// What leads a fetch at an intermediate address to the reader's memory, if it is not where the STE's own stage 2 leads.
    pub fn leading(&self, ipa: u64) -> Option<(u64, u64)> {
        let ((_, vm), reader) = (self.stage_2?, self.reader?);
        let page = ipa / map::PAGE * map::PAGE;
        (reader != vm).then(|| {
            let leaf = map::stage_2(vm) + map::PAGE + ipa / map::PAGE * 8;
            (leaf, encode::stage_2_leaf(map::physical(reader, page)))
        })
    }

    /// Whether the TLB has a frame for what this entry leads to.
    pub fn hits(&self, state: &State, page: Page, frame: Frame) -> bool {
        let (Some((vmid, _)), Some((asid, _))) = (self.stage_2, self.asid) else {
            return false;
        };
        let mut tags = [asid, GLOBAL].into_iter().map(|asid| tag(vmid, asid, page));
        tags.any(|cell| state.caches.tlb[cell] >> frame.0 & 1 == 1)
    }

    /// Whether a walk with this entry may yield a stage-1 result under a tag.
    pub fn walks(&self, vmid: Vmid, asid: Asid, space: Space) -> bool {
        let under = |(own, walks): (Asid, bool)| walks && (asid == GLOBAL || own == asid);
        self.stage_2.is_some_and(|(own, _)| own == vmid)
            && self.asid.is_some_and(under)
            && self.space == Some(space)
    }
}
