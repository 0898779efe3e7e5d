//! A machine with two of everything, and a state in which a device reaches a frame: what tests of the hardware part begin with.

use vocab::{Asid, Devices, Ipa, Page, Slot, Space, Threat, Viommu, Vm, Vmid};

use crate::caches::{cd0, cd1, ste0, ste1, ste2};
use crate::machine::{
    Axes, Bounds, CacheMode, Errors, Hardware, Machine, S1dss, Setup, TableMemory, VmidPer,
};
use crate::program::Code;
use crate::state::{State, descriptor, leaf, pte};

/// Two of everything, honest guests, devices that do as they are told, commands in any order, invalid structures cached.
pub(crate) fn machine() -> Machine {
    machine_with(|_| {})
}

/// The same, but for what a test changes.
pub(crate) fn machine_with(change: impl FnOnce(&mut Setup)) -> Machine {
    let mut setup = Setup {
        bounds: Bounds {
            devices: 2,
            ssids: 2,
            asids: 2,
            vmids: 2,
            spaces: 4,
            pages: 2,
            ipas: 2,
            vms: 2,
            viommus: 2,
            guest_threads: 2,
            host_threads: 1,
            operations: Vec::new(),
        },
        hardware: Hardware {
            in_order: false,
            caches_invalid: true,
            s2_drops_combined: false,
        },
        axes: Axes {
            ats: true,
            cd_table: TableMemory::Guest,
            vmid: VmidPer::Viommu,
            errors: Errors::default(),
            early_bind: false,
            s1dss: S1dss::Terminate,
        },
        threat: Threat::Honest,
        devices: Devices::Driven,
        caches: CacheMode::Saturated,
    };
    change(&mut setup);
    Machine::new(setup, Code::default())
}

/// The CD of slot 0.
pub(crate) const CD: usize = descriptor(Viommu(0), Slot(0));
/// The leaf of page 0.
pub(crate) const LEAF: usize = leaf(Space(0), Page(0));

/// Page 0 of slot 0 leads to frame 0, with a VMID and ASID 0; nothing is cached, and nothing else leads anywhere.
pub(crate) fn state(vmid: Vmid) -> State {
    let mut state = State::default();
    let memory = &mut state.memory;
    memory.ste0[0] = ste0::nested(Viommu(0));
    memory.ste1[0] = ste1::new(true, false);
    memory.ste2[0] = ste2::new(vmid, Vm(0));
    memory.cd0[CD] = cd0::valid(Asid(0));
    memory.cd1[CD] = cd1::ttb(Space(0));
    memory.pte[LEAF] = pte::new(Ipa(0), false);
    memory.s2[0] = 1;
    memory.active = 1;
    state
}
