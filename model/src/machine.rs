//! What a run is about: the bounds, the hardware, the axes of the variant, the threat, and the programs.

use vocab::{Asid, Device, Devices, Frame, Ipa, Slot, Space, Threat, Viommu, Vm};

use crate::caches::GLOBAL;
use crate::liveness::Live;
use crate::program::{Code, Instr, OpKind};

/// The largest bounds that a state can represent.
pub mod limit {
    /// Devices.
    pub const DEVICES: usize = 2;
    /// (device, ssid) pairs.
    pub const SLOTS: usize = 4;
    /// Virtual machines.
    pub const VMS: usize = 2;
    /// vIOMMUs of all VMs.
    pub const VIOMMUS: usize = 2;
    /// VMIDs.
    pub const VMIDS: usize = 2;
    /// ASIDs of one vIOMMU.
    pub const ASIDS: usize = 2;
    /// Address spaces of all vIOMMUs.
    pub const SPACES: usize = 4;
    /// Pages of one space.
    pub const PAGES: usize = 2;
    /// Intermediate pages of one VM.
    pub const IPAS: usize = 4;
    /// Threads of guests and host together.
    pub const THREADS: usize = 4;
    /// Commands that a guest may have in its queue.
    pub const BATCH: usize = 5;
    /// Commands of an IOMMU_HWPT_INVALIDATE array that are converted before they are issued together: 63 in Linux
    /// (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c: arm_vsmmu_cache_invalidate, CMDQ_BATCH_ENTRIES - 1).
    pub const CHUNK: usize = 2;
    /// Commands that are issued and not yet completed by a SYNC.
    pub const IN_FLIGHT: usize = 8;
    /// Software tables.
    pub const TABLES: usize = 4;
    /// Keys of a software table.
    pub const KEYS: usize = 4;
    /// Locks, counting one for each VM where each VM has its own.
    pub const LOCKS: usize = 8;
}

/// How many of everything a run has. A verdict is about these bounds and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each counts what its name says")]
pub struct Bounds {
    pub devices: u8,
    /// SubstreamIDs of each device.
    pub ssids: u8,
    /// ASIDs of each vIOMMU.
    pub asids: u8,
    /// VMIDs of the host. With fewer than vIOMMUs, the last vIOMMUs start without one and without devices.
    pub vmids: u8,
    /// Spaces of all vIOMMUs together; space `s` belongs to vIOMMU `s % viommus`.
    pub spaces: u8,
    pub pages: u8,
    /// Intermediate pages of each VM.
    pub ipas: u8,
    pub vms: u8,
    /// vIOMMUs of all VMs together; vIOMMU `u` belongs to VM `u % vms`.
    pub viommus: u8,
    /// Threads of all guests together; thread `t` belongs to VM `t % vms`.
    pub guest_threads: u8,
    pub host_threads: u8,
    /// What threads may begin; all others never happen.
    pub operations: Vec<OpKind>,
}

/// What kinds of hardware differ in; a file under `specs/hardware/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Whether a queue's commands take effect in the order in which they were issued.
    pub in_order: bool,
    /// Whether configuration caches hold invalid entries.
    pub caches_invalid: bool,
    /// Whether invalidating a stage-2 entry also drops combined entries made from it.
    pub s2_drops_combined: bool,
}

/// Where the CD table lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableMemory {
    /// In the guest's memory, where a scribbling guest can change it.
    Guest,
    /// In the hypervisor's memory.
    Hypervisor,
}

/// What becomes of traffic without a SubstreamID: STE.S1DSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S1dss {
    /// It aborts, and traffic with SSID 0 uses CD 0.
    Terminate,
    /// It uses CD 0, and traffic with SSID 0 aborts: Arm IHI 0070 G.b, 5.2 "Stream Table Entry", S1DSS=0b10.
    Ssid0,
    /// It bypasses stage 1, S1DSS=0b01, and the slot with SSID 0 is that traffic's. It uses no CD, and is always under way.
    Bypass,
}

/// Who shares a VMID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmidPer {
    /// Each vIOMMU has its own.
    Viommu,
    /// The vIOMMUs of a VM share one.
    Vm,
    /// All share one: what becomes of a VMID that users choose.
    Host,
}

/// In what variants differ that is not a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    /// Whether the devices have ATCs, and streams start with EATS=1.
    pub ats: bool,
    /// Where the CD table lies.
    pub cd_table: TableMemory,
    /// Who shares a VMID.
    pub vmid: VmidPer,
    /// Who uses the slots with SSID 0.
    pub s1dss: S1dss,
    /// Which errors the hardware may report.
    pub errors: Errors,
    /// Whether a guest binds slots of devices that are not attached yet: a driver writes a CD before the STE that leads to it.
    pub early_bind: bool,
}

/// What the hardware may report of commands: Arm IHI 0070 G.b, 4.1 "Commands overview", CMDQ_CONS.ERR. All false: no command fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// CERROR_ILL: a command that a guest has made has bits that the hardware does not take, and is not executed.
    pub illegal: bool,
    /// CERROR_ATC_INV_SYNC: a device did not answer an ATC_INV in time; raised on the SYNC behind it, and may name any stream.
    pub atc_timeout: bool,
}

/// How caches are represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMode {
    /// A cache is everything that may be cached; hardware takes no steps. The default.
    Saturated,
    /// A cache is what is cached; fills, evictions and the effects of commands are steps. The definition.
    Scheduled,
}

