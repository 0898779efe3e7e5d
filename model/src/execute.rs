//! Threads execute programs: one visible instruction, then the local ones behind it.

use vocab::{Asid, Command, Ipa, Page, PropertyId, Slot, Space, Viommu};

use crate::allocate::pick;
use crate::caches::{cd0, cd1, ste0, ste1, ste2, values};
use crate::command::{decode, encode};
use crate::machine::{Machine, limit};
use crate::operand::plus_one;
use crate::program::{Crossing, Instr, Pc, ReadExpr, Reg, Start, SteWord0, Word0};
use crate::state::{State, Thread, descriptor, leaf, note, pte};
use crate::step::{Beginning, Seen, Stop};

/// More local instructions in a row than any program has: it must be going round in a loop of them.
const LOCAL_LIMIT: usize = 10_000;

impl Machine {
    /// A thread begins an operation or a call.
    pub(crate) fn begin(
        &self,
        state: &mut State,
        thread: usize,
        call: Beginning,
        choice: u8,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        self.enter(state, thread, call);
        if let Start::Operation(kind) = self.code.entries[call.entry as usize].start {
            self.promise(state, kind, call.args);
        }
        self.run_local(state, thread, seen, |_, _| {})?;
        if state.threads[thread].is_idle() {
            return match choice {
                0 => Ok(()),
                _ => Err(Stop::NoSuchChoice),
            };
        }
        self.issue_sync(state, thread);
        let waiting = *state;
        match self.go(state, thread, choice, seen) {
            // It has begun and waits: somebody may have taken a lock and never give it back. A hostile guest's call may as
            // well be made later: nobody promised that it returns, and a lock that is never given back is not idle.
            Err(Stop::Blocked) if !self.is_hostile(thread) => {
                *state = waiting;
                Ok(())
            }
            other => other,
        }
    }

    /// A thread performs its next visible instruction and the local ones behind it.
    pub(crate) fn go(
        &self,
        state: &mut State,
        thread: usize,
        choice: u8,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        let pc = state.threads[thread].pc;
        let target = self.perform(state, thread, self.code.instrs[pc as usize], choice, seen)?;
        self.mark(seen, pc);
        state.threads[thread].pc = target.unwrap_or(pc + 1);
        self.run_local(state, thread, seen, |_, _| {})?;
        self.issue_sync(state, thread);
        Ok(())
    }

    /// A thread that has reached a SYNC has issued it.
    fn issue_sync(&self, state: &mut State, thread: usize) {
        let current = &state.threads[thread];
        if !current.is_idle()
            && let Instr::Sync(queue) = self.code.instrs[current.pc as usize]
        {
            self.cover(state, queue, thread);
        }
    }

    fn mark(&self, seen: &mut Seen, pc: Pc) {
        if let Some(step) = self.code.step_of(pc) {
            seen.steps.insert(step);
        }
    }

