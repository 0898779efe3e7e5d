//! What a number of runs has met, and what it has to have met.

use std::collections::{BTreeMap, BTreeSet};

/// Names of what [`super::unit::Unit::counts`] counts.
const CACHES: [&str; 5] = ["translations", "stage 2", "STEs", "CDs", "ATCs"];

#[derive(Debug, Default)]
pub struct Coverage {
    pub runs: u64,
    pub operations: u64,
    pub accesses: u64,
    /// Accesses of which more than one answer was allowed; of which the answer was not that of the present.
    pub open: u64,
    pub stale: u64,
    pub timeouts: u64,
    pub overflows: u64,
    /// Accesses of hostile guests' devices, and those of them that reached something.
    pub isolated: u64,
    pub reached: u64,
    accepted: BTreeMap<u8, u64>,
    refused: BTreeMap<u8, u64>,
    events: BTreeMap<u8, u64>,
    counts: [(u64, u64); 5],
    /// Stage, granule, level of leaves that translated something.
    leaves: BTreeSet<(u8, u8, u8)>,
}

impl Coverage {
    pub fn accepted(&mut self, words: [u64; 2]) {
        *self.accepted.entry(words[0] as u8).or_default() += 1;
    }

    pub fn refused(&mut self, words: [u64; 2]) {
        *self.refused.entry(words[0] as u8).or_default() += 1;
    }

    pub fn recorded(&mut self, record: &[u64; 4]) {
        *self.events.entry(record[0] as u8).or_default() += 1;
    }

    pub fn cached(&mut self, counts: [(u64, u64); 5]) {
        for (all, one) in self.counts.iter_mut().zip(counts) {
            *all = (all.0 + one.0, all.1 + one.1);
        }
    }

    pub fn used(&mut self, stage: u8, granule: u8, level: u8) {
        self.leaves.insert((stage, granule, level));
    }

    /// What is missing of what there should be.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut want = |has: bool, what: String| {
            if !has {
                missing.push(what);
            }
        };
        // All that an SMMU without PRI has; 0x41 CMD_PRI_RESP needs it.
        let accepted = [
            0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x28, 0x2a, 0x30, 0x40,
            0x44, 0x45, 0x46,
        ];
        for opcode in accepted {
            want(
                self.accepted.contains_key(&opcode),
                format!("command {opcode:#04x} accepted"),
            );
        }
        // 0x10, 0x11, 0x28 have nothing that could be wrong while both stages are there, 0x30 never: see `without_a_stage`.
        let refused = [
            0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x28, 0x2a, 0x40, 0x41,
            0x44, 0x45, 0x46,
        ];
        for opcode in refused {
            want(
                self.refused.contains_key(&opcode),
                format!("command {opcode:#04x} refused"),
            );
        }
        // F_UUT, F_TLB_CONFLICT, F_CFG_CONFLICT, E_PAGE_REQUEST and F_VMS_FETCH do not occur in the engine: it carries out every kind of
        // transaction that can be asked of it, its caches cannot hold two entries for one address, and it has neither PRI nor VMS.
        for event in [
            0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13,
        ] {
            want(
                self.events.contains_key(&event),
                format!("event {event:#04x}"),
            );
        }
        for (name, (hits, misses)) in CACHES.iter().zip(self.counts) {
            want(hits > 0, format!("a hit: {name}"));
            want(misses > 0, format!("a miss: {name}"));
        }
        for stage in [1, 2] {
            for (granule, levels) in [(12, 1..=3), (14, 2..=3), (16, 1..=3)] {
                for level in levels {
                    let leaf = (stage, granule, level);
                    want(
                        self.leaves.contains(&leaf),
                        format!("a leaf of (stage, granule, level) {leaf:?}"),
                    );
                }
            }
        }
        want(self.timeouts > 0, "CERROR_ATC_INV_SYNC".into());
        want(self.overflows > 0, "an overflow of the event queue".into());
        want(self.stale > 0, "an answer of the past".into());
        missing
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |counts: &BTreeMap<u8, u64>| {
            let counts = counts
                .iter()
                .map(|(what, count)| format!("{what:#04x} {count}"));
            counts.collect::<Vec<_>>().join(", ")
        };
        writeln!(
            f,
            "{} runs, {} operations, {} accesses: {} with more than one answer, {} answered from the past",
            self.runs, self.operations, self.accesses, self.open, self.stale
        )?;
        writeln!(f, "commands accepted: {}", counted(&self.accepted))?;
        writeln!(f, "commands refused: {}", counted(&self.refused))?;
        writeln!(f, "events: {}", counted(&self.events))?;
        writeln!(
            f,
            "{} overflows of the event queue, {} time-outs; {} accesses of hostile guests' devices, {} of which reached something",
            self.overflows, self.timeouts, self.isolated, self.reached
        )?;
        for (name, (hits, misses)) in CACHES.iter().zip(self.counts) {
            writeln!(f, "{name}: {hits} hits, {misses} misses")?;
        }
        write!(f, "leaves of (stage, granule, level): {:?}", self.leaves)
    }
}