/// Everything about a run but the programs.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of Machine")]
pub struct Setup {
    pub bounds: Bounds,
    pub hardware: Hardware,
    pub axes: Axes,
    pub threat: Threat,
    pub devices: Devices,
    pub caches: CacheMode,
}

/// The machine: everything about a run that does not change.
#[derive(Clone, Debug)]
pub struct Machine {
    /// How many of everything.
    pub bounds: Bounds,
    /// The hardware.
    pub hardware: Hardware,
    /// The variant's axes.
    pub axes: Axes,
    /// What guests may do.
    pub threat: Threat,
    /// What devices may do.
    pub devices: Devices,
    /// How caches are represented.
    pub caches: CacheMode,
    /// The variant's programs.
    pub code: Code,
    /// For each entry how many outcomes its first visible instruction can have.
    pub(crate) begin_choices: Vec<u8>,
    /// For each instruction which registers are still read.
    pub(crate) live: Vec<Live>,
    /// Whether a stage-1 leaf can ever be global.
    pub(crate) has_globals: bool,
    /// Whether it is remembered which walks have begun. A hostile guest's tables hold anything, whoever's they are, and nobody asks whose:
    /// then every walk is possible that could have begun.
    pub(crate) remembers_ttbs: bool,
    /// Whether whatever an entry of an ASID lets a request reach a global entry does too, for at least as long, so that the former
    /// need not be kept: with one ASID and tables that hold anything the walk that yields the one yields the other, and no command
    /// removes the global one alone.
    pub(crate) globals_tell_all: bool,
}

impl Machine {
    /// A machine. What it may be asked of is checked by the reader of spec files; a code that no reader made may panic.
    pub fn new(setup: Setup, code: Code) -> Self {
        let Setup {
            bounds,
            hardware,
            axes,
            threat,
            devices,
            caches,
        } = setup;
        let begin_choices = Vec::new();
        let live = crate::liveness::live(&code);
        let writes_global = |instr: &Instr| matches!(instr, Instr::Pte { global: true, .. });
        // A scribbler's tables hold anything, and so does what one VM's tables are found to be through another's stage 2.
        let has_globals =
            threat != Threat::Honest || bounds.vms > 1 || code.instrs.iter().any(writes_global);
        let globals_tell_all = threat != Threat::Honest && bounds.asids == 1;
        let remembers_ttbs = threat != Threat::Hostile;
        let mut machine = Machine {
            bounds,
            hardware,
            axes,
            threat,
            devices,
            caches,
            code,
            begin_choices,
            live,
            has_globals,
            remembers_ttbs,
            globals_tell_all,
        };
        machine.begin_choices = machine
            .code
            .entries
            .iter()
            .map(|entry| {
                let first = machine.code.first_visible(entry.pc).into_iter();
                first.map(|instr| machine.choices(instr)).max().unwrap_or(1)
            })
            .collect();
        machine
    }

    /// The slot of a device's SubstreamID.
    pub fn slot(&self, device: Device, ssid: u8) -> Slot {
        Slot(device.0 * self.bounds.ssids + ssid)
    }

    /// The device of a slot.
    pub fn device_of(&self, slot: Slot) -> Device {
        Device(slot.0 / self.bounds.ssids)
    }

    /// Whether a slot is used by traffic without a SubstreamID, rather than by traffic with its SSID.
    pub fn is_without_ssid(&self, slot: Slot) -> bool {
        self.axes.s1dss != S1dss::Terminate && slot.0.is_multiple_of(self.bounds.ssids)
    }

    /// Whether a slot is that of traffic without a SubstreamID which bypasses stage 1.
    pub fn bypasses_stage_1(&self, slot: Slot) -> bool {
        self.axes.s1dss == S1dss::Bypass && self.is_without_ssid(slot)
    }

    /// The ASIDs of a vIOMMU, and what stands in the place of one in the tags of global entries.
    pub(crate) fn asids_and_global(&self) -> impl Iterator<Item = Asid> + use<> {
        (0..self.bounds.asids).map(Asid).chain([GLOBAL])
    }

    /// The VM of a vIOMMU.
    pub fn vm_of(&self, viommu: Viommu) -> Vm {
        Vm(viommu.0 % self.bounds.vms)
    }

    /// The vIOMMU of a space.
    pub fn viommu_of(&self, space: Space) -> Viommu {
        Viommu(space.0 % self.bounds.viommus)
    }

    /// The frame behind a VM's intermediate page: each has one of its own, so that a frame tells whose it is.
    pub fn frame(&self, vm: Vm, ipa: Ipa) -> Frame {
        Frame(vm.0 * self.bounds.ipas + ipa.0)
    }

    /// How many slots there are.
    pub fn slots(&self) -> u8 {
        self.bounds.devices * self.bounds.ssids
    }

    /// How many threads there are; the guests' first, then the host's.
    pub fn threads(&self) -> usize {
        (self.bounds.guest_threads + self.bounds.host_threads) as usize
    }

    /// The VM of a guest's thread; none for a host's.
    pub fn vm_of_thread(&self, thread: usize) -> Option<Vm> {
        (thread < self.bounds.guest_threads as usize).then(|| Vm(thread as u8 % self.bounds.vms))
    }
}
