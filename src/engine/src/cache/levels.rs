//! Level-1 descriptors of stream tables and CD tables.
//!
//! Manual     Arm IHI 0070, 3.21.3 "Configuration structures and configuration invalidation completion", 4.3: CFGI_STE and CFGI_CD with
//!            Leaf = 0 are about level-1 descriptors, too; with Leaf = 1 they may stay. CFGI_STE drops every L1CD of its stream.
//! Kept       as they were read: an L1CD is an IPA if stage 2 translates, and is followed through it each time. Invalid L1CDs are kept
//!            too, as the manual lets an SMMU do; whoever makes one valid says CFGI_CD with Leaf = 0. Invalid L1STDs are not: Linux's driver
//!            fills them while devices may knock, and says CFGI_STE with Leaf = 1 (`arm_smmu_init_l2_strtab`, `arm_smmu_sync_ste_for_sid`).
//! Capacity   [`CAPACITY`] of each kind; the oldest gives way.

use std::collections::VecDeque;

use crate::ids::StreamId;
use crate::layout::{Command, L1Cd, L1Std};
use crate::mutant::{Mutant, on};

/// Descriptors of each kind.
const CAPACITY: usize = 16;

/// A few descriptors, oldest first.
#[derive(Debug)]
struct Few<K, V>(VecDeque<(K, V)>);

impl<K: PartialEq, V: Copy> Few<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let (_, found) = self.0.iter().find(|(known, _)| known == key)?;
        Some(*found)
    }

    fn put(&mut self, key: K, value: V) {
        self.forget(|known| *known == key);
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((key, value));
    }

    fn forget(&mut self, dead: impl Fn(&K) -> bool) {
        self.0.retain(|(key, _)| !dead(key));
    }
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Few(VecDeque::new())
    }
}

/// A level-1 descriptor of the stream table: it stands for 2^`split` StreamIDs.
#[derive(Debug, PartialEq, Eq)]
struct Streams {
    split: u8,
    index: u32,
}

impl Streams {
    fn of(StreamId(sid): StreamId, split: u8) -> Self {
        Streams {
            split,
            index: sid >> split,
        }
    }
}

/// A level-1 descriptor of a stream's CD table: it stands for 2^`leaf_bits` SubstreamIDs.
#[derive(Debug, PartialEq, Eq)]
struct Contexts {
    sid: StreamId,
    leaf_bits: u8,
    index: u32,
}

/// Cached L1STDs and L1CDs.
#[derive(Debug, Default)]
pub struct Levels {
    l1stds: Few<Streams, L1Std>,
    l1cds: Few<Contexts, L1Cd>,
}

impl Levels {
    pub(crate) fn l1std(&self, sid: StreamId, split: u8) -> Option<L1Std> {
        self.l1stds.get(&Streams::of(sid, split))
    }

    pub(crate) fn keep_l1std(&mut self, sid: StreamId, split: u8, l1std: L1Std) {
        if l1std.span() != 0 || on(Mutant::InvalidL1stdKept) {
            self.l1stds.put(Streams::of(sid, split), l1std);
        }
    }

    pub(crate) fn l1cd(&self, sid: StreamId, leaf_bits: u8, ssid: u32) -> Option<L1Cd> {
        let index = ssid >> leaf_bits;
        if on(Mutant::L1cdOfAnyStream) {
            let same = |kept: &Contexts| kept.index == index && kept.leaf_bits == leaf_bits;
            return self
                .l1cds
                .0
                .iter()
                .find(|(kept, _)| same(kept))
                .map(|(_, l1cd)| *l1cd);
        }
        self.l1cds.get(&Contexts {
            sid,
            leaf_bits,
            index,
        })
    }

    pub(crate) fn keep_l1cd(&mut self, sid: StreamId, leaf_bits: u8, ssid: u32, l1cd: L1Cd) {
        let index = ssid >> leaf_bits;
        let key = Contexts {
            sid,
            leaf_bits,
            index,
        };
        self.l1cds.put(key, l1cd);
    }

    /// Forgets what a CFGI command names; other commands do nothing.
    pub fn invalidate(&mut self, command: &Command) {
        match *command {
            Command::CfgiSte { sid, leaf } => {
                self.l1cds.forget(|kept| kept.sid == sid);
                if !leaf && !on(Mutant::CfgiSteSparesL1std) {
                    self.l1stds.forget(|kept| sid.0 >> kept.split == kept.index);
                }
            }
            Command::CfgiSteRange { sid, range } => {
                // 2^(range+1) StreamIDs, aligned; in 64 bits, where range 31 is no overflow.
                let bits = u32::from(range) + 1;
                let named = u64::from(sid.0) >> bits;
                self.l1cds
                    .forget(|kept| u64::from(kept.sid.0) >> bits == named);
                self.l1stds.forget(|kept| {
                    let wider = bits.max(kept.split.into());
                    let first = u64::from(kept.index) << kept.split;
                    first >> wider == u64::from(sid.0) >> wider
                });
            }
            Command::CfgiCd { sid, ssid, leaf } if !leaf && !on(Mutant::CfgiCdSparesL1cd) => self
                .l1cds
                .forget(|kept| kept.sid == sid && ssid.0 >> kept.leaf_bits == kept.index),
            Command::CfgiCdAll { sid } => self.l1cds.forget(|kept| kept.sid == sid),
            _ => {}
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Levels::default();
    }
}