    /// Performs a visible instruction. Returns where to go on, if not at the next one.
    pub(crate) fn perform(
        &self,
        state: &mut State,
        thread: usize,
        instr: Instr,
        choice: u8,
        seen: &mut Seen,
    ) -> Result<Option<Pc>, Stop> {
        if choice >= self.choices(instr) {
            return Err(Stop::NoSuchChoice);
        }
        let this = state.threads[thread];
        let value = |operand| self.value(&this, operand);
        let memory = &mut state.memory;
        match instr {
            Instr::Pte {
                space,
                page,
                ipa,
                global,
            } => {
                if let (Some(space), Some(page)) = (value(space), value(page)) {
                    memory.pte[leaf(Space(space), Page(page))] = ipa
                        .and_then(value)
                        .map_or(pte::NONE, |ipa| pte::new(Ipa(ipa), global));
                }
            }
            Instr::CdWord0 {
                viommu,
                slot,
                value: word,
            } => {
                if let (Some(viommu), Some(slot)) = (value(viommu), value(slot)) {
                    memory.cd0[descriptor(Viommu(viommu), Slot(slot))] = match word {
                        Word0::Invalid => cd0::INVALID,
                        Word0::Valid(asid) => value(asid).map_or(0, |asid| cd0::valid(Asid(asid))),
                        Word0::Epd(asid) => value(asid).map_or(0, |asid| cd0::epd(Asid(asid))),
                    };
                }
            }
            Instr::CdWord1 { viommu, slot, ttb } => {
                if let (Some(viommu), Some(slot)) = (value(viommu), value(slot)) {
                    memory.cd1[descriptor(Viommu(viommu), Slot(slot))] = ttb
                        .and_then(value)
                        .map_or(cd1::NONE, |space| cd1::ttb(Space(space)));
                }
            }
            Instr::SteWord0 {
                device,
                value: word,
            } => {
                if let Some(device) = value(device) {
                    memory.ste0[device as usize] = match word {
                        SteWord0::Abort => ste0::ABORT,
                        SteWord0::Nested(viommu) => {
                            value(viommu).map_or(ste0::ABORT, |viommu| ste0::nested(Viommu(viommu)))
                        }
                        SteWord0::S2Trans => ste0::S2_TRANS,
                    };
                }
            }
            Instr::SteWord1 {
                device,
                eats,
                bypass,
            } => {
                if let Some(device) = value(device) {
                    memory.ste1[device as usize] = ste1::new(eats && self.axes.ats, bypass);
                }
            }
            Instr::SteWord2 { device, viommu } => {
                if let Some(device) = value(device) {
                    memory.ste2[device as usize] =
                        viommu.and_then(value).map_or(ste2::NONE, |viommu| {
                            self.ste_word2(memory.vmid[viommu as usize], Viommu(viommu))
                        });
                }
            }
            Instr::S2 { vm, ipa, present } => {
                if let (Some(vm), Some(ipa)) = (value(vm), value(ipa)) {
                    set_bit(&mut memory.s2[vm as usize], ipa, present);
                }
            }
            Instr::Insert(row, operand) | Instr::Remove(row, operand) => {
                if let (Some(cell), Some(value)) = (self.cell(&this, row), value(operand)) {
                    let inserts = matches!(instr, Instr::Insert(..));
                    set_bit(&mut memory.tables[cell.0][cell.1], value, inserts);
                }
            }
            Instr::AllocAsid(space) => {
                let space = value(space).map(Space);
                let candidates = space.map_or(0, |space| self.asids_for(state, space));
                if let (Some(space), Some(asid)) = (space, pick(candidates, choice)?) {
                    state.memory.asid[space.index()] = asid + 1;
                }
            }
            Instr::FreeAsid(space) => {
                if let Some(space) = value(space)
                    && std::mem::take(&mut memory.asid[space as usize]) != 0
                {
                    seen.witnesses |= PropertyId::Alias.bit();
                }
            }
            Instr::AllocVmid(viommu) => {
                let viommu = value(viommu).map(Viommu);
                let candidates = viommu.map_or(0, |viommu| self.vmids_for(state, viommu));
                if let (Some(viommu), Some(vmid)) = (viommu, pick(candidates, choice)?) {
                    state.memory.vmid[viommu.index()] = vmid + 1;
                }
            }
            Instr::FreeVmid(viommu) => {
                if let Some(viommu) = value(viommu)
                    && std::mem::take(&mut memory.vmid[viommu as usize]) != 0
                {
                    seen.witnesses |= PropertyId::Alias.bit();
                }
            }
            Instr::Read(Reg(into), ReadExpr::CdAsid { .. }) if self.cds_are_anything() => {
                state.threads[thread].regs[into as usize] = choice;
            }
            Instr::Read(into, what) => {
                state.threads[thread].regs[into.0 as usize] = self.read(state, &this, what);
            }
            Instr::ReadSet(into, row) => {
                state.threads[thread].regs[into.0 as usize] = self
                    .cell(&this, row)
                    .map_or(0, |cell| memory.tables[cell.0][cell.1]);
            }
            Instr::Require {
                row,
                value: operand,
                to,
            } => {
                let has = self.has(state, &this, row, operand);
                return Ok((!has).then_some(to));
            }
            Instr::Wait(row) => {
                if self
                    .cell(&this, row)
                    .is_some_and(|cell| memory.tables[cell.0][cell.1] != 0)
                {
                    return Err(Stop::Blocked);
                }
            }
            Instr::Lock(lock) => {
                let bit = self.lock_bit(lock, thread);
                if memory.locks & bit != 0 {
                    return Err(Stop::Blocked);
                }
                memory.locks |= bit;
                state.threads[thread].held |= bit;
            }
            Instr::Unlock(lock) => {
                let bit = self.lock_bit(lock, thread);
                if this.held & bit == 0 {
                    return Err(Stop::NotModelled(
                        "a program unlocks what its thread has not locked",
                    ));
                }
                memory.locks &= !bit;
                state.threads[thread].held &= !bit;
            }
            Instr::Hwq(queue, command) => {
                if let Some(command) = self.resolve(state, &this, command) {
                    self.issue_for(state, thread, queue, command, seen)?;
                }
            }
            Instr::HwqGuest { queue, fixup, to } => {
                let command = taken(&this);
                let allowed = if fixup {
                    self.fixup(state, &this, command)
                } else {
                    Some(command)
                };
                let Some(command) = allowed else {
                    return match choice {
                        0 => Ok(Some(to)),
                        _ => Err(Stop::NoSuchChoice),
                    };
                };
                self.issue_guests(state, thread, queue, command, choice, seen)?;
            }
            Instr::Chunk { to } => {
                let Some(command) = self.fixup(state, &this, taken(&this)) else {
                    return Ok(Some(to));
                };
                let chunk = &mut state.threads[thread].chunk;
                let free = chunk.iter().position(|&code| code == 0);
                chunk[free.ok_or(Stop::NotModelled(
                    "more commands in a chunk than it has room for",
                ))?] = encode(command);
                self.note_converted(state, thread, command);
            }
            Instr::HwqChunk(queue) => {
                let command = decode(this.chunk[0])
                    .expect("a chunk without commands is left out by the instruction before");
                let chunk = &mut state.threads[thread].chunk;
                chunk.rotate_left(1);
                chunk[limit::CHUNK - 1] = 0;
                self.issue_guests(state, thread, queue, command, choice, seen)?;
            }
            Instr::Sync(queue) => {
                let lost = self.may_time_out(state, queue, thread);
                if choice == 1 {
                    if lost.is_empty() {
                        return Err(Stop::NoSuchChoice);
                    }
                    self.give_up_atc_inv(state, queue, thread);
                }
                if !self.complete(state, queue, thread) {
                    return Err(Stop::Blocked);
                }
                match choice {
                    0 => self.note_synced(state, thread, seen),
                    _ => self.note_timeout(state, thread, lost, seen),
                }
                seen.cost.syncs += 1;
            }
            Instr::MayFail { to } => {
                if choice == 1 {
                    state.threads[thread].notes |= note::FAILED;
                    return Ok(Some(to));
                }
            }
            local => unreachable!("{local:?} is local, threads never wait at it"),
        }
        Ok(None)
    }

