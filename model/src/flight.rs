//! Commands in flight: an invalidation is a promise that is kept at the SYNC.
//!
//! Manual     Arm IHI 0070 G.b, 4.1 "Commands overview", 4.7.3 "CMD_SYNC": consumption of a command is not its completion.
//!
//! A command may take effect at any moment between its issue and the completion of a SYNC behind it. For each command in flight
//! we keep what may be cached *if it has already taken effect*: at issue that is the fixpoint of the caches without what the command
//! hits; afterwards whatever enters the caches is added, unless the command would hit it there, and the fixpoint is taken again.
//! What is cached but not in that set is **doomed** by the command; only the doomed set is stored. An entry that is filled again from
//! sources that outlive the command leaves the doomed set by itself. SYNC removes what is doomed by any command it completes.
//!
//! Queues whose commands take effect in order differ in one place: the set of a command is fed from the set of the command
//! before it instead of from the caches.
//!
//! docs/semantics.md derives this rule, says how it differs from reviving doomed entries one by one, and what checks it.

use bytemuck::Pod;
use vocab::{Command, Opcode, Vm};

use crate::caches::Caches;
use crate::command::{Tags, decode, encode};
use crate::fill::read_by_hardware;
use crate::machine::{CacheMode, Machine, limit};
use crate::mutant::{Mutant, on};
use crate::state::{Doomed, InFlight, State};

/// More commands were in flight than a state can represent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooMany;

impl InFlight {
    fn is_free(&self) -> bool {
        self.queue == 0
    }

    /// The command.
    pub fn command(&self) -> Option<Command> {
        decode(self.command)
    }
}

impl Machine {
    /// Puts a command into a hardware queue.
    pub(crate) fn issue(
        &self,
        state: &mut State,
        queue: u8,
        command: Command,
    ) -> Result<(), TooMany> {
        let place = state
            .flight
            .iter()
            .position(InFlight::is_free)
            .ok_or(TooMany)?;
        let mut entry = InFlight {
            queue: queue + 1,
            command: encode(command),
            ..InFlight::default()
        };
        if self.caches == CacheMode::Saturated {
            let before = self.stage_before(state, place, queue + 1);
            let left = before.minus(&self.hits(command));
            let after = match on(Mutant::NoFixpointAtIssue) {
                true => left,
                false => self.fill(state, left),
            };
            entry.doomed = Doomed(state.caches.minus(&after));
            if on(Mutant::EffectAtIssue) {
                state.caches = after;
                entry.doomed = Doomed::default();
            }
        }
        state.flight[place] = entry;
        Ok(())
    }

    /// What may be cached when a command of `queue` at `place` takes effect.
    fn stage_before(&self, state: &State, place: usize, queue: u8) -> Caches {
        let previous = state.flight[..place]
            .iter()
            .rfind(|entry| entry.queue == queue);
        match previous {
            Some(entry) if self.hardware.in_order && !on(Mutant::OrderForgotten) => {
                state.caches.minus(&entry.doomed.0)
            }
            _ => state.caches,
        }
    }

    /// A thread's SYNC has been issued: it will complete what is in the queue now. Threads issue a SYNC as soon as they reach it: the
    /// earlier it is issued, the less it completes.
    pub(crate) fn cover(&self, state: &mut State, queue: u8, thread: usize) {
        for entry in state
            .flight
            .iter_mut()
            .filter(|entry| entry.queue == queue + 1 || on(Mutant::SyncOfAnotherQueue))
        {
            entry.covered |= 1 << thread;
        }
    }

    /// The commands that a thread's SYNC will complete.
    pub(crate) fn covered(
        &self,
        state: &State,
        queue: u8,
        thread: usize,
    ) -> impl Iterator<Item = Command> {
        state
            .flight
            .iter()
            .filter(move |entry| is_covered(entry, queue, thread))
            .filter_map(|entry| entry.command())
    }

