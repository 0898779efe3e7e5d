//! What may still be seen of what is no longer there.
//!
//! A location of memory (an STE, a CD, a descriptor of either stage, an L1STD, an L1CD) has one value, and beside it those that a cache
//! may still hold. Whoever changes a location opens a [`Record`]: the stages of invalidation after which nothing derived from the old
//! value is left, in the order in which they count. A stage is done when commands that cover all that it needs have been consumed and a
//! CMD_SYNC of their queue has completed; commands of a stage that is not yet due are not counted, for caches may be filled again from
//! those of the stage before it (Arm IHI 0070, 3.21.3; 3.9.1 for TLBI, CMD_SYNC, CMD_ATC_INV, CMD_SYNC).

use std::collections::BTreeMap;

use engine::layout::Command;

use super::need::Need;

/// A location: its value, and earlier ones with the record that says how long they may be seen.
#[derive(Clone, Debug)]
pub struct Past<T> {
    pub now: T,
    past: Vec<(T, RecordId)>,
}

impl<T: PartialEq> Past<T> {
    pub fn new(now: T) -> Self {
        Past {
            now,
            past: Vec::new(),
        }
    }

    /// A new value; the old one may be seen as long as `record` is open.
    pub fn set(&mut self, now: T, record: Option<RecordId>) {
        let old = std::mem::replace(&mut self.now, now);
        self.past.extend(record.map(|record| (old, record)));
    }

    /// What may be seen.
    pub fn seen<'a>(&'a self, pending: &'a Pending, by: View) -> impl Iterator<Item = &'a T> {
        let old = self
            .past
            .iter()
            .filter(move |(_, record)| pending.shows(*record, by));
        std::iter::once(&self.now).chain(old.map(|(value, _)| value))
    }

    /// Whether nothing but the present value can be seen by anyone.
    pub fn settled(&self, pending: &Pending) -> bool {
        self.seen(pending, View::Atc).count() == 1
    }
}

/// Names a change that was not yet followed by all its invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(u64);

/// Through whose eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// A transaction that stage 2 alone translates.
    Stage2,
    /// Any untranslated transaction.
    Smmu,
    /// What a device may have in its ATC.
    Atc,
}

/// The stages of invalidation that a change asks for.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    /// Each a set of needs.
    pub needs: Vec<Vec<Need>>,
    /// After how many the old value is gone for those that stage 2 alone translates.
    pub stage2: usize,
    /// After how many it is gone for untranslated transactions.
    pub smmu: usize,
}

/// A change that is not yet followed.
#[derive(Debug)]
struct Record {
    stages: Stages,
    /// How many are done.
    done: usize,
    /// For the needs of the stage that is due, and of later ones that the same command covered: the queue that has a command for it.
    issued: Vec<Vec<Issued>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Issued {
    No,
    In(usize),
    Done,
}

/// All changes that are not yet followed.
#[derive(Debug, Default)]
pub struct Pending {
    records: BTreeMap<RecordId, Record>,
    next: u64,
}

impl Pending {
    /// A change was made.
    pub fn open(&mut self, mut stages: Stages) -> Option<RecordId> {
        // An empty stage is done at once.
        while stages.needs.first().is_some_and(Vec::is_empty) {
            stages.needs.remove(0);
            stages.stage2 = stages.stage2.saturating_sub(1);
            stages.smmu = stages.smmu.saturating_sub(1);
        }
        if stages.needs.is_empty() {
            return None;
        }
        let id = RecordId(self.next);
        self.next += 1;
        let issued = stages
            .needs
            .iter()
            .map(|needs| vec![Issued::No; needs.len()])
            .collect();
        let record = Record {
            stages,
            done: 0,
            issued,
        };
        self.records.insert(id, record);
        Some(id)
    }

    /// Whether an old value may still be seen.
    pub fn shows(&self, id: RecordId, by: View) -> bool {
        self.records.get(&id).is_some_and(|record| match by {
            View::Stage2 => record.done < record.stages.stage2,
            View::Smmu => record.done < record.stages.smmu,
            View::Atc => true,
        })
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A command was put into a queue.
    pub fn command(&mut self, queue: usize, command: &Command) {
        for record in self.records.values_mut() {
            for stage in record.done..record.stages.needs.len() {
                let needs = &record.stages.needs[stage];
                let mut whole = true;
                for (need, issued) in needs.iter().zip(&mut record.issued[stage]) {
                    if !need.covered_by(command) {
                        whole = false;
                    } else if *issued == Issued::No {
                        *issued = Issued::In(queue);
                    }
                }
                // What one command forgets together needs no second one.
                if !whole {
                    break;
                }
            }
        }
    }

    /// A CMD_SYNC of a queue has completed.
    pub fn synced(&mut self, queue: usize) {
        for record in self.records.values_mut() {
            for issued in record.issued.iter_mut().flatten() {
                if *issued == Issued::In(queue) {
                    *issued = Issued::Done;
                }
            }
            let done = |stage: &Vec<Issued>| stage.iter().all(|issued| *issued == Issued::Done);
            while record.issued.get(record.done).is_some_and(done) {
                record.done += 1;
            }
        }
        self.records
            .retain(|_, record| record.done < record.stages.needs.len());
    }

    /// Devices did not answer the CMD_ATC_INVs in a queue.
    pub fn timed_out(&mut self, queue: usize) {
        for record in self.records.values_mut() {
            for (needs, issued) in record.stages.needs.iter().zip(&mut record.issued) {
                for (need, issued) in needs.iter().zip(issued) {
                    if *issued == Issued::In(queue) && matches!(need, Need::Atc { .. }) {
                        *issued = Issued::No;
                    }
                }
            }
        }
    }

    /// What is to be covered next, by no command yet: of the `nth` record (modulo their number), or of all.
    pub fn due(&self, nth: Option<usize>) -> Vec<Need> {
        let due = |record: &Record| {
            let stage = record.done;
            let needs = record.stages.needs[stage].iter().zip(&record.issued[stage]);
            needs
                .filter(|(_, issued)| **issued == Issued::No)
                .map(|(need, _)| *need)
                .collect::<Vec<_>>()
        };
        match nth {
            None => self.records.values().flat_map(due).collect(),
            Some(_) if self.records.is_empty() => Vec::new(),
            Some(nth) => {
                let record = self.records.values().nth(nth % self.records.len());
                record.map(due).unwrap_or_default()
            }
        }
    }
}
