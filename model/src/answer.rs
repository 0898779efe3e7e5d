//! What a guest is told of its requests, and whether it is true.
//!
//! Manual     include/uapi/linux/iommufd.h: struct iommu_hwpt_invalidate; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c:
//!            arm_vsmmu_cache_invalidate; Arm IHI 0070 G.b, 4.1 "Commands overview" (command errors), 4.7.3 "CMD_SYNC".
//! Modelled   a request handled as a whole or up to some entry, refused requests, CERROR_ILL, CERROR_ATC_INV_SYNC.
//! Left out   which error code is reported; CERROR_ABT.
//!
//! Ghosts only, but for the errors themselves. A tag goes from `asked` to `owed` when it is issued (or converted), and from there
//! when a SYNC of the same thread completes it. What is still on either when success is reported makes the report a lie.

use vocab::{Command, Opcode, PropertyId};

use crate::command::Tags;
use crate::machine::{Machine, limit};
use crate::state::{State, note};
use crate::step::Seen;

impl Machine {
    /// A command was put into a hardware queue.
    pub(crate) fn note_issued(&self, state: &mut State, thread: usize, command: Command) {
        let tags = self.tags(command);
        let this = &mut state.threads[thread];
        this.notes |= note::ISSUED;
        let wanted = tags
            .intersection(this.asked)
            .union(tags.intersection(this.owed));
        this.asked = this.asked.minus(tags);
        this.owed = this.owed.union(wanted);
        this.unsynced = this.unsynced.union(wanted);
        if self.axes.errors.atc_timeout && command.opcode() == Opcode::AtcInv {
            this.unsynced = this.unsynced.union(tags);
        }
    }

    /// A command of the guest was converted, and counts as handled from now on.
    pub(crate) fn note_converted(&self, state: &mut State, thread: usize, command: Command) {
        let this = &mut state.threads[thread];
        this.owed = this.owed.union(self.tags(command).intersection(this.asked));
    }

    /// The hardware did not execute a command: CERROR_ILL.
    pub(crate) fn note_illegal(&self, state: &mut State, thread: usize, command: Command) {
        let tags = self.tags(command);
        let this = &mut state.threads[thread];
        this.notes |= note::ISSUED | note::FAILED | note::ERROR;
        this.asked = this.asked.minus(tags);
        this.owed = this.owed.union(tags);
        this.unsynced = this.unsynced.minus(tags);
    }

    /// A thread's SYNC has completed.
    pub(crate) fn note_synced(&self, state: &mut State, thread: usize, seen: &mut Seen) {
        let this = &mut state.threads[thread];
        let unsynced = std::mem::take(&mut this.unsynced);
        if !this.owed.intersection(unsynced).is_empty() {
            seen.witnesses |= PropertyId::Report.bit();
        }
        this.owed = this.owed.minus(unsynced);
    }

    /// The ATC_INVs that a thread's SYNC waits for; their devices may never answer.
    pub(crate) fn may_time_out(&self, state: &State, queue: u8, thread: usize) -> Tags {
        let own = Tags {
            atc: state.threads[thread].unsynced.atc,
            ..Tags::default()
        };
        self.covered(state, queue, thread)
            .filter(|command| command.opcode() == Opcode::AtcInv)
            .fold(own, |all, command| all.union(self.tags(command)))
    }

    /// A thread's SYNC has completed everything but these ATC_INVs. Another thread that issued one of them will not hear of it.
    pub(crate) fn note_timeout(
        &self,
        state: &mut State,
        thread: usize,
        lost: Tags,
        seen: &mut Seen,
    ) {
        for other in &mut state.threads {
            other.unsynced = other.unsynced.minus(lost);
        }
        self.note_synced(state, thread, seen);
        let this = &mut state.threads[thread];
        this.notes |= note::FAILED | note::ERROR;
        if self.vm_of_thread(thread).is_some() {
            this.owed = this.owed.union(lost);
        }
    }

    /// What was converted so far is reported as handled.
    pub(crate) fn report(&self, state: &mut State, thread: usize) {
        if !state.threads[thread].owed.is_empty() {
            state.ghost.offence |= PropertyId::Report.bit();
        }
    }

    /// A request is answered with success: all that was asked for must have been issued (P-SCOPE), and what was taken for issued must
    /// have been completed (P-REPORT).
    pub(crate) fn answer(&self, state: &mut State, thread: usize, seen: &mut Seen) {
        seen.witnesses |= PropertyId::Scope.bit();
        if !state.threads[thread].asked.is_empty() {
            state.ghost.offence |= PropertyId::Scope.bit();
        }
        let this = &state.threads[thread];
        if !this.owed.is_empty() || this.batch[0] != 0 {
            state.ghost.offence |= PropertyId::Report.bit();
        }
        settled(state, thread);
    }

    /// A SYNC of the guest is consumed without a request: all that it asked for before it must have been completed.
    pub(crate) fn let_pass(&self, state: &mut State, thread: usize) {
        let this = &state.threads[thread];
        if !this.asked.union(this.owed).is_empty() {
            state.ghost.offence |= PropertyId::Report.bit();
        }
    }

    /// A request is refused; nothing is promised. Of a guest that follows its programs nothing is refused unless something failed.
    pub(crate) fn refused(&self, state: &mut State, thread: usize) {
        let failed = state.threads[thread].notes & note::FAILED != 0;
        if !failed && !self.is_hostile(thread) {
            state.ghost.offence |= PropertyId::Report.bit();
        }
        settled(state, thread);
    }
}

/// Nothing is owed to a guest any more.
fn settled(state: &mut State, thread: usize) {
    let this = &mut state.threads[thread];
    this.asked = Tags::default();
    this.owed = Tags::default();
    // CMDQ_CONS is where CMDQ_PROD is, or the driver begins anew: what was not taken never will be.
    this.batch = [0; limit::BATCH];
    this.chunk = [0; limit::CHUNK];
    this.notes &= !note::FAILED;
}
