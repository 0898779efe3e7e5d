//! Threads execute programs: one visible instruction, then the local ones behind it.

use vocab::{Asid, Command, Device, Ipa, Page, PropertyId, Slot, Space, Viommu, Vm, Vmid};

use crate::caches::{cd0, cd1, ste0, ste2, values};
use crate::command::{GUEST_VMID, Tags, decode, encode};
use crate::machine::{Machine, VmidPer, limit};
use crate::program::{
    CommandExpr, Crossing, FixedSet, Instr, Operand, Pc, ReadExpr, Reg, Row, Start, VIOMMU,
    VmidField, Word0,
};
use crate::state::{State, Thread, descriptor, leaf};
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
            Instr::Pte { space, page, ipa } => {
                if let (Some(space), Some(page)) = (value(space), value(page)) {
                    memory.pte[leaf(Space(space), Page(page))] = plus_one(ipa.and_then(value));
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
            Instr::SteWord0 { device, table } => {
                if let Some(device) = value(device) {
                    memory.ste0[device as usize] = table
                        .and_then(value)
                        .map_or(ste0::ABORT, |viommu| ste0::nested(Viommu(viommu)));
                }
            }
            Instr::SteWord1 { device, eats } => {
                if let Some(device) = value(device) {
                    memory.ste1[device as usize] = (eats && self.axes.ats) as u8;
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
                let command = decode(this.command)
                    .expect("a guest's command is forwarded before one was taken off its queue");
                let allowed = if fixup {
                    self.fixup(state, &this, command)
                } else {
                    Some(command)
                };
                let Some(command) = allowed else {
                    return Ok(Some(to));
                };
                self.issue_for(state, thread, queue, command, seen)?;
            }
            Instr::Sync(queue) => {
                if !self.complete(state, queue, thread) {
                    return Err(Stop::Blocked);
                }
                seen.cost.syncs += 1;
            }
            Instr::MayFail { to } => return Ok((choice == 1).then_some(to)),
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
                let syncs = (this.syncs + 1) % every;
                state.threads[thread].syncs = syncs;
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
            Instr::Answer => {
                let asked = std::mem::take(&mut state.threads[thread].asked);
                seen.witnesses |= PropertyId::Scope.bit();
                if !asked.is_empty() {
                    state.ghost.offence |= PropertyId::Scope.bit();
                }
            }
            Instr::Refused => {
                state.threads[thread].asked = Tags::default();
                state.threads[thread].batch = [0; limit::BATCH];
            }
            visible => unreachable!("{visible:?} is visible"),
        }
        Ok(None)
    }

    /// Issues a command; on a guest's thread it is on that guest's behalf, and P-CONF asks whether it hits what is not the guest's.
    fn issue_for(
        &self,
        state: &mut State,
        thread: usize,
        queue: u8,
        command: Command,
        seen: &mut Seen,
    ) -> Result<(), Stop> {
        seen.hit(self, state, command);
        let tags = self.tags(command);
        if let Some(vm) = self.vm_of_thread(thread) {
            if self.bounds.vms > 1 && !tags.is_empty() {
                seen.witnesses |= PropertyId::Conf.bit();
            }
            let foreign = self.foreign_tags(state, vm);
            if tags.minus(foreign) != tags {
                state.ghost.offence |= PropertyId::Conf.bit();
            }
        }
        let this = &mut state.threads[thread];
        this.issued = 1;
        this.asked = this.asked.minus(tags);
        Ok(self.issue(state, queue, command)?)
    }

    /// Notes what a guest asked for, in the host's terms.
    fn ask(&self, state: &mut State, thread: usize, command: Command) {
        let own = self.own_vmid(state, &state.threads[thread]);
        let tags = self.tags(with_vmid(command, own));
        let this = &mut state.threads[thread];
        this.asked = this.asked.union(tags);
    }

    /// What the kernel makes of a guest's command (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c:
    /// arm_vsmmu_convert_user_cmd): its VMID is replaced, its virtual StreamID is looked up. None: refused.
    pub(crate) fn fixup(
        &self,
        state: &State,
        thread: &Thread,
        command: Command,
    ) -> Option<Command> {
        if !self.code.accepts.contains(&command.opcode()) {
            return None;
        }
        let device = match command {
            Command::CfgiSte(device) | Command::CfgiCdAll(device) | Command::AtcInvAll(device) => {
                Some(device)
            }
            Command::CfgiCd(slot) | Command::AtcInv(slot, _) | Command::AtcInvSsid(slot) => {
                Some(self.device_of(slot))
            }
            _ => None,
        };
        let own = self.own_vmid(state, thread);
        match device {
            Some(device) => self.is_vdevice(state, thread, device).then_some(command),
            None => Some(with_vmid(command, own)),
        }
    }

    /// Whether a device is known under the vIOMMU of a thread (struct iommu_vdevice_alloc in iommufd.h).
    fn is_vdevice(&self, state: &State, thread: &Thread, device: Device) -> bool {
        let Some(viommu) = thread.regs[VIOMMU.0 as usize].checked_sub(1) else {
            return false;
        };
        let table = self
            .code
            .tables
            .iter()
            .position(|table| {
                table.key == crate::program::Kind::Viommu
                    && table.value == crate::program::Kind::Device
            })
            .expect("the reader refuses `fixup` without a table from viommu to device");
        state.memory.tables[table][viommu as usize] >> device.0 & 1 == 1
    }

    /// The VMID of the vIOMMU on whose behalf a thread runs.
    fn own_vmid(&self, state: &State, thread: &Thread) -> Vmid {
        let viommu = thread.regs[VIOMMU.0 as usize].checked_sub(1);
        viommu
            .and_then(|viommu| state.memory.vmid[viommu as usize].checked_sub(1))
            .map_or(GUEST_VMID, Vmid)
    }

    /// The ASIDs that may be given to a space, as a bit set; none if it has one.
    pub(crate) fn asids_for(&self, state: &State, space: Space) -> u8 {
        let asids = state.memory.asid;
        let viommu = self.viommu_of(space);
        let others =
            (0..self.bounds.spaces).filter(|&other| self.viommu_of(Space(other)) == viommu);
        let taken = others
            .filter_map(|other| asids[other as usize].checked_sub(1))
            .fold(0, |set, asid| set | 1 << asid);
        if asids[space.index()] != 0 {
            return 0;
        }
        first(self.bounds.asids) & !taken
    }

    /// The VMIDs that may be given to a vIOMMU, as a bit set; none if it has one.
    pub(crate) fn vmids_for(&self, state: &State, viommu: Viommu) -> u8 {
        let vmids = state.memory.vmid;
        if vmids[viommu.index()] != 0 {
            return 0;
        }
        let shares = |other: &Viommu| self.vm_of(*other) == self.vm_of(viommu);
        let used = |by: &dyn Fn(&Viommu) -> bool| {
            (0..self.bounds.viommus)
                .map(Viommu)
                .filter(by)
                .filter_map(|other| vmids[other.index()].checked_sub(1))
                .fold(0, |set, vmid| set | 1 << vmid)
        };
        match self.axes.vmid {
            VmidPer::Host => 1,
            VmidPer::Vm if used(&shares) != 0 => used(&shares),
            VmidPer::Vm | VmidPer::Viommu => first(self.bounds.vmids) & !used(&|_| true),
        }
    }

    /// STE word 2 for a vIOMMU's VMID, stored plus one.
    pub(crate) fn ste_word2(&self, vmid: u8, viommu: Viommu) -> u8 {
        vmid.checked_sub(1)
            .map_or(ste2::NONE, |vmid| ste2::new(Vmid(vmid), self.vm_of(viommu)))
    }

    /// The id that an operand names, if any.
    pub(crate) fn value(&self, thread: &Thread, operand: Operand) -> Option<u8> {
        let register = |Reg(reg)| thread.regs[reg as usize].checked_sub(1);
        match operand {
            Operand::Reg(reg) => register(reg),
            Operand::DeviceOf(reg) => register(reg).map(|slot| self.device_of(Slot(slot)).0),
            Operand::ViommuOf(reg) => register(reg).map(|space| self.viommu_of(Space(space)).0),
            Operand::VmOf(reg) => register(reg).map(|viommu| self.vm_of(Viommu(viommu)).0),
        }
    }

    /// The (table, key) that a row names, if any.
    fn cell(&self, thread: &Thread, row: Row) -> Option<(usize, usize)> {
        let key = self.value(thread, row.key)? as usize;
        let key = match row.viommu {
            None => key,
            Some(viommu) => self.value(thread, viommu)? as usize * self.bounds.asids as usize + key,
        };
        Some((row.table as usize, key))
    }

    /// Whether a value is in a row.
    pub(crate) fn has(&self, state: &State, thread: &Thread, row: Row, value: Operand) -> bool {
        match (self.cell(thread, row), self.value(thread, value)) {
            (Some(cell), Some(value)) => state.memory.tables[cell.0][cell.1] >> value & 1 == 1,
            _ => false,
        }
    }

    /// A value as a register holds it.
    fn read(&self, state: &State, thread: &Thread, what: ReadExpr) -> u8 {
        let memory = &state.memory;
        let row = |row: Row| {
            self.cell(thread, row)
                .map_or(0, |cell| memory.tables[cell.0][cell.1])
        };
        match what {
            ReadExpr::Asid(space) => self
                .value(thread, space)
                .map_or(0, |space| memory.asid[space as usize]),
            ReadExpr::CdAsid { viommu, slot } => {
                match (self.value(thread, viommu), self.value(thread, slot)) {
                    (Some(viommu), Some(slot)) => {
                        let word = memory.cd0[descriptor(Viommu(viommu), Slot(slot))];
                        plus_one(cd0::decode(word).map(|(asid, _)| asid.0))
                    }
                    _ => 0,
                }
            }
            ReadExpr::One(place) => plus_one(values(row(place)).next()),
            ReadExpr::Empty(place) => (row(place) == 0) as u8,
            ReadExpr::Has(place, value) => self
                .value(thread, value)
                .map_or(0, |value| row(place) >> value & 1),
        }
    }

    fn fixed_set(&self, thread: &Thread, set: FixedSet) -> u8 {
        match set {
            FixedSet::Pages => first(self.bounds.pages),
            FixedSet::Viommus(vm) => {
                let vm = self.value(thread, vm).map(Vm);
                self.viommus_of(vm)
                    .fold(0, |set, viommu| set | 1 << viommu.0)
            }
            FixedSet::Slots(device) => self.value(thread, device).map_or(0, |device| {
                self.slots_of(Device(device))
                    .fold(0, |set, slot| set | 1 << slot.0)
            }),
        }
    }

    /// The command that an expression stands for now; none if it names something that is none.
    pub(crate) fn resolve(
        &self,
        state: &State,
        thread: &Thread,
        command: CommandExpr,
    ) -> Option<Command> {
        let value = |operand| self.value(thread, operand);
        let vmid = |field| match field {
            VmidField::Guest => Some(GUEST_VMID),
            VmidField::Of(viommu) => state.memory.vmid[value(viommu)? as usize]
                .checked_sub(1)
                .map(Vmid),
        };
        Some(match command {
            CommandExpr::CfgiSte(device) => Command::CfgiSte(Device(value(device)?)),
            CommandExpr::CfgiCd(slot) => Command::CfgiCd(Slot(value(slot)?)),
            CommandExpr::CfgiCdAll(device) => Command::CfgiCdAll(Device(value(device)?)),
            CommandExpr::TlbiNhAll(field) => Command::TlbiNhAll(vmid(field)?),
            CommandExpr::TlbiNhAsid(field, asid) => {
                Command::TlbiNhAsid(vmid(field)?, Asid(value(asid)?))
            }
            CommandExpr::TlbiNhVa(field, asid, page) => {
                Command::TlbiNhVa(vmid(field)?, Asid(value(asid)?), Page(value(page)?))
            }
            CommandExpr::TlbiNhVaa(field, page) => {
                Command::TlbiNhVaa(vmid(field)?, Page(value(page)?))
            }
            CommandExpr::TlbiS2Ipa(field, ipa) => {
                Command::TlbiS2Ipa(vmid(field)?, Ipa(value(ipa)?))
            }
            CommandExpr::TlbiS12Vmall(field) => Command::TlbiS12Vmall(vmid(field)?),
            CommandExpr::TlbiNsnhAll => Command::TlbiNsnhAll,
            CommandExpr::AtcInv(slot, page) => {
                Command::AtcInv(Slot(value(slot)?), Page(value(page)?))
            }
            CommandExpr::AtcInvSsid(slot) => Command::AtcInvSsid(Slot(value(slot)?)),
            CommandExpr::AtcInvAll(device) => Command::AtcInvAll(Device(value(device)?)),
        })
    }

    /// A lock as a bit of [`crate::state::Memory::locks`]: each VM has its own of those that are its guest's or VMM's.
    fn lock_bit(&self, lock: u8, thread: usize) -> u8 {
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

/// A guest's command with the VMID that it means; a broader scope than the VM is narrowed to it.
fn with_vmid(command: Command, vmid: Vmid) -> Command {
    match command {
        Command::TlbiNhAll(_) | Command::TlbiNsnhAll => Command::TlbiNhAll(vmid),
        Command::TlbiNhAsid(_, asid) => Command::TlbiNhAsid(vmid, asid),
        Command::TlbiNhVa(_, asid, page) => Command::TlbiNhVa(vmid, asid, page),
        Command::TlbiNhVaa(_, page) => Command::TlbiNhVaa(vmid, page),
        Command::TlbiS2Ipa(_, ipa) => Command::TlbiS2Ipa(vmid, ipa),
        Command::TlbiS12Vmall(_) => Command::TlbiS12Vmall(vmid),
        other => other,
    }
}

/// An allocator's choice among candidates. Where there are none, only choice 0 is possible, and takes none.
fn pick(candidates: u8, choice: u8) -> Result<Option<u8>, Stop> {
    match candidates {
        0 if choice == 0 => Ok(None),
        _ if candidates >> choice & 1 == 1 => Ok(Some(choice)),
        _ => Err(Stop::NoSuchChoice),
    }
}

/// The set of the first `count` ids.
fn first(count: u8) -> u8 {
    ((1u16 << count) - 1) as u8
}

fn plus_one(id: Option<u8>) -> u8 {
    id.map_or(0, |id| id + 1)
}

fn set_bit(set: &mut u8, bit: u8, to: bool) {
    *set = *set & !(1 << bit) | (to as u8) << bit;
}