    /// The ATC_INVs that a thread's SYNC waits for are given up; each may or may not have taken effect. With CERROR_ATC_INV_SYNC the SYNC is
    /// not consumed and has completed nothing (4.7.3 "CMD_SYNC"): what follows in the same step is that software acknowledges the error
    /// and the SYNC is executed again, as Linux does (arm_smmu_cmdq_skip_err).
    pub(crate) fn give_up_atc_inv(&self, state: &mut State, queue: u8, thread: usize) {
        for entry in &mut state.flight {
            let opcode = entry.command().map(|command| command.opcode());
            if is_covered(entry, queue, thread) && opcode == Some(Opcode::AtcInv) {
                if on(Mutant::TimedOutInvTakesEffect) {
                    state.caches = state.caches.minus(&entry.doomed.0);
                }
                *entry = InFlight::default();
            }
        }
    }

    /// A thread's SYNC completes. False if it cannot yet, which only happens where taking effect is a step of its own.
    pub(crate) fn complete(&self, state: &mut State, queue: u8, thread: usize) -> bool {
        let is_covered = |entry: &InFlight| is_covered(entry, queue, thread);
        if self.caches == CacheMode::Scheduled {
            return !state.flight.iter().any(is_covered);
        }
        let gone = state
            .flight
            .iter()
            .filter(|entry| is_covered(entry))
            .fold(Caches::default(), |gone, entry| gone.union(&entry.doomed.0));
        if !on(Mutant::SyncDropsNothing) {
            state.caches = state.caches.minus(&gone);
        }
        for entry in &mut state.flight {
            if is_covered(entry) {
                *entry = InFlight::default();
            } else {
                entry.doomed.0 = entry.doomed.0.minus(&gone);
            }
        }
        true
    }

    /// [`Machine::settle`] after one step from a settled state, which leaves out what that step cannot have made necessary.
    pub(crate) fn settle_after(&self, before: &State, state: &mut State) {
        let exact = if cfg!(debug_assertions) {
            let mut exact = *state;
            self.settle(&mut exact);
            Some(exact)
        } else {
            None
        };
        if self.caches == CacheMode::Saturated && !is_closed_after(before, state) {
            self.saturate(state);
        }
        if !same(&state.flight, &before.flight) {
            self.normalize(state);
        }
        debug_assert!(
            exact.is_none_or(|exact| exact == *state),
            "a step needed more than was done after it"
        );
    }

    /// Hardware does all that it may do after a change of memory or caches, and the commands in flight are put into their one form.
    pub(crate) fn settle(&self, state: &mut State) {
        if self.caches == CacheMode::Saturated {
            self.saturate(state);
        }
        self.normalize(state);
    }

    pub(crate) fn saturate(&self, state: &mut State) {
        let old = state.caches;
        state.caches = self.fill(state, old);
        for place in 0..limit::IN_FLIGHT {
            let entry = state.flight[place];
            let Some(command) = entry.command() else {
                continue;
            };
            let survivors = match on(Mutant::ReviveThroughDoomed) {
                true => old,
                false => old.minus(&entry.doomed.0),
            };
            let arrivals = self
                .stage_before(state, place, entry.queue)
                .minus(&match on(Mutant::ArrivalsNotHit) {
                    true => Caches::default(),
                    false => self.hits(command),
                });
            let after = match on(Mutant::NothingRevives) {
                true => survivors,
                false => self.fill(state, survivors.union(&arrivals)),
            };
            state.flight[place].doomed = Doomed(state.caches.minus(&after));
        }
    }

    /// Drops commands that can no longer make a difference, packs the rest to the front, and sorts them where order means nothing.
    fn normalize(&self, state: &mut State) {
        if self.caches == CacheMode::Saturated {
            for place in 0..limit::IN_FLIGHT {
                if self.is_idle_promise(state, place) {
                    state.flight[place] = InFlight::default();
                }
            }
        }
        let mut packed = [InFlight::default(); limit::IN_FLIGHT];
        let live = state.flight.iter().filter(|entry| !entry.is_free());
        let mut count = 0;
        for (place, entry) in packed.iter_mut().zip(live) {
            *place = *entry;
            count += 1;
        }
        if !self.hardware.in_order {
            packed[..count].sort_unstable();
        }
        state.flight = packed;
    }

