//! A user of `vm_memory::Iommu`: `IommuMemory`, which vhost-user back-ends access memory through.

use std::sync::Arc;

use engine::layout::{Cd, CdWord0, CdWord1, Descriptor, Ste, SteWord0};
use engine::{CommandQueue, Features, Registers, Smmu, Stopped, StreamId, StreamIommu};
use vm_memory::bitmap::AtomicBitmap;
use vm_memory::{
    Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, Iommu, IommuMemory, Permissions,
};

type Memory = GuestMemoryMmap<AtomicBitmap>;

const PAGE_TABLE: u64 = 0x5000;

/// Three pages at 0x4000 to 0x6fff of a 25-bit address space: one read-write, one read-only, one read-write elsewhere.
fn machine() -> (Memory, Arc<Smmu<Memory>>) {
    let memory = Memory::from_ranges(&[(GuestAddress(0), 0x20000)]).unwrap();
    let write = |at: u64, words: &[u64]| {
        for (&word, at) in words.iter().zip((at..).step_by(8)) {
            memory.write_obj(word, GuestAddress(at)).unwrap();
        }
    };
    let leaf = |pa: u64, ap: u8| pa | Descriptor::new().with_ap(ap).with_af(true).into_bits() | 3;
    write(0x3000, &[PAGE_TABLE | 3]);
    write(
        PAGE_TABLE + 4 * 8,
        &[leaf(0x10000, 1), leaf(0x11000, 3), leaf(0x18000, 1)],
    );
    let cd = Cd {
        word0: CdWord0::new()
            .with_v(true)
            .with_aa64(true)
            .with_t0sz(39)
            .with_epd1(true)
            .with_ips(2)
            .with_a(true)
            .with_r(true),
        word1: CdWord1::new().with_ttb0_51_4(0x3000 >> 4),
        ..Cd::from_words([0; 8])
    };
    write(0x2000, &cd.words());
    let ste = Ste {
        word0: SteWord0::new()
            .with_v(true)
            .with_config(5)
            .with_s1contextptr_55_6(0x2000 >> 6),
        ..Ste::from_words([0; 8])
    };
    write(0x1000, &ste.words());
    let smmu = Smmu::new(memory.clone(), Features::all());
    smmu.configure(Registers {
        smmuen: true,
        cmdqen: true,
        strtab_base: 0x1000,
        ..Registers::RESET
    });
    (memory, Arc::new(smmu))
}

#[test]
fn iommu_memory_reads_and_writes_through_the_tables() {
    let (memory, smmu) = machine();
    let iommu = StreamIommu::new(smmu.clone(), StreamId(0), None);
    let device = IommuMemory::new(memory.clone(), iommu, true, Default::default());
    // Across the border between the first two pages, for reading; the second is read-only.
    memory
        .write_slice(b"split over two pages", GuestAddress(0x10ff8))
        .unwrap();
    let mut there = [0; 20];
    device.read_slice(&mut there, GuestAddress(0x4ff8)).unwrap();
    assert_eq!(&there, b"split over two pages");
    assert!(device.write_slice(b"x", GuestAddress(0x5000)).is_err());
    device
        .write_slice(b"elsewhere", GuestAddress(0x6800))
        .unwrap();
    let mut there = [0; 9];
    memory
        .read_slice(&mut there, GuestAddress(0x18800))
        .unwrap();
    assert_eq!(&there, b"elsewhere");
    assert!(!device.check_range(GuestAddress(0x7000), 1, Permissions::Read));
    assert!(device.check_range(GuestAddress(0x4000), 0x2000, Permissions::Read));
    assert!(!device.check_range(GuestAddress(0x4000), 0x2000, Permissions::Write));
    assert!(!device.check_range(GuestAddress(u64::MAX - 1), 8, Permissions::Read));
}

#[test]
fn an_invalidation_empties_the_iotlb() {
    let (memory, smmu) = machine();
    let iommu = StreamIommu::new(smmu.clone(), StreamId(0), None);
    let resolves = |iommu: &StreamIommu<Memory>| {
        let found = iommu.translate(GuestAddress(0x4000), 16, Permissions::Read);
        found
            .map(|mut ranges| ranges.next().map(|range| range.base.0))
            .ok()
            .flatten()
    };
    assert_eq!(resolves(&iommu), Some(0x10000));
    memory
        .write_obj(0u64, GuestAddress(PAGE_TABLE + 4 * 8))
        .unwrap();
    assert_eq!(
        resolves(&iommu),
        Some(0x10000),
        "nothing was invalidated yet"
    );
    let mut queue = CommandQueue::new(0x8000, 4);
    for (word, at) in [0x30u64, 0, 0x46, 0].into_iter().zip((0x8000..).step_by(8)) {
        memory.write_obj(word, GuestAddress(at)).unwrap();
    }
    queue.set_prod(2);
    assert_eq!(smmu.consume_all(&mut queue, &()), Stopped::Empty);
    iommu.invalidated();
    assert_eq!(resolves(&iommu), None);
}