    /// Clears what a thread will never read again.
    fn forget(&self, thread: &mut Thread) {
        let live = self.live[thread.pc as usize];
        for (register, value) in thread.regs.iter_mut().enumerate() {
            if !live.has(register) {
                *value = 0;
            }
        }
        if !live.has_command() {
            thread.command = 0;
        }
    }

    /// Performs local instructions until a visible one or the end; `watch` sees each before it is performed.
    pub(crate) fn run_local(
        &self,
        state: &mut State,
        thread: usize,
        seen: &mut Seen,
        mut watch: impl FnMut(&State, Instr),
    ) -> Result<(), Stop> {
        for _ in 0..LOCAL_LIMIT {
            let this = state.threads[thread];
            let instr = self.code.instrs[this.pc as usize];
            if instr.is_visible() {
                state.threads[thread].notes &= !note::ERROR;
                self.forget(&mut state.threads[thread]);
                return Ok(());
            }
            self.mark(seen, this.pc);
            watch(state, instr);
            let target = match instr {
                Instr::Return | Instr::Fail => {
                    self.end(state, thread, instr == Instr::Return, seen);
                    return Ok(());
                }
                _ => self.perform_local(state, thread, instr, seen)?,
            };
            state.threads[thread].pc = target.unwrap_or(this.pc + 1);
        }
        panic!(
            "a program goes round without ever doing something visible; the reader should have refused it"
        );
    }

