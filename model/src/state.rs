//! The state: what software wrote last, what may be cached, where each thread is, and the ghosts.
//!
//! Plain old data of a fixed size, so that a search can hash, compare and pack it without knowing what it means. Nothing here can
//! be derived from something else here. All ids are stored plus one where "none" is possible, so that zero is always "nothing".

use bytemuck::{Pod, Zeroable};

use vocab::{Ipa, Page, Slot, Space, Viommu};

use crate::caches::Caches;
use crate::command::Tags;
use crate::machine::limit;
use crate::program::REGISTERS;

/// Everything that a run remembers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct State {
    /// What is, or may be, cached.
    pub caches: Caches,
    /// Commands that were issued and not yet completed by a SYNC; packed to the front, in the order of [`crate::flight`].
    pub flight: [InFlight; limit::IN_FLIGHT],
    /// The guests' threads, then the host's.
    pub threads: [Thread; limit::THREADS],
    /// What software wrote last.
    pub memory: Memory,
    /// What may legitimately be reached; read by properties only.
    pub ghost: Ghost,
}

/// A command between its issue and its SYNC.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct InFlight {
    /// The queue plus one; 0 if this place is free.
    pub queue: u8,
    /// The threads whose SYNC was issued behind it, as a bit set.
    pub covered: u8,
    /// The command, by [`crate::command::encode`].
    pub command: u16,
    /// The entries that will be gone when the command has taken effect; empty in the scheduled mode.
    pub doomed: Doomed,
}

/// [`Caches`] with an order, so that commands in flight can be sorted.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Doomed(pub Caches);

impl PartialOrd for Doomed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Doomed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        bytemuck::bytes_of(self).cmp(bytemuck::bytes_of(other))
    }
}

/// A thread of execution.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Thread {
    /// The next instruction, always a visible one; 0 if idle.
    pub pc: u16,
    /// The taken command, by [`crate::command::encode`]; 0 if none.
    pub command: u16,
    /// The guest's command queue, as far as this vCPU has filled it: oldest first, 0 behind the last.
    pub batch: [u16; limit::BATCH],
    /// Commands of the guest that were converted and not issued yet: oldest first, 0 behind the last.
    pub chunk: [u16; limit::CHUNK],
    /// A ghost: what the guest asked to be invalidated and was not issued yet.
    pub asked: Tags,
    /// A ghost: what must be completed by a SYNC before the guest's request may be reported as handled.
    pub owed: Tags,
    /// A ghost: of what was issued since the thread's last SYNC, that which the SYNC will complete of [`Thread::owed`], and what may
    /// time out at it.
    pub unsynced: Tags,
    /// Where it began, plus one; 0 if idle.
    pub entry: u8,
    /// How many SYNCs of its queue the VMM has let pass, modulo the cut.
    pub syncs: u8,
    /// The locks that it holds, as bits of [`Memory::locks`].
    pub held: u8,
    /// What happened to it, as a set of [`note`]s.
    pub notes: u8,
    /// Registers: see [`crate::program::Reg`].
    pub regs: [u8; REGISTERS],
}

/// Bits of [`Thread::notes`].
pub mod note {
    /// A ghost: a command was issued since the operation began.
    pub const ISSUED: u8 = 1;
    /// A ghost: something has failed since the last answer to a request of this guest.
    pub const FAILED: u8 = 2;
    /// The hardware has reported an error for the step before; gone when the thread waits again.
    pub const ERROR: u8 = 4;
}

