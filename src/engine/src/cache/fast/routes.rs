//! Routes: what a StreamID and SubstreamID lead to, so that a hit looks at one cache line of configuration and one of translations.
//!
//! A route repeats what configuration and owners say, as of a moment ([`Walked::moment`]). A route of another moment is checked and
//! brought up to date before it is used.

use super::pages::Walked;
use super::store::{Pattern, Size, Way, smallest};
use super::structures::Generations;
use crate::access::{Access, Rights, Transaction};
use crate::cache::Route;
use crate::ids::{StreamId, SubstreamId};

const ROUTES_LOG2: u32 = 8;
/// No moment: moments begin at 1.
const NEVER: u64 = 0;

/// Which translations a route leads to, by their owner's slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// Stage-1 or combined ones of a space.
    Space(u32),
    /// Stage 2's alone, of a VM.
    Stage2(u32),
}

/// One route. What every hit needs comes first, in one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
pub(super) struct Known {
    sid: u32,
    ssid: u64,
    /// When what follows was right.
    moment: u64,
    /// Bits that are 0 in addresses of the lower half whose top byte is as it should be. Others are looked at more closely.
    unusual: u64,
    /// Entries of the owner's smallest size, which are looked for first.
    first: Pattern,
    /// The right that an access needs after the STE's overrides, by its write, instruction and privilege bits.
    needs: [Rights; 8],
    slot: Slot,
    /// CD.TBI0 and CD.TBI1.
    tbi: [bool; 2],
    /// Whose entries, and of which sizes.
    owner: u32,
    sizes: u64,
    global_owner: u32,
    global_sizes: u64,
    /// Of the stream's configuration.
    generation: u64,
}

impl Known {
    const EMPTY: Known = Known {
        sid: 0,
        ssid: 0,
        moment: NEVER,
        unusual: u64::MAX,
        first: Pattern::NONE,
        needs: [Rights::ALL; 8],
        slot: Slot::Stage2(0),
        tbi: [false; 2],
        owner: 0,
        sizes: 0,
        global_owner: 0,
        global_sizes: 0,
        generation: 0,
    };

    /// The right that an access needs.
    #[inline]
    pub(super) fn needs(&self, access: Access) -> Rights {
        let bits = u8::from(access.write)
            | u8::from(access.instruction) << 1
            | u8::from(access.privileged) << 2;
        self.needs[usize::from(bits & 7)]
    }

    /// The entry for an address; one without rights if there is none.
    #[inline]
    pub(super) fn find(&self, pages: &Walked, input: u64) -> (Way, Size) {
        if input & self.unusual == 0 {
            match pages.tlb.get(self.first.tag(input)) {
                Some(way) => (way, self.first.size),
                None => self.find_further(pages, input, smallest(self.sizes).1),
            }
        } else {
            self.find_further(pages, input, self.sizes)
        }
    }

    /// The same for any address, among entries of some of the owner's sizes.
    #[inline(never)]
    fn find_further(&self, pages: &Walked, input: u64, sizes: u64) -> (Way, Size) {
        let (store, acceptable) = match self.slot {
            Slot::Space(_) => {
                // Without TBI, bits 63:56 repeat bit 55.
                let top = input as i64 >> 55;
                let repeated = top == 0 || top == -1;
                (&pages.tlb, repeated || self.tbi[(top & 1) as usize])
            }
            // A stage-2 input has no ignored bits: what a tag cannot hold is not found.
            Slot::Stage2(_) => (&pages.ipas, input >> 52 == 0),
        };
        if !acceptable {
            return (Way::EMPTY, self.first.size);
        }
        store
            .find(self.owner, sizes, input)
            .or_else(|| store.find(self.global_owner, self.global_sizes, input))
            .unwrap_or((Way::EMPTY, self.first.size))
    }

    /// Brings a known route up to date, if its configuration still holds and its translations are alive.
    #[inline(never)]
    fn renew(&mut self, generations: &Generations, pages: &Walked) -> Option<()> {
        if self.generation != generations.of(StreamId(self.sid)) {
            return None;
        }
        let sizes = match self.slot {
            Slot::Space(slot) => {
                let (space, vm) = pages.owners.fresh_space(slot)?;
                self.owner = space.owner;
                (self.global_owner, self.global_sizes) = (vm.global_owner, vm.global_sizes);
                space.sizes
            }
            Slot::Stage2(slot) => {
                let vm = pages.owners.fresh_stage2(slot)?;
                self.owner = vm.stage2_owner;
                self.global_sizes = 0;
                vm.stage2_sizes
            }
        };
        self.sizes = sizes;
        self.first = match smallest(sizes) {
            (0, _) => Pattern::NONE,
            (unit, _) => Pattern::new(unit, self.owner),
        };
        self.unusual = match (self.slot, self.tbi[0]) {
            (Slot::Space(_), true) => 1 << 55,
            (Slot::Space(_), false) => 0x1ff << 55,
            (Slot::Stage2(_), _) => u64::MAX,
        };
        self.moment = pages.moment;
        Some(())
    }
}

/// A direct-mapped array of routes.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Box<[Known; 1 << ROUTES_LOG2]>,
    pub(super) generations: Generations,
}

impl Default for Routes {
    fn default() -> Self {
        Routes {
            routes: Box::new([Known::EMPTY; 1 << ROUTES_LOG2]),
            generations: Generations::default(),
        }
    }
}

/// A SubstreamID, or a number that none has.
#[inline]
fn number(ssid: Option<SubstreamId>) -> u64 {
    ssid.map_or(1 << 32, |ssid| u64::from(ssid.0))
}

#[inline]
const fn place(sid: u32, ssid: u64) -> usize {
    let hash = (sid as u64 ^ ssid << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (64 - ROUTES_LOG2)) as usize
}

impl Routes {
    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.routes.fill(Known::EMPTY);
    }

    /// The route of a stream, as of now.
    #[inline]
    pub(super) fn get(&mut self, transaction: &Transaction, pages: &Walked) -> Option<&Known> {
        let (sid, ssid) = (transaction.sid.0, number(transaction.ssid));
        let route = &mut self.routes[place(sid, ssid)];
        if route.sid != sid || route.ssid != ssid {
            return None;
        }
        if route.moment != pages.moment {
            if route.moment == NEVER {
                return None;
            }
            route.renew(&self.generations, pages)?;
        }
        Some(route)
    }

    /// Keeps a route to a slot that is alive.
    pub(super) fn keep(
        &mut self,
        transaction: &Transaction,
        route: &Route,
        (slot, tbi): (Slot, [bool; 2]),
        pages: &Walked,
    ) {
        let needs = [0, 1, 2, 3, 4, 5, 6, 7].map(|bits: u8| {
            Access {
                write: bits & 1 != 0,
                instruction: route.instruction.unwrap_or(bits & 2 != 0),
                privileged: route.privileged.unwrap_or(bits & 4 != 0),
            }
            .needs()
        });
        let (sid, ssid) = (transaction.sid.0, number(transaction.ssid));
        let mut known = Known {
            sid,
            ssid,
            needs,
            tbi,
            slot,
            generation: self.generations.of(transaction.sid),
            ..Known::EMPTY
        };
        if known.renew(&self.generations, pages).is_some() {
            self.routes[place(sid, ssid)] = known;
        }
    }
}
