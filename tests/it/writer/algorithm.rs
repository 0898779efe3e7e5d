//! The algorithm: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_write_entry, from its description.
//!
//! A bit may change at any time if hardware ignores it under the entry as it is. So compare what the old and the new configuration use. If
//! all that both use and that differs lies in one word, write what the old one ignores, then that word, then what the new one ignores.
//! Otherwise no order is right: make the entry invalid, write all but word 0, write word 0. Behind each of the three: CFGI and SYNC, if
//! anything was written. *Safe* bits are used by both and may change at any time nevertheless.

use super::entry::Entry;

/// What the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A 64-bit store.
    Store(usize, u64),
    /// CMD_CFGI_STE or CMD_CFGI_CD, and CMD_SYNC.
    Sync,
}

/// What the driver knows of a kind of entry.
#[derive(Clone, Copy)]
pub struct Rules {
    /// V, in word 0.
    pub valid: u64,
    /// The bits that hardware does not ignore.
    pub used: fn(&Entry) -> Entry,
    /// The bits that may change at any time between an old and a new entry that both use them.
    pub safe: fn(&Entry, &Entry) -> Entry,
}

/// The stores and syncs that turn `old` into `new`.
pub fn update(rules: Rules, old: &Entry, new: &Entry) -> Vec<Action> {
    let (used_before, used_after) = ((rules.used)(old), (rules.used)(new));
    let safe = (rules.safe)(old, new);
    let both = |word: usize| used_before[word] & used_after[word];
    // The new value of every bit that hardware does not look at, or not closely; the old one of all others.
    let kept: Entry = std::array::from_fn(|word| used_before[word] & !(safe[word] & both(word)));
    let mut prepared: Entry =
        std::array::from_fn(|word| old[word] & kept[word] | new[word] & !kept[word]);
    let differs = |word: &usize| (prepared[*word] ^ new[*word]) & used_after[*word] != 0;
    let critical: Vec<usize> = (0..old.len()).filter(differs).collect();
    let mut writer = Writer::new(old);
    match critical[..] {
        [] => writer.write(0..8, new),
        [word] => {
            // It is written next anyway.
            prepared[word] = old[word];
            writer.write(0..8, &prepared);
            writer.write(word..word + 1, new);
            writer.write(0..8, new);
        }
        _ => {
            writer.write(0..1, &[0; 8]);
            writer.write(1..8, new);
            writer.write(0..1, new);
        }
    }
    writer.actions
}

/// The entry in memory, and what was done to it.
struct Writer {
    memory: Entry,
    actions: Vec<Action>,
}

impl Writer {
    fn new(old: &Entry) -> Self {
        Writer {
            memory: *old,
            actions: Vec::new(),
        }
    }

    /// Writes the words that differ; syncs if any did.
    fn write(&mut self, words: std::ops::Range<usize>, new: &Entry) {
        let before = self.actions.len();
        for word in words
            .filter(|&word| self.memory[word] != new[word])
            .collect::<Vec<_>>()
        {
            self.memory[word] = new[word];
            self.actions.push(Action::Store(word, new[word]));
        }
        if self.actions.len() != before {
            self.actions.push(Action::Sync);
        }
    }
}

/// How often a sequence syncs.
pub fn syncs(actions: &[Action]) -> usize {
    actions
        .iter()
        .filter(|action| **action == Action::Sync)
        .count()
}

/// Whether hardware is never told of an entry with V=0.
pub fn is_hitless(rules: Rules, old: &Entry, actions: &[Action]) -> bool {
    let mut word0 = old[0];
    actions.iter().all(|action| match *action {
        Action::Store(0, value) => {
            word0 = value;
            true
        }
        Action::Store(..) => true,
        Action::Sync => word0 & rules.valid != 0,
    })
}