/// What software wrote last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Memory {
    /// Stage-1 leaf entries by space and page: [`pte`] values.
    pub pte: [u8; limit::SPACES * limit::PAGES],
    /// Word 0 of CDs by vIOMMU and slot: [`crate::caches::cd0`].
    pub cd0: [u8; limit::VIOMMUS * limit::SLOTS],
    /// Word 1 of CDs by vIOMMU and slot: [`crate::caches::cd1`].
    pub cd1: [u8; limit::VIOMMUS * limit::SLOTS],
    /// Word 0 of STEs: [`crate::caches::ste0`].
    pub ste0: [u8; limit::DEVICES],
    /// Word 1 of STEs: EATS.
    pub ste1: [u8; limit::DEVICES],
    /// Word 2 of STEs: [`crate::caches::ste2`].
    pub ste2: [u8; limit::DEVICES],
    /// Stage 2 of each VM: the ipas that are mapped, as a bit set.
    pub s2: [u8; limit::VMS],
    /// The guest's ASID of each space, plus one.
    pub asid: [u8; limit::SPACES],
    /// The host's VMID of each vIOMMU, plus one.
    pub vmid: [u8; limit::VIOMMUS],
    /// Software tables: sets of values by table and key.
    pub tables: [[u8; limit::KEYS]; limit::TABLES],
    /// Locks that are held, as a bit set.
    pub locks: u8,
    /// Slots whose driver lets the device use them: from the return of bind to the return of unbind. Only driven devices care.
    pub active: u8,
}

/// What may legitimately be reached. Never read by software or hardware.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Ghost {
    /// Frames that DMA through a space's page may reach: join when map begins, leave when unmap (or exit) returns.
    pub grant: [u8; limit::SPACES * limit::PAGES],
    /// Spaces that a slot may use: join when bind (or replace) begins, leave when unbind (or replace) returns.
    pub bound: [u8; limit::SLOTS],
    /// Frames that a VM may reach: join when lend begins, leave when reclaim returns.
    pub lent: [u8; limit::VMS],
    /// vIOMMUs that a device may serve: join when attach begins, leave when detach returns.
    pub attached: [u8; limit::DEVICES],
    /// Spaces that have exited and are still bound somewhere.
    pub dead: u8,
    /// Devices whose attach has returned (or that began attached), and of which no detach has begun since.
    pub steady_devices: u8,
    /// Pages of spaces, by [`leaf`], whose map has returned, and of which no unmap or exit has begun since.
    pub steady_pages: u8,
    /// Slots whose bind (or replace) has returned, and of which no unbind or replace has begun since.
    pub steady_slots: u8,
    /// Frames whose lend has returned (or that began lent), and of which no reclaim has begun since.
    pub steady_frames: u8,
    /// Keeps the size even.
    pub unused: u8,
    /// What the last step did wrong, as a set of [`vocab::PropertyId::bit`]: P-CONF and P-SCOPE are about steps, not states.
    pub offence: u16,
}

/// Values of stage-1 leaf entries, {valid, output address, nG}.
pub mod pte {
    use super::{Ipa, limit};

    /// Not valid.
    pub const NONE: u8 = 0;

    /// nG=0.
    const GLOBAL: u8 = 1 << 7;

    /// Maps to an intermediate page, for one ASID (nG=1) or for every one (nG=0).
    pub const fn new(ipa: Ipa, global: bool) -> u8 {
        (1 + ipa.0) | if global { GLOBAL } else { 0 }
    }

    /// What a valid entry maps to, and whether it is global.
    pub const fn decode(entry: u8) -> Option<(Ipa, bool)> {
        match entry {
            NONE => None,
            entry => Some((Ipa((entry & !GLOBAL) - 1), entry & GLOBAL != 0)),
        }
    }

    const _: () = assert!(limit::IPAS < GLOBAL as usize);
}

/// The place of (space, page) in arrays.
pub const fn leaf(space: Space, page: Page) -> usize {
    space.index() * limit::PAGES + page.index()
}

/// The place of a vIOMMU's CD of a slot in arrays.
pub const fn descriptor(viommu: Viommu, slot: Slot) -> usize {
    viommu.index() * limit::SLOTS + slot.index()
}

impl Memory {
    /// What a space's page maps to.
    pub fn ipa(&self, space: Space, page: Page) -> Option<Ipa> {
        pte::decode(self.pte[leaf(space, page)]).map(|(ipa, _)| ipa)
    }
}

impl Thread {
    /// Whether no operation or call is in progress.
    pub const fn is_idle(&self) -> bool {
        self.entry == 0
    }

    /// How many SYNCs in a row the VMM has let pass after the next one; none if that one is forwarded.
    pub(crate) const fn syncs_after_next(&self, every: u8) -> u8 {
        (self.syncs + 1) % every
    }
}
