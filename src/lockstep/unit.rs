//! A way of accessing memory: a TBU with some policy of caching, and the devices' ATCs behind it.

use std::any::Any;

use engine::cache::{Caches, Exact, Fast, NoCaches, Preset, Replacement};
use engine::{
    Access, Atc, AtcInvalidation, AtcMiss, Iova, Refusal, Smmu, SubstreamId, Tbu, Transaction,
    Translation,
};
use model::limit;
use vm_memory::GuestMemoryMmap;
use vocab::Device;

use super::chosen::Chosen;
use super::encode;

/// What the board's memory is.
pub type Memory = GuestMemoryMmap<()>;

/// More translations than a device can have here.
const ATC_CAPACITY: usize = 64;

/// Accesses of devices, with caches of one kind.
pub trait Unit {
    /// What is said of it in reports.
    fn name(&self) -> &'static str;
    /// An untranslated access.
    fn access(
        &mut self,
        device: Device,
        ssid: Option<SubstreamId>,
        address: Iova,
        how: Access,
    ) -> Result<Translation, Refusal>;
    /// An access through the device's ATC.
    fn through_atc(
        &mut self,
        device: Device,
        ssid: Option<SubstreamId>,
        address: Iova,
        how: Access,
    ) -> Result<Translation, AtcMiss>;
    /// An invalidation request reaches a device.
    fn invalidate(&self, invalidation: &AtcInvalidation);
    /// Its caches, if they are told what to keep, with the commands consumed so far.
    fn chosen(&mut self) -> Option<&mut Chosen>;
    /// The devices' caches are emptied. Those of the SMMU are by a change of its registers.
    fn reset(&mut self);
}

/// A TBU and the ATCs of the devices that use it.
struct Through<'s, C> {
    name: &'static str,
    tbu: Tbu<'s, Memory, C>,
    atcs: [Atc; limit::DEVICES],
}

/// Empty ATCs.
fn atcs() -> [Atc; limit::DEVICES] {
    std::array::from_fn(|device| Atc::new(encode::sid(Device(device as u8)), ATC_CAPACITY))
}

/// A unit with these caches.
pub fn unit<'s, C: Caches + Any>(
    name: &'static str,
    smmu: &'s Smmu<Memory>,
    caches: C,
) -> Box<dyn Unit + 's> {
    let tbu = smmu
        .tbu_with(caches)
        .expect("an SMMU has more seats than a board has units");
    Box::new(Through {
        name,
        tbu,
        atcs: atcs(),
    })
}

/// One of each kind of caches that the engine ships: none, which fetches everything anew; those that forget too much, in two sizes;
/// those that forget what is named, in two sizes.
pub fn all(smmu: &Smmu<Memory>) -> Vec<Box<dyn Unit + '_>> {
    vec![
        unit("no caches", smmu, NoCaches),
        unit("fast", smmu, Fast::default()),
        unit("fast, tiny", smmu, Fast::new(2, 2, 2)),
        unit("exact, QEMU 10.0", smmu, Exact::new(Preset::QEMU_10_0)),
        unit(
            "exact, tiny",
            smmu,
            Exact::new(Preset::custom(8, 2, Replacement::Lru)),
        ),
    ]
}

/// Caches that are told what to keep, and none.
pub fn chosen(smmu: &Smmu<Memory>) -> Vec<Box<dyn Unit + '_>> {
    vec![
        unit("chosen", smmu, Chosen::new()),
        unit("no caches", smmu, NoCaches),
    ]
}

impl<C: Caches + Any> Unit for Through<'_, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn access(
        &mut self,
        device: Device,
        ssid: Option<SubstreamId>,
        address: Iova,
        how: Access,
    ) -> Result<Translation, Refusal> {
        let transaction = Transaction::new(encode::sid(device), ssid, address, how);
        self.tbu.burst().translate(&transaction)
    }

    fn through_atc(
        &mut self,
        device: Device,
        ssid: Option<SubstreamId>,
        address: Iova,
        how: Access,
    ) -> Result<Translation, AtcMiss> {
        let atc = &self.atcs[device.index()];
        atc.translate(&mut self.tbu.burst(), ssid, address, how)
    }

    fn invalidate(&self, invalidation: &AtcInvalidation) {
        let atc = self.atcs.iter().find(|atc| atc.sid() == invalidation.sid);
        if let Some(atc) = atc {
            atc.invalidate(invalidation);
        }
    }

    fn chosen(&mut self) -> Option<&mut Chosen> {
        // An empty burst takes in what was consumed.
        self.tbu.burst().translate_all(&[], &mut Vec::new());
        let caches: &mut dyn Any = self.tbu.caches_mut();
        caches.downcast_mut()
    }

    fn reset(&mut self) {
        self.atcs = atcs();
    }
}
