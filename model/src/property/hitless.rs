//! P-HITLESS: what should go on goes on.
//!
//! P-USE is about what memory leads to; this is about every combination of words that may be latched, at each moment of an update.

use vocab::{Device, PropertyId, Viommu};

use super::tear::versions;
use super::usable::{InUse, pages_in_use};
use super::{Judged, Property};
use crate::caches::{bit, cd0, cd1, ste0, ste1};
use crate::machine::{Machine, S1dss};
use crate::state::State;

pub const PROPERTY: Property = Property {
    id: PropertyId::Hitless,
    claim: "while a device stays attached its traffic that bypasses stage 1 goes through the stage 2 of its VM, and while a slot stays bound \
            to a space its traffic goes through that space's tables: no STE or CD that may be in use aborts it or leads it elsewhere",
    source: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c: arm_smmu_write_entry, \"hitless update\"; Arm IHI 0070 G.b, 5.2 \"Stream Table \
             Entry\": Config, S1DSS",
    witness: "of an entry that must not be noticed two versions may be in use at the same time",
    broken_by: "specs/corpus/b11-mev-made-critical.toml",
    holds: Some(|machine, state| {
        disturbed_stream(machine, state).is_none() && disturbed_slot(machine, state).is_none()
    }),
    judged: Judged::Honest,
};

/// Devices whose traffic without SubstreamID must go on, and the vIOMMU that they serve.
fn steady_streams(machine: &Machine, state: &State) -> impl Iterator<Item = (Device, Viommu)> {
    let (ghost, bypass) = (state.ghost, machine.axes.s1dss == S1dss::Bypass);
    (0..machine.bounds.devices)
        .map(Device)
        .filter(move |device| bypass && ghost.steady_devices >> device.0 & 1 == 1)
        .filter_map(move |device| {
            let serves = ghost.attached[device.index()];
            (serves.count_ones() == 1).then_some((device, Viommu(serves.trailing_zeros() as u8)))
        })
}

/// The first device whose bypassing traffic does not go on as it should.
pub(crate) fn disturbed_stream(machine: &Machine, state: &State) -> Option<Device> {
    let caches = &state.caches;
    steady_streams(machine, state)
        .find(|&(device, viommu)| {
            let place = device.index();
            let leading = bit(ste0::nested(viommu)) | bit(ste0::S2_TRANS);
            let aborts =
                caches.ste0[place] & ste0::TABLES != 0 && caches.ste1[place] & !ste1::BYPASSES != 0;
            caches.ste0[place] & !leading != 0 || aborts || leaves(machine, state, device, viommu)
        })
        .map(|(device, _)| device)
}

/// The first page in use whose slot's traffic does not go on as it should.
pub(crate) fn disturbed_slot(machine: &Machine, state: &State) -> Option<InUse> {
    let caches = &state.caches;
    pages_in_use(machine, state).find(|in_use| {
        let (slot, viommu) = (in_use.slot.index(), machine.viommu_of(in_use.space));
        let device = machine.device_of(in_use.slot);
        caches.ste0[device.index()] & !bit(ste0::nested(viommu)) != 0
            || leaves(machine, state, device, viommu)
            || caches.cd0[slot] & !cd0::WALKS != 0
            || caches.cd1[slot] & !bit(cd1::ttb(in_use.space)) != 0
    })
}

/// Whether a stage 2 that is not a vIOMMU's, or none, may be in use for a device.
fn leaves(machine: &Machine, state: &State, device: Device, viommu: Viommu) -> bool {
    let own = machine.ste_word2(state.memory.vmid[viommu.index()], viommu);
    state.caches.ste2[device.index()] & !bit(own) != 0
}

/// The property's bit if a state puts it to the test.
pub(crate) fn witness(machine: &Machine, state: &State) -> u16 {
    let caches = &state.caches;
    let stream = |device: Device| {
        let place = device.index();
        versions(&[caches.ste0[place], caches.ste1[place], caches.ste2[place]]) > 1
    };
    let slot = |in_use: InUse| {
        let place = in_use.slot.index();
        versions(&[caches.cd0[place], caches.cd1[place]]) > 1
            || stream(machine.device_of(in_use.slot))
    };
    let tested = steady_streams(machine, state).any(|(device, _)| stream(device))
        || pages_in_use(machine, state).any(slot);
    match tested {
        true => PropertyId::Hitless.bit(),
        false => 0,
    }
}
