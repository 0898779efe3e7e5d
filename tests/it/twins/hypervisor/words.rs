//! What a guest and its hypervisor write: STEs and CDs, by the model's map.

use engine::Asid;
use engine::StreamId;
use engine::hypervisor::{self, CdStore, VirtualSte};
use engine::layout::Ste;
use model::Machine;
use model::caches::{cd0, cd1, ste0, ste1, ste2};
use nestcheck::lockstep::encode;
use vocab::{Device, Slot, Space, Viommu, Vm, Vmid};

use super::super::act;
use super::queue::Written;

/// How much larger a device's virtual StreamID is than its physical one.
pub const VIRTUAL: u32 = 0x20;

/// How a guest calls a device.
pub fn vsid(device: Device) -> StreamId {
    StreamId(encode::sid(device).0 + VIRTUAL)
}

/// The STE of stage 2 alone that a vIOMMU is nested on: the VM's, with a VMID for each vIOMMU.
pub fn parent(Viommu(viommu): Viommu) -> Ste {
    let [word2, word3] = encode::ste_words2(ste2::new(Vmid(viommu), Vm(0)));
    let word0 = encode::ste_word0(Device(0), ste0::S2_TRANS);
    Ste::from_words([word0, 0, word2, word3, 0, 0, 0, 0])
}

/// The physical STE of a device whose guest has its CD table where the model's has.
pub fn nested(machine: &Machine, viommu: &hypervisor::Viommu, device: Device) -> Ste {
    const CONFIG: u64 = 7 << 1;
    let word0 = encode::ste_word0(device, ste0::nested(act::viommu_of(machine, device)));
    let word1 = encode::ste_word1(machine, ste1::new(machine.axes.ats, false));
    let ste = VirtualSte::validate([word0 & !CONFIG | 5 << 1, word1])
        .and_then(|vste| viommu.attach(encode::sid(device), &vste, true))
        .expect("the guest's STE is a common one");
    // Events of a guest are merged, which the model does not have (`arm_smmu_make_nested_domain_ste`).
    assert!(ste.word1.mev());
    Ste {
        word1: ste.word1.with_mev(false),
        ..ste
    }
}

/// A store to a slot's CD, of a space's tables.
pub fn store_cd(
    machine: &Machine,
    written: &Written<'_>,
    slot: Slot,
    space: Space,
    store: CdStore,
) {
    let at = act::cd(machine, slot);
    // The model counts from 0.
    let tag = |Asid(asid): Asid| vocab::Asid((asid - 1) as u8);
    match store {
        CdStore::Rest => written.put(at + 8, encode::cd_word1(cd1::ttb(space))),
        CdStore::Valid(asid) => written.put(at, encode::cd_word0(cd0::valid(tag(asid)))),
        CdStore::Ended(asid) => written.put(at, encode::cd_word0(cd0::epd(tag(asid)))),
        CdStore::Invalid => written.put(at, encode::cd_word0(cd0::INVALID)),
    }
}
