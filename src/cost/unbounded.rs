//! The same code without a state of a fixed size: what operations call and issue, for as many slots and pages as one likes.
//!
//! What programs do depends on what software knows: tables, ASIDs, descriptors in memory, locks. Nothing here is about caches, so nothing
//! here is bounded by what a state can represent. It is a second reading of the instructions; wherever the machine can
//! perform an operation too, [`super::of`] compares the two and takes a difference for an internal error.

mod running;

use std::collections::{BTreeMap, BTreeSet};

use model::limit;
use model::program::{
    CommandExpr, Crossing, FixedSet, Instr, Kind, Operand, ReadExpr, Reg, Row, Start, TableStart,
    VIOMMU, VmidField, Word0,
};
use model::{Code, Cost, Pc};
use vocab::Opcode;

use super::Point;
use super::alone::{Obstacle, Operation, text};
use super::situation::{measured, preparation};
use running::{Request, Running, Waits, parts};

/// The one device, vIOMMU, VM and VMID that there are.
const ONLY: u8 = 0;

/// More instructions than any operation on so few slots and pages executes: it must be waiting for something in a loop.
const FUEL: u32 = 1_000_000;

/// What the calls of an operation at a point are; `dropped` is not counted.
pub fn count(code: &Code, kind: model::OpKind, point: Point) -> Result<Cost, Obstacle> {
    let mut software = Software::new(code, point);
    for before in preparation(kind, point) {
        software.perform(before)?;
    }
    software.perform(measured(kind, point))
}

/// What software knows between operations.
struct Software<'a> {
    code: &'a Code,
    point: Point,
    tables: BTreeMap<(u8, u8), BTreeSet<u8>>,
    /// By space.
    asids: BTreeMap<u8, u8>,
    /// The ASID of each descriptor in memory that is valid.
    descriptors: BTreeMap<u8, u8>,
    has_vmid: bool,
    locks: BTreeSet<u8>,
    /// SYNCs that the VMM has let pass, modulo the cut.
    passed: u8,
}

impl<'a> Software<'a> {
    fn new(code: &'a Code, point: Point) -> Self {
        let lists_devices =
            |(_, table): &(usize, &model::program::Table)| table.start == TableStart::Attached;
        let listed = code.tables.iter().enumerate().filter(lists_devices);
        Software {
            code,
            point,
            tables: listed
                .map(|(table, _)| ((table as u8, ONLY), BTreeSet::from([ONLY])))
                .collect(),
            asids: BTreeMap::new(),
            descriptors: BTreeMap::new(),
            has_vmid: true,
            locks: BTreeSet::new(),
            passed: 0,
        }
    }

    /// Performs an operation from its beginning to its return.
    fn perform(&mut self, operation: Operation) -> Result<Cost, Obstacle> {
        let code = self.code;
        let is_it =
            |start: &Start| matches!(start, Start::Operation(kind) if *kind == operation.kind);
        let entry = code.entries.iter().find(|entry| is_it(&entry.start));
        let mut pc = entry.ok_or(Obstacle::MayNotBegin)?.pc;
        let mut running = Running::default();
        for (place, _) in operation.kind.params().iter().enumerate() {
            running.values[place] = Some(operation.args[place]);
        }
        if operation.kind.is_guests() {
            running.values[VIOMMU.0 as usize] = Some(ONLY);
        }
        for _ in 0..FUEL {
            match code.instrs[pc as usize] {
                Instr::Return => return Ok(running.cost),
                Instr::Fail => return Err(Obstacle::Fails),
                instr => {
                    let goes = self.execute(instr, &mut running);
                    pc = goes
                        .map_err(|Waits| Obstacle::Waits(text(code, pc)))?
                        .unwrap_or(pc + 1);
                }
            }
        }
        panic!("a program goes round without end; the reader should have refused it");
    }

