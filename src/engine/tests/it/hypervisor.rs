//! The hypervisor's side: what guests may write, what becomes of it, and that caches forget in time.

mod batches;
mod commands;
mod events;
mod forward;
mod parent;
mod strategies;
mod user_array;
mod vste;

use std::collections::BTreeMap;

use engine::cache::Fast;
use engine::hypervisor::{self, CdStore, HostQueue, Issued, SteStore, Stuck, Viommu, VirtualSte};
use engine::layout::Ste;
use engine::{
    Asid, Atc, AtcInvalidation, Endpoints, Features, Iova, StreamId, SubstreamId, Tbu, TimedOut,
    Transaction,
};
use vm_memory::GuestMemoryMmap;

use crate::support::guest::*;
use crate::support::tables::{Leaf, Pages, Tree};

/// The ASID of the scene's tables.
const ASID: Asid = Asid(7);
/// How the guest calls [`SID`].
const VSID: StreamId = StreamId(0x21);
const VA: u64 = 0x12_3456_7000;
const IPA: u64 = 0xd000_0000;
const PA: u64 = 0x7_0000_0000;
const VMID: u16 = 3;

/// A guest with one device, whose CD table has CD 0 and CD 1, both of the same tables: VA -> IPA -> PA, and VA + 0x1000 likewise.
struct Scene {
    guest: Guest,
    inner: Tree,
    outer: Tree,
    viommu: Viommu,
    /// The CD table, as the host addresses it.
    cds: u64,
    queue: u64,
    /// The guest's STE: stage 1, two CDs, CD 0 without a PASID, EATS.
    vste: [u64; 2],
}

fn scene() -> Scene {
    let mut guest = Guest::new(Features::all());
    let mut outer = guest.stage2(K4_S2);
    let mut inner = Tree::new(K4, &mut Inner(&mut guest));
    for page in [0, 0x1000] {
        assert!(inner.map(&mut Inner(&mut guest), VA + page, IPA + page, 3, S1_RW, 0));
        assert!(outer.map(&mut Host(&mut guest), IPA + page, PA + page, 3, S2_RW, 0));
    }
    let cds = guest.area(128);
    let queue = guest.area(16 << 7);
    let parent = Ste::from_words(ste_s2(&outer, VMID));
    let mut viommu = Viommu::new(parent).expect("stage 2 alone");
    viommu
        .devices
        .add(VSID, SID)
        .expect("nothing else is there");
    let vste = [1 | 5 << 1 | (cds + GUEST_OFFSET) | 1 << 59, 2 | 1 << 28];
    let attached = VirtualSte::validate(vste)
        .and_then(|vste| viommu.attach(SID, &vste, true))
        .expect("a common STE");
    guest.set_ste(SID, attached.words());
    Scene {
        guest,
        inner,
        outer,
        viommu,
        cds,
        queue,
        vste,
    }
}

impl Scene {
    /// The guest writes a CD of an ASID, or an invalid one.
    fn write_cd(&self, index: u64, asid: Option<Asid>) {
        let words = asid.map_or([0; 8], |asid| cd(&self.inner, asid.0));
        self.guest.write(self.cds + index * 64, &words);
    }

    /// One store to a CD of the scene's tables.
    fn store_cd(&self, index: u64, store: CdStore) {
        let at = self.cds + index * 64;
        match store {
            CdStore::Rest => self.guest.write(at + 8, &cd(&self.inner, 0)[1..]),
            CdStore::Valid(asid) => self.guest.write(at, &cd(&self.inner, asid.0)[..1]),
            CdStore::Ended(asid) => self
                .guest
                .write(at, &[cd(&self.inner, asid.0)[0] | 1 << 14]),
            CdStore::Invalid => self.guest.write(at, &[0]),
        }
    }

    /// One store to a device's STE.
    fn store_ste(&self, sid: StreamId, ste: &Ste, store: SteStore) {
        let words = ste.words();
        match store {
            SteStore::Rest => self.guest.set_ste_words(sid, 1, &words[1..]),
            SteStore::First => self.guest.set_ste_words(sid, 0, &words[..1]),
        }
    }

    /// The address, as the host knows it, of the descriptor that maps VA + `offset`.
    fn slot(&mut self, offset: u64) -> u64 {
        let leaf: Leaf = *self.inner.find(VA + offset).expect("the scene maps it");
        let slot = self.inner.leaf_slot(&Inner(&mut self.guest), &leaf);
        slot - GUEST_OFFSET
    }

    fn host<'s, E: Endpoints>(&'s self, endpoints: &'s E) -> HostQueue<'s, GuestMemoryMmap<()>, E> {
        HostQueue::new(&self.guest.smmu, endpoints, self.queue, 7)
    }
}

type Unit<'s> = Tbu<'s, GuestMemoryMmap<()>, Fast>;

/// Where the device gets to, without ATS.
fn reach(tbu: &mut Unit<'_>, ssid: Option<u32>, va: u64) -> Option<u64> {
    let transaction = Transaction::new(SID, ssid.map(SubstreamId), Iova(va), READ);
    let translation = tbu.burst().translate(&transaction).ok()?;
    Some(translation.pa.0)
}

/// Devices with caches, by physical StreamID; a device that is not there times out.
#[derive(Default)]
struct Devices(BTreeMap<StreamId, Atc>);

impl Endpoints for Devices {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        self.0
            .get(&invalidation.sid)
            .ok_or(TimedOut)?
            .invalidate(invalidation);
        Ok(())
    }
}

/// A host that remembers what it was given, and gets stuck when told to.
#[derive(Default)]
struct Recorder {
    batches: Vec<Vec<[u64; 2]>>,
    stuck_from: Option<usize>,
}

impl hypervisor::Host for Recorder {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        if self.stuck_from == Some(self.batches.len()) {
            return Err(Stuck);
        }
        self.batches.push(commands.to_vec());
        Ok(Issued::default())
    }
}
