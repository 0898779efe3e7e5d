//! Routes: what a StreamID and SubstreamID lead to, so that a hit looks at one cache line of configuration and one of translations.
//!
//! A route repeats what configuration and owners say, as of a *moment*, a counter that every invalidation and every new page size
//! advances. A route of another moment is checked and brought up to date before it is used.

use super::config::Config;
use super::owners::Owners;
use crate::access::{Access, Rights, Transaction};
use crate::ids::{StreamId, SubstreamId};
use crate::stream::Stream;

const ROUTES: usize = 256;
/// No SubstreamID; SubstreamIDs have 20 bits.
const NONE: u32 = u32::MAX;
/// No moment: moments begin at 1.
const NEVER: u64 = 0;

/// Which translations a route leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Through {
    /// Stage-1 or combined ones of a space.
    Space(u32),
    /// Stage 2's alone, of a VM.
    Stage2(u32),
}

/// One route.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Route {
    sid: u32,
    ssid: u32,
    /// When what follows was right.
    moment: u64,
    /// Whose entries, and of which sizes.
    pub(super) owner: u32,
    pub(super) global_owner: u32,
    pub(super) sizes: u64,
    pub(super) global_sizes: u64,
    /// The right that an access needs after the STE's overrides, by its write, instruction and privilege bits.
    needs: [Rights; 8],
    /// CD.TBI0 and CD.TBI1.
    pub(super) tbi: [bool; 2],
    pub(super) through: Through,
    /// Of the stream's configuration.
    generation: u64,
}

impl Route {
    const EMPTY: Route = Route {
        sid: 0,
        ssid: 0,
        moment: NEVER,
        owner: 0,
        global_owner: 0,
        sizes: 0,
        global_sizes: 0,
        needs: [Rights::ALL; 8],
        tbi: [false; 2],
        through: Through::Stage2(0),
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

    /// Brings a known route up to `moment`, if its configuration still holds and its translations are alive.
    fn renew(&mut self, moment: u64, config: &Config, owners: &Owners) -> Option<()> {
        if self.generation != config.route_generation(StreamId(self.sid)) {
            return None;
        }
        match self.through {
            Through::Space(slot) => {
                let (space, vm) = owners.fresh_space(slot)?;
                (self.owner, self.sizes) = (space.owner, space.sizes);
                (self.global_owner, self.global_sizes) = (vm.global_owner, vm.global_sizes);
            }
            Through::Stage2(slot) => {
                let vm = owners.fresh_stage2(slot)?;
                (self.owner, self.sizes) = (vm.stage2_owner, vm.stage2_sizes);
                self.global_sizes = 0;
            }
        }
        self.moment = moment;
        Some(())
    }
}

/// A direct-mapped array of routes, and the present moment.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Box<[Route; ROUTES]>,
    moment: u64,
}

impl Default for Routes {
    fn default() -> Self {
        Routes {
            routes: Box::new([Route::EMPTY; ROUTES]),
            moment: 1,
        }
    }
}

#[inline]
const fn place(sid: u32, ssid: u32) -> usize {
    (sid.wrapping_mul(0x9e37_79b1) ^ ssid.wrapping_mul(0x85eb_ca6b)) as usize >> 8 & (ROUTES - 1)
}

impl Routes {
    /// Something was invalidated, or a page size occurs for the first time.
    pub(super) fn advance(&mut self) {
        self.moment += 1;
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.advance();
        for route in &mut self.routes[..] {
            // Slots mean nothing after this: a generation that never comes.
            route.generation = u64::MAX;
        }
    }

    /// The route of a stream, as of now.
    #[inline]
    pub(super) fn get(
        &mut self,
        sid: StreamId,
        ssid: Option<SubstreamId>,
        config: &Config,
        owners: &Owners,
    ) -> Option<&Route> {
        let ssid = ssid.map_or(NONE, |ssid| ssid.0);
        let route = &mut self.routes[place(sid.0, ssid)];
        if route.sid != sid.0 || route.ssid != ssid {
            return None;
        }
        if route.moment != self.moment {
            if route.moment == NEVER {
                return None;
            }
            route.renew(self.moment, config, owners)?;
        }
        Some(route)
    }

    pub(super) fn keep(
        &mut self,
        transaction: &Transaction,
        stream: &Stream,
        (through, tbi): (Through, [bool; 2]),
        config: &Config,
        owners: &Owners,
    ) {
        let ssid = transaction.ssid.map_or(NONE, |ssid| ssid.0);
        let needs = [0, 1, 2, 3, 4, 5, 6, 7].map(|bits: u8| {
            Access {
                write: bits & 1 != 0,
                instruction: stream.instruction.unwrap_or(bits & 2 != 0),
                privileged: stream.privileged.unwrap_or(bits & 4 != 0),
            }
            .needs()
        });
        let mut route = Route {
            sid: transaction.sid.0,
            ssid,
            needs,
            tbi,
            through,
            generation: config.route_generation(transaction.sid),
            ..Route::EMPTY
        };
        if route.renew(self.moment, config, owners).is_some() {
            self.routes[place(transaction.sid.0, ssid)] = route;
        }
    }
}
