//! A guest that writes anything into its own memory, at any time: what the model's scribbling and hostile threats allow.
//!
//! Before each observation every word that the guest may write is overwritten with one that its programs could have written for some
//! other purpose. What other words do is not this comparison's question: the engine's own tests put garbage into every structure.

use model::caches::{cd0, cd1};
use model::state::{Memory as Words, State, descriptor, leaf, pte};
use model::{Machine, TableMemory};
use vocab::{Asid, Ipa, Page, Slot, Space, Threat, Viommu};

/// A guest's mind, the same in every run.
pub struct Scribbler(fastrand::Rng);

impl Scribbler {
    /// A scribbler, if guests may scribble.
    pub fn new(machine: &Machine) -> Option<Self> {
        (machine.threat != Threat::Honest).then(|| Scribbler(fastrand::Rng::with_seed(1)))
    }

    /// Memory with other words where a guest may write.
    pub fn scribble(&mut self, machine: &Machine, state: &State) -> Words {
        let mut words = state.memory;
        for space in (0..machine.bounds.spaces).map(Space) {
            for page in (0..machine.bounds.pages).map(Page) {
                words.pte[leaf(space, page)] = self.leaf(machine);
            }
        }
        if machine.axes.cd_table == TableMemory::Guest {
            for viommu in (0..machine.bounds.viommus).map(Viommu) {
                for slot in (0..machine.slots()).map(Slot) {
                    let place = descriptor(viommu, slot);
                    words.cd0[place] = self.word0(machine);
                    words.cd1[place] = self.word1(machine, viommu);
                }
            }
        }
        words
    }

    fn leaf(&mut self, machine: &Machine) -> u8 {
        match self.0.u8(0..=machine.bounds.ipas) {
            0 => pte::NONE,
            ipa => pte::new(Ipa(ipa - 1), self.0.bool()),
        }
    }

    fn word0(&mut self, machine: &Machine) -> u8 {
        let asid = Asid(self.0.u8(0..machine.bounds.asids));
        match self.0.u8(0..4) {
            0 => cd0::INVALID,
            1 => cd0::epd(asid),
            _ => cd0::valid(asid),
        }
    }

    /// A guest's tables are its own: what those of other vIOMMUs are to it is memory like any other.
    fn word1(&mut self, machine: &Machine, viommu: Viommu) -> u8 {
        let own = (0..machine.bounds.spaces)
            .map(Space)
            .filter(|&space| machine.viommu_of(space) == viommu);
        let mut words: Vec<_> = own.map(cd1::ttb).collect();
        words.push(cd1::NONE);
        words[self.0.usize(0..words.len())]
    }
}