    /// Whether forgetting a command in flight changes nothing that can ever be observed: it dooms nothing (and then never
    /// will: its set is closed and has everything), or a command that hits all that it hits dooms all that it dooms and is
    /// completed by every SYNC that completes it.
    fn is_idle_promise(&self, state: &State, place: usize) -> bool {
        let entry = &state.flight[place];
        let Some(command) = entry.command() else {
            return false;
        };
        if entry.doomed.0.is_empty() {
            return true;
        }
        if self.hardware.in_order {
            return false;
        }
        let hits = self.hits(command);
        state.flight.iter().enumerate().any(|(other_place, other)| {
            let Some(other_command) = other.command() else {
                return false;
            };
            let covers = other.queue == entry.queue
                && (entry.covered & !other.covered == 0 || on(Mutant::CoverForgotten))
                && entry.doomed.0.is_subset(&other.doomed.0)
                && hits.is_subset(&self.hits(other_command));
            let equal = entry.covered == other.covered
                && entry.doomed == other.doomed
                && hits == self.hits(other_command);
            other_place != place && covers && (!equal || other_place < place)
        })
    }

    /// Scheduled mode: which commands in flight may take effect now.
    pub fn may_take_effect(&self, state: &State, place: usize) -> bool {
        let entry = &state.flight[place];
        let is_first = !state.flight[..place]
            .iter()
            .any(|other| other.queue == entry.queue);
        !entry.is_free() && (is_first || !self.hardware.in_order)
    }

    /// Scheduled mode: a command in flight takes effect.
    pub(crate) fn take_effect(&self, state: &mut State, place: usize) {
        let command = state.flight[place]
            .command()
            .expect("only a command in flight takes effect");
        state.caches = state.caches.minus(&self.hits(command));
        state.flight[place] = InFlight::default();
    }

    /// The tags that are not a VM's own to invalidate: other VMs' VMIDs, and devices that do not serve it.
    pub(crate) fn foreign_tags(&self, state: &State, vm: Vm) -> Tags {
        let mine = |viommu: u8| self.vm_of(vocab::Viommu(viommu)) == vm;
        let mut foreign = self.tags(Command::TlbiNsnhAll);
        for vmid in (0..self.bounds.vmids).map(vocab::Vmid) {
            let mut users = (0..self.bounds.viommus)
                .filter(|&viommu| state.memory.vmid[viommu as usize] == vmid.0 + 1)
                .peekable();
            if users.peek().is_some() && users.all(mine) {
                foreign = foreign.minus(self.tags(Command::TlbiS12Vmall(vmid)));
            }
        }
        for device in (0..self.bounds.devices).map(vocab::Device) {
            let attached = state.ghost.attached[device.index()];
            if !(0..self.bounds.viommus).any(|viommu| attached >> viommu & 1 == 1 && mine(viommu)) {
                foreign = foreign
                    .union(self.tags(Command::CfgiSte(device)))
                    .union(self.tags(Command::AtcInvAll(device)));
            }
        }
        foreign
    }
}

/// Whether hardware can have nothing new to do after a step from a settled state: caches and all that fetches and walks read are as
/// before, and so are the commands in flight, but for one that was issued. That one's doomed set was computed by [`Machine::issue`] from
/// these same caches and this same memory. What is closed stays closed: a fixpoint is taken again from itself.
fn is_closed_after(before: &State, state: &State) -> bool {
    let flights = before.flight.iter().zip(&state.flight);
    let mut in_use = flights.take_while(|(before, _)| !before.is_free());
    same(&state.caches, &before.caches)
        && read_by_hardware(&state.memory) == read_by_hardware(&before.memory)
        && in_use.all(|(before, entry)| {
            (before.queue, before.command) == (entry.queue, entry.command)
                && same(&before.doomed, &entry.doomed)
        })
}

/// Whether two are the same, all bytes at once: field by field takes several times as long.
fn same<T: Pod>(one: &T, other: &T) -> bool {
    bytemuck::bytes_of(one) == bytemuck::bytes_of(other)
}

/// Whether a thread's SYNC will complete a command.
fn is_covered(entry: &InFlight, queue: u8, thread: usize) -> bool {
    (entry.queue == queue + 1 || on(Mutant::SyncOfAnotherQueue))
        && (entry.covered >> thread & 1 == 1 || on(Mutant::SyncOfLaterCommands))
}

#[cfg(test)]
mod tests;