    /// Performs an instruction. Returns where to go on, if not at the next one.
    fn execute(&mut self, instr: Instr, this: &mut Running) -> Result<Option<Pc>, Waits> {
        match instr {
            // Memory that only the SMMU reads.
            Instr::Pte { .. }
            | Instr::CdWord1 { .. }
            | Instr::SteWord0 { .. }
            | Instr::SteWord1 { .. }
            | Instr::SteWord2 { .. }
            | Instr::S2 { .. } => {}
            // Ghosts.
            Instr::Ask(_) | Instr::Report => {}
            Instr::Answer => this.queue.clear(),
            Instr::CdWord0 { slot, value, .. } => {
                if let Some(slot) = this.value(slot) {
                    let asid = match value {
                        Word0::Invalid => None,
                        Word0::Valid(asid) | Word0::Epd(asid) => this.value(asid),
                    };
                    match asid {
                        None => self.descriptors.remove(&slot),
                        Some(asid) => self.descriptors.insert(slot, asid),
                    };
                }
            }
            Instr::Insert(row, value) | Instr::Remove(row, value) => {
                if let (Some(cell), Some(value)) = (this.cell(row), this.value(value)) {
                    let row = self.tables.entry(cell).or_default();
                    match instr {
                        Instr::Insert(..) => row.insert(value),
                        _ => row.remove(&value),
                    };
                }
            }
            Instr::AllocAsid(space) => {
                let free = (0..).find(|asid| !self.asids.values().any(|taken| taken == asid));
                if let (Some(space), Some(free)) = (this.value(space), free) {
                    self.asids.entry(space).or_insert(free);
                }
            }
            Instr::FreeAsid(space) => {
                if let Some(space) = this.value(space) {
                    self.asids.remove(&space);
                }
            }
            Instr::AllocVmid(viommu) => self.has_vmid |= this.value(viommu).is_some(),
            Instr::FreeVmid(viommu) => self.has_vmid &= this.value(viommu).is_none(),
            Instr::Read(Reg(into), what) => this.values[into as usize] = self.read(this, what),
            Instr::ReadSet(Reg(into), row) => this.sets[into as usize] = self.row(this, row),
            Instr::Require { row, value, to } => {
                return Ok((!self.has(this, row, value)).then_some(to));
            }
            Instr::Wait(row) if !self.row(this, row).is_empty() => return Err(Waits),
            Instr::Wait(_) => {}
            Instr::Lock(lock) if !self.locks.insert(lock) => return Err(Waits),
            Instr::Lock(_) => {}
            Instr::Unlock(lock) => {
                self.locks.remove(&lock);
            }
            Instr::Hwq(_, command) => {
                if self.request(this, command).is_some() {
                    this.cost.commands += 1;
                }
            }
            Instr::HwqGuest { fixup, to, .. } => {
                let request = this
                    .taken
                    .expect("a command is forwarded after it was taken");
                if fixup && !self.accepts(request) {
                    return Ok(Some(to));
                }
                this.cost.commands += 1;
            }
            Instr::Chunk { to } => {
                let request = this
                    .taken
                    .expect("a command is converted after it was taken");
                if !self.accepts(request) {
                    return Ok(Some(to));
                }
                this.chunk.push_back(request);
            }
            Instr::HwqChunk(_) => {
                this.chunk.pop_front();
                this.cost.commands += 1;
            }
            Instr::ChunkFull { to } => return Ok((this.chunk.len() < limit::CHUNK).then_some(to)),
            Instr::ChunkEmpty { to } => return Ok(this.chunk.is_empty().then_some(to)),
            Instr::DeviceOfCommand(Reg(into)) => {
                this.values[into as usize] = this.taken.and_then(|request| request.device);
            }
            Instr::Sync(_) => this.cost.syncs += 1,
            // Alone, nothing fails that may.
            Instr::MayFail { .. } => {}
            Instr::OnError { to } => return Ok(Some(to)),
            Instr::Cmdq(command) => this.queue.extend(self.request(this, command)),
            Instr::Cut { every, to } => {
                self.passed = (self.passed + 1) % every;
                return Ok((self.passed != 0).then_some(to));
            }
            Instr::TakeCommand { to } => {
                this.taken = this.queue.pop_front();
                return Ok(this.taken.is_none().then_some(to));
            }
            Instr::LoadSet(Reg(into), set) => this.sets[into as usize] = self.fixed_set(this, set),
            Instr::Next { from, into, to } => {
                let next = this.sets[from.0 as usize].pop_first();
                this.values[into.0 as usize] = next;
                return Ok(next.is_none().then_some(to));
            }
            Instr::Branch { on, to } => {
                return Ok(this.values[on.0 as usize].is_none().then_some(to));
            }
            Instr::Jump(to) => return Ok(Some(to)),
            Instr::Clear(Reg(register)) => {
                this.values[register as usize] = None;
                this.sets[register as usize].clear();
            }
            Instr::Enter(Crossing::Exit) => this.cost.exits += 1,
            Instr::Enter(Crossing::Ioctl) => this.cost.ioctls += 1,
            Instr::Enter(Crossing::Hypercall) => this.cost.hypercalls += 1,
            Instr::Refused => this.queue.clear(),
            Instr::Return | Instr::Fail => unreachable!("they end the operation"),
        }
        Ok(None)
    }