    fn perform_local(
        &self,
        state: &mut State,
        thread: usize,
        instr: Instr,
        seen: &mut Seen,
    ) -> Result<Option<Pc>, Stop> {
        let this = state.threads[thread];
        match instr {
            Instr::Cmdq(command) => {
                if let Some(command) = self.resolve(state, &this, command) {
                    self.ask(state, thread, command);
                    let batch = &mut state.threads[thread].batch;
                    let free = batch.iter().position(|&code| code == 0);
                    batch[free.ok_or(Stop::NotModelled(
                        "more commands in a guest's queue than a state has room for",
                    ))?] = encode(command);
                }
            }
            Instr::Cut { every, to } => {
                let syncs = this.syncs_after_next(every);
                state.threads[thread].syncs = syncs;
                if syncs != 0 {
                    self.let_pass(state, thread);
                }
                return Ok((syncs != 0).then_some(to));
            }
            Instr::TakeCommand { to } => {
                let current = &mut state.threads[thread];
                current.command = current.batch[0];
                current.batch.rotate_left(1);
                current.batch[limit::BATCH - 1] = 0;
                return Ok((current.command == 0).then_some(to));
            }
            Instr::LoadSet(into, set) => {
                state.threads[thread].regs[into.0 as usize] = self.fixed_set(&this, set);
            }
            Instr::Next { from, into, to } => {
                let set = this.regs[from.0 as usize];
                let regs = &mut state.threads[thread].regs;
                regs[from.0 as usize] = set & set.wrapping_sub(1);
                regs[into.0 as usize] = plus_one(values(set).next());
                return Ok((set == 0).then_some(to));
            }
            Instr::Branch { on, to } => return Ok((this.regs[on.0 as usize] == 0).then_some(to)),
            Instr::Jump(to) => return Ok(Some(to)),
            Instr::Clear(Reg(reg)) => state.threads[thread].regs[reg as usize] = 0,
            Instr::Enter(Crossing::Exit) => seen.cost.exits += 1,
            Instr::Enter(Crossing::Ioctl) => seen.cost.ioctls += 1,
            Instr::Enter(Crossing::Hypercall) => seen.cost.hypercalls += 1,
            Instr::Ask(command) => {
                if let Some(command) = self.resolve(state, &this, command) {
                    self.ask(state, thread, command);
                }
            }
            Instr::ChunkFull { to } => {
                return Ok((this.chunk[limit::CHUNK - 1] == 0).then_some(to));
            }
            Instr::ChunkEmpty { to } => return Ok((this.chunk[0] == 0).then_some(to)),
            Instr::DeviceOfCommand(into) => {
                let device = decode(this.command).and_then(|command| self.device_named(command));
                state.threads[thread].regs[into.0 as usize] = plus_one(device.map(|id| id.0));
            }
            Instr::OnError { to } => {
                let failed = this.notes & note::ERROR != 0;
                state.threads[thread].notes &= !note::ERROR;
                return Ok((!failed).then_some(to));
            }
            Instr::Report => self.report(state, thread),
            Instr::Answer => self.answer(state, thread, seen),
            Instr::Refused => self.refused(state, thread),
            visible => unreachable!("{visible:?} is visible"),
        }
        Ok(None)
    }

    /// A lock as a bit of [`crate::state::Memory::locks`]: each VM has its own of those that are its guest's or VMM's.
    pub(crate) fn lock_bit(&self, lock: u8, thread: usize) -> u8 {
        let vms = self.bounds.vms as usize;
        let before: usize = self.code.locks[..lock as usize]
            .iter()
            .map(|(_, per_vm)| if *per_vm { vms } else { 1 })
            .sum();
        let own = match self.vm_of_thread(thread) {
            Some(vm) if self.code.locks[lock as usize].1 => vm.index(),
            _ => 0,
        };
        1 << (before + own)
    }
}

/// The command that a thread took off its guest's queue.
fn taken(thread: &Thread) -> Command {
    decode(thread.command)
        .expect("a guest's command is forwarded before one was taken off its queue")
}

fn set_bit(set: &mut u8, bit: u8, to: bool) {
    *set = *set & !(1 << bit) | (to as u8) << bit;
}
