//! Routes: what a StreamID and SubstreamID lead to, so that a hit looks at one cache line of configuration and one of translations.
//!
//! A route repeats what configuration and owners say, as of a moment ([`Walked::moment`]). A route of another moment is checked and
//! brought up to date before it is used.

use super::owners::Owner;
use super::pages::{Owned, Walked};
use super::store::{Pattern, Size, Way, smallest};
use super::structures::Generations;
use crate::access::{Access, Rights, Transaction};
use crate::cache::{Place, Route, Space};
use crate::ids::{StreamId, SubstreamId, Vmid};
use crate::mutant::{Mutant, on};

const ROUTES: usize = 256;
/// No moment: moments begin at 1.
const NEVER: u64 = 0;

/// Which translations a route leads to.
#[derive(Clone, Copy, Debug)]
enum Through {
    /// Stage-1 or combined ones of a space.
    Space(Space),
    /// Stage 2's alone.
    Stage2,
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
    through: Through,
    vmid: Vmid,
    /// There are entries of other sizes, or global ones.
    further: bool,
    /// CD.TBI0 and CD.TBI1.
    tbi: [bool; 2],
    /// Whose entries, of a space or of stage 2.
    owned: Owned,
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
        through: Through::Stage2,
        vmid: Vmid(0),
        further: false,
        tbi: [false; 2],
        owned: Owned {
            space: Owner::NONE,
            vm: Owner::NONE,
        },
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
        if input & self.unusual != 0 {
            return self.find_further(pages, input);
        }
        match pages.tlb.get(self.first.tag(input)) {
            Some(way) => (way, self.first.size),
            None if !self.further => (Way::EMPTY, self.first.size),
            None => self.find_further(pages, input),
        }
    }

    /// The same for any address, among entries of all sizes.
    #[inline(never)]
    fn find_further(&self, pages: &Walked, input: u64) -> (Way, Size) {
        let (store, owner, acceptable) = match self.through {
            Through::Space(_) => {
                // Without TBI, bits 63:56 repeat bit 55.
                let top = input as i64 >> 55;
                let repeated = top == 0 || top == -1;
                let acceptable = repeated || self.tbi[(top & 1) as usize];
                (&pages.tlb, &self.owned.space, acceptable)
            }
            // A stage-2 input has no ignored bits: what a tag cannot hold is not found.
            Through::Stage2 => (&pages.ipas, &self.owned.vm, input >> 52 == 0),
        };
        if !acceptable {
            return (Way::EMPTY, self.first.size);
        }
        store
            .find(owner.pages, owner.sizes, input)
            .or_else(|| store.find(self.global_owner, self.global_sizes, input))
            .unwrap_or((Way::EMPTY, self.first.size))
    }

    /// Brings a known route up to date, if its configuration still holds.
    #[inline(never)]
    fn renew(&mut self, generations: &Generations, pages: &mut Walked) -> Option<()> {
        if self.generation != generations.of(StreamId(self.sid)) || pages.owners.nearly_exhausted()
        {
            return None;
        }
        self.owned.vm = pages.owners.open_vm(self.vmid);
        if let Through::Space(space) = self.through {
            self.owned.space = pages.owners.open_space(space);
            let (_, vm) = pages.owners.space_at(self.owned.space.slot);
            let globals = &vm.globals[usize::from(space.aset)];
            (self.global_owner, self.global_sizes) = (globals.owner, globals.sizes);
            let (unit, rest) = smallest(self.owned.space.sizes);
            self.first = match unit {
                0 => Pattern::NONE,
                unit => Pattern::new(unit, self.owned.space.pages),
            };
            self.further = rest | globals.sizes != 0;
        }
        self.unusual = match (self.through, self.tbi[0]) {
            (Through::Space(_), true) => 1 << 55,
            (Through::Space(_), false) => 0x1ff << 55,
            (Through::Stage2, _) => u64::MAX,
        };
        self.moment = pages.moment;
        Some(())
    }
}

/// A direct-mapped array of routes.
#[derive(Debug)]
pub(super) struct Routes {
    known: Box<[Known; ROUTES]>,
    /// Beside each known route what it was made of.
    routes: Box<[Option<Box<Route>>; ROUTES]>,
    pub(super) generations: Generations,
}

impl Default for Routes {
    fn default() -> Self {
        Routes {
            known: Box::new([Known::EMPTY; ROUTES]),
            routes: Box::new([const { None }; ROUTES]),
            generations: Generations::default(),
        }
    }
}

/// A SubstreamID, or a number that none has.
#[inline]
fn number(ssid: Option<SubstreamId>) -> u64 {
    let none = if on(Mutant::RouteOfAnySsid) {
        0
    } else {
        1 << 32
    };
    ssid.map_or(none, |ssid| u64::from(ssid.0))
}

#[inline]
const fn place(sid: u32, ssid: u64) -> u8 {
    let hash = (sid as u64 ^ ssid << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 56) as u8
}

impl Routes {
    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.known.fill(Known::EMPTY);
    }

    /// The route of a stream, as of now.
    #[inline]
    pub(super) fn get(
        &mut self,
        transaction: &Transaction,
        pages: &mut Walked,
    ) -> Option<(&Known, Place)> {
        let (sid, ssid) = (transaction.sid.0, number(transaction.ssid));
        let at = place(sid, ssid);
        let known = &mut self.known[usize::from(at)];
        if known.sid != sid || known.ssid != ssid {
            return None;
        }
        if known.moment != pages.moment {
            if known.moment == NEVER {
                return None;
            }
            known.renew(&self.generations, pages)?;
        }
        let place = Place {
            at,
            moment: pages.moment,
        };
        Some((known, place))
    }

    /// What the route of a place was made of, the right that an access needs on it, and whose entries it leads to. A place of another
    /// moment may have been given to another route.
    #[inline]
    pub(super) fn at(
        &self,
        place: Place,
        access: Access,
        pages: &Walked,
    ) -> Option<(&Route, Rights, &Owned)> {
        let known = &self.known[usize::from(place.at)];
        if place.moment != pages.moment || known.moment != pages.moment {
            return None;
        }
        let route = self.routes[usize::from(place.at)].as_deref()?;
        Some((route, known.needs(access), &known.owned))
    }

    /// Keeps a route. This is a new moment: no place that was found before is good any more.
    pub(super) fn keep(&mut self, transaction: &Transaction, route: &Route, pages: &mut Walked) {
        pages.moment += 1;
        let needs = [0, 1, 2, 3, 4, 5, 6, 7].map(|bits: u8| {
            let access = Access {
                write: bits & 1 != 0,
                instruction: bits & 2 != 0,
                privileged: bits & 4 != 0,
            };
            route.stream.overridden(access).needs()
        });
        let (sid, ssid) = (transaction.sid.0, number(transaction.ssid));
        let mut known = Known {
            sid,
            ssid,
            needs,
            tbi: route.context.map_or([false; 2], |context| context.tbi),
            through: match route.space() {
                Some(space) => Through::Space(space),
                None => Through::Stage2,
            },
            vmid: route.stream.vmid,
            generation: self.generations.of(transaction.sid),
            ..Known::EMPTY
        };
        if known.renew(&self.generations, pages).is_some() {
            let place = usize::from(place(sid, ssid));
            self.known[place] = known;
            match &mut self.routes[place] {
                Some(kept) => **kept = *route,
                empty => *empty = Some(Box::new(*route)),
            }
        }
    }
}