    fn row(&self, this: &Running, row: Row) -> BTreeSet<u8> {
        let cell = this.cell(row).and_then(|cell| self.tables.get(&cell));
        cell.cloned().unwrap_or_default()
    }

    fn has(&self, this: &Running, row: Row, value: Operand) -> bool {
        this.value(value)
            .is_some_and(|value| self.row(this, row).contains(&value))
    }

    /// A value as a register holds it: true is something, false is none.
    fn read(&self, this: &Running, what: ReadExpr) -> Option<u8> {
        match what {
            ReadExpr::Asid(space) => self.asids.get(&this.value(space)?).copied(),
            ReadExpr::CdAsid { slot, .. } => self.descriptors.get(&this.value(slot)?).copied(),
            ReadExpr::One(row) => self.row(this, row).pop_first(),
            ReadExpr::Empty(row) => self.row(this, row).is_empty().then_some(0),
            ReadExpr::Has(row, value) => self.has(this, row, value).then_some(0),
        }
    }

    fn fixed_set(&self, this: &Running, set: FixedSet) -> BTreeSet<u8> {
        let named = |operand| this.value(operand).is_some();
        match set {
            FixedSet::Pages => (0..self.point.n).collect(),
            FixedSet::Viommus(vm) => named(vm).then_some(ONLY).into_iter().collect(),
            // Those of the space, and one of another.
            FixedSet::Slots(device) if named(device) => (0..=self.point.k).collect(),
            FixedSet::Slots(_) => BTreeSet::new(),
        }
    }

    /// A command, unless it names something that is none.
    fn request(&self, this: &Running, command: CommandExpr) -> Option<Request> {
        let (opcode, vmid, named) = parts(command);
        if let Some(VmidField::Of(viommu)) = vmid {
            this.value(viommu).filter(|_| self.has_vmid)?;
        }
        for operand in named.into_iter().flatten() {
            this.value(operand)?;
        }
        // A command either has a VMID or is about a device.
        let device = match vmid {
            None if opcode != Opcode::TlbiNsnhAll => Some(ONLY),
            _ => None,
        };
        Some(Request { opcode, device })
    }

    /// What `fixup` makes of a guest's command.
    fn accepts(&self, request: Request) -> bool {
        let is_known = |device: u8| {
            let mut tables = self.code.tables.iter();
            let table = tables
                .position(|table| (table.key, table.value) == (Kind::Viommu, Kind::Device))
                .expect("the reader refuses `fixup` without a table from viommu to device");
            let row = self.tables.get(&(table as u8, ONLY));
            row.is_some_and(|row| row.contains(&device))
        };
        self.code.accepts.contains(&request.opcode) && request.device.is_none_or(is_known)
    }
}
