//! Every command, before and after: what was translated stays translated until the command that names it, and no longer.
//!
//! The tables are changed under the caches' feet, so that a hit and a miss give different answers. What a policy need not keep is not
//! asserted for [`Fast`](engine::cache::Fast), which may forget more than a command names; [`Exact`](engine::cache::Exact) may not.

use std::cell::RefCell;

use engine::cache::{Caches, Exact, Fast, Preset, Replacement};
use engine::layout::Response;
use engine::{
    AtcInvalidation, CommandError, CommandQueue, Endpoints, Features, GlobalError, Iova, Outcome,
    Stag, StallModel, Stopped, StreamId, SubstreamId, Tbu, TimedOut, Transaction,
};
use vm_memory::GuestMemoryMmap;

use crate::support::guest::*;
use crate::support::tables::{Pages, Shape, Tree};

const SYNC: [u64; 2] = [0x46, 0];
const OLD: u64 = 0x5000_0000;
const NEW: u64 = 0x6000_0000;

fn exact() -> Exact {
    Exact::new(Preset::custom(64, 4, Replacement::Lru))
}

/// Two streams (5 and 6) with one CD each of ASIDs 7 and 8, VMID 3, the same stage-1 tables: pages at 0 (global), 0x1000, 0x2000, and a
/// 2 MiB block at 0x20_0000, which stage 2 maps by pages.
struct Bench {
    guest: Guest,
    inner: Tree,
}

const ADDRESSES: [u64; 4] = [0, 0x1000, 0x2000, 0x20_3000];

fn bench() -> Bench {
    let mut guest = Guest::new(Features::all());
    let (mut inner, mut outer, _) = nested(&mut guest, K4, K4_S2);
    let global = S1_RW & !(1 << 11);
    for (va, attributes) in [(0, global), (0x1000, S1_RW), (0x2000, S1_RW)] {
        assert!(inner.map(
            &mut Inner(&mut guest),
            va,
            0x9_0000_0000 + va,
            3,
            attributes,
            0
        ));
    }
    assert!(inner.map(
        &mut Inner(&mut guest),
        0x20_0000,
        0x9_0020_0000,
        2,
        S1_RW,
        0
    ));
    for va in ADDRESSES {
        assert!(outer.map(
            &mut Host(&mut guest),
            0x9_0000_0000 + va,
            OLD + va,
            3,
            S2_RW,
            0
        ));
        assert!(outer.map(
            &mut Host(&mut guest),
            0xa_0000_0000 + va,
            NEW + va,
            3,
            S2_RW,
            0
        ));
    }
    let at = guest.area(64);
    guest.write(at, &cd(&inner, 8));
    guest.set_ste(StreamId(6), ste_nested(at + GUEST_OFFSET, &outer, 3));
    Bench { guest, inner }
}

type Seen = [u64; 8];

/// Where both streams' addresses lead, cut to old and new.
fn look<C: Caches>(tbu: &mut Tbu<'_, GuestMemoryMmap<()>, C>) -> Seen {
    let mut seen = [0; 8];
    let streams = [5, 6]
        .into_iter()
        .flat_map(|sid| ADDRESSES.map(|va| (sid, va)));
    for (slot, (sid, va)) in seen.iter_mut().zip(streams) {
        let transaction = Transaction::new(StreamId(sid), None, Iova(va + 8), READ);
        let translation = tbu
            .burst()
            .translate(&transaction)
            .expect("mapped before and after");
        *slot = translation.pa.0 - va - 8;
    }
    seen
}

/// Which of the eight look-ups change by `command`, in a cache that forgets exactly what is named; and that `Fast` forgets at least that.
#[track_caller]
fn changes(command: [u64; 2]) -> [bool; 8] {
    let Bench { mut guest, inner } = bench();
    guest.write(guest.queue_base, &[command, SYNC].concat());
    // A TBU borrows the SMMU, and consuming commands needs the queue: work on parts.
    let Guest { smmu, queue, .. } = &mut guest;
    let mut exact = smmu.tbu_with(exact()).unwrap();
    let mut fast = smmu.tbu_with(Fast::default()).unwrap();
    assert_eq!(look(&mut exact), [OLD; 8]);
    assert_eq!(look(&mut fast), [OLD; 8]);
    // Stage 1 moves every page.
    let tables = Memory(smmu.memory());
    for leaf in inner.leaves() {
        let slot = inner.leaf_slot(&tables, leaf);
        tables.write(slot, tables.read(slot) + 0x1_0000_0000);
    }
    // Nothing was said: everything is still remembered.
    assert_eq!(look(&mut exact), [OLD; 8]);
    assert_eq!(look(&mut fast), [OLD; 8]);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    let exact = look(&mut exact);
    for (exact, fast) in exact.iter().zip(look(&mut fast)) {
        assert!(
            fast == NEW || *exact == OLD,
            "the fast policy kept what was named"
        );
    }
    exact.map(|pa| pa == NEW)
}

/// Tables that are only read.
struct Memory<'m>(&'m GuestMemoryMmap<()>);

impl Pages for Memory<'_> {
    fn area(&mut self, _: u64) -> u64 {
        panic!("nothing is built here")
    }
    fn physical(&self, address: u64) -> u64 {
        address - GUEST_OFFSET
    }
    fn memory(&self) -> &GuestMemoryMmap<()> {
        self.0
    }
}

const YES: bool = true;
const NO: bool = false;

#[test]
fn tlbi_nh_asid_spares_global_entries_and_other_asids() {
    let command = [0x11 | 3 << 32 | 7 << 48, 0];
    assert_eq!(changes(command), [NO, YES, YES, YES, NO, NO, NO, NO]);
    // Another VMID's ASID 7.
    assert_eq!(changes([0x11 | 4 << 32 | 7 << 48, 0]), [NO; 8]);
}

#[test]
fn tlbi_nh_va_hits_the_page_in_its_asid_and_global_pages_in_all() {
    let command = |va: u64| [0x12 | 3 << 32 | 7 << 48, va | 1];
    assert_eq!(changes(command(0x1000)), [NO, YES, NO, NO, NO, NO, NO, NO]);
    assert_eq!(changes(command(0)), [YES, NO, NO, NO, YES, NO, NO, NO]);
    // Any address of a block means all of it, also where stage 2's pages are smaller.
    assert_eq!(
        changes(command(0x3f_f000)),
        [NO, NO, NO, YES, NO, NO, NO, NO]
    );
    // Non-leaf, and with a top byte.
    assert_eq!(
        changes([command(0x2000)[0], 0x2000]),
        [NO, NO, YES, NO, NO, NO, NO, NO]
    );
}

#[test]
fn tlbi_nh_va_with_a_range() {
    // 2 * 2^0 pages of 4 KiB from 0x1000 on: TG 1, TTL 0, NUM 1.
    let range = |num: u64, scale: u64, tg: u64, va: u64| {
        [
            0x12 | num << 12 | scale << 20 | 3 << 32 | 7 << 48,
            va | tg << 10 | 1,
        ]
    };
    assert_eq!(
        changes(range(1, 0, 1, 0x1000)),
        [NO, YES, YES, NO, NO, NO, NO, NO]
    );
    // 512 * 2 pages cover the block and everything below it; other ASIDs keep what is not global.
    assert_eq!(
        changes(range(1, 9, 1, 0)),
        [YES, YES, YES, YES, YES, NO, NO, NO]
    );
    // One page of 64 KiB.
    assert_eq!(
        changes([0x12 | 3 << 32 | 7 << 48, 3 << 10 | 3 << 8 | 1]),
        [YES, YES, YES, NO, YES, NO, NO, NO]
    );
}

#[test]
fn tlbi_nh_vaa_hits_every_asid() {
    assert_eq!(
        changes([0x13 | 3 << 32, 0x1001]),
        [NO, YES, NO, NO, NO, YES, NO, NO]
    );
    assert_eq!(
        changes([0x13 | 3 << 32, 1]),
        [YES, NO, NO, NO, YES, NO, NO, NO]
    );
    assert_eq!(changes([0x13 | 4 << 32, 1]), [NO; 8]);
}

#[test]
fn tlbi_of_everything() {
    assert_eq!(changes([0x10 | 3 << 32, 0]), [YES; 8], "NH_ALL");
    assert_eq!(
        changes([0x10 | 4 << 32, 0]),
        [NO; 8],
        "NH_ALL of another VMID"
    );
    assert_eq!(changes([0x28 | 3 << 32, 0]), [YES; 8], "S12_VMALL");
    assert_eq!(
        changes([0x28 | 2 << 32, 0]),
        [NO; 8],
        "S12_VMALL of another VMID"
    );
    assert_eq!(changes([0x30, 0]), [YES; 8], "NSNH_ALL");
}

#[test]
fn commands_that_are_not_about_translations_leave_them() {
    for command in [
        [0x01, 0],
        [0x02, 0],
        [0x03 | 5 << 32, 0],
        [0x04, 31],
        [0x05 | 5 << 32, 0],
        [0x06 | 5 << 32, 0],
        [0x40 | 5 << 32, 52],
        [0x45 | 5 << 32, 0],
    ] {
        assert_eq!(changes(command), [NO; 8], "{command:x?}");
    }
    // S2_IPA need not hit combined entries.
    assert_eq!(changes([0x2a | 3 << 32, 0x9_0000_0001]), [NO; 8]);
}

/// Stage 2 alone: what a stream of VMID 3 sees of two IPAs, before and after a command.
fn stage2_changes<C: Caches>(caches: C, command: [u64; 2]) -> [bool; 2] {
    let mut guest = Guest::new(Features::all());
    let mut tree = Tree::new(K4_S2, &mut Host(&mut guest));
    for ipa in [0x1000, 0x5000] {
        assert!(tree.map(&mut Host(&mut guest), ipa, OLD + ipa, 3, S2_RW, 0));
    }
    guest.set_ste(SID, ste_s2(&tree, 3));
    let slots: Vec<_> = tree
        .leaves()
        .iter()
        .map(|leaf| tree.leaf_slot(&Host(&mut guest), leaf))
        .collect();
    guest.write(guest.queue_base, &[command, SYNC].concat());
    let words: Vec<_> = slots.iter().map(|&slot| guest.read(slot)).collect();
    let Guest { smmu, queue, .. } = &mut guest;
    let mut tbu = smmu.tbu_with(caches).unwrap();
    let mut look = || {
        [0x1000, 0x5000].map(|ipa| {
            tbu.burst()
                .translate(&Transaction::new(SID, None, Iova(ipa), READ))
                .unwrap()
                .pa
                .0
                - ipa
                == NEW
        })
    };
    assert_eq!(look(), [NO; 2]);
    for (slot, word) in slots.into_iter().zip(words) {
        Memory(smmu.memory()).write(slot + GUEST_OFFSET, word + NEW - OLD);
    }
    assert_eq!(look(), [NO; 2]);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    look()
}

#[test]
fn stage_2_is_forgotten_by_s2_ipa_and_not_by_nh_commands() {
    let s2_ipa = |ipa: u64| [0x2a | 3 << 32, ipa | 1];
    for (command, expected) in [
        (s2_ipa(0x1000), [YES, NO]),
        (s2_ipa(0x5fff & !0xfff), [NO, YES]),
        ([0x2a | 4 << 32, 0x1001], [NO, NO]),
        ([0x2a | 7 << 12 | 3 << 32, 0x401 | 0x1000], [YES, YES]),
        ([0x10 | 3 << 32, 0], [NO, NO]),
        ([0x28 | 3 << 32, 0], [YES, YES]),
        ([0x30, 0], [YES, YES]),
    ] {
        assert_eq!(stage2_changes(exact(), command), expected, "{command:x?}");
        let fast = stage2_changes(Fast::default(), command);
        assert!(
            fast.iter()
                .zip(expected)
                .all(|(&fast, expected)| fast >= expected),
            "{command:x?}"
        );
    }
}

/// Configuration: stream 5's STE or CD is replaced by one that leads elsewhere; does the command make it seen?
fn config_changes<C: Caches>(caches: C, change_cd: bool, command: [u64; 2]) -> bool {
    let mut guest = Guest::new(Features::all());
    let mut old = guest.stage1(K4);
    let mut new = guest.stage1(K4);
    assert!(old.map(&mut Host(&mut guest), 0, OLD, 3, S1_RW, 0));
    assert!(new.map(&mut Host(&mut guest), 0, NEW, 3, S1_RW, 0));
    let at = stage1_only(&mut guest, &old);
    let other = guest.area(64);
    // Another ASID, so that the TLB has no part in it.
    guest.write(other, &cd(&new, 8));
    guest.write(guest.queue_base, &[command, SYNC].concat());
    let strtab = guest.strtab;
    let Guest { smmu, queue, .. } = &mut guest;
    let mut tbu = smmu.tbu_with(caches).unwrap();
    let mut look = || {
        tbu.burst()
            .translate(&Transaction::new(SID, None, Iova(0), READ))
            .unwrap()
            .pa
            .0
    };
    assert_eq!(look(), OLD);
    let memory = Memory(smmu.memory());
    if change_cd {
        for (word, offset) in cd(&new, 8).into_iter().zip((0..).step_by(8)) {
            memory.write(at + offset + GUEST_OFFSET, word);
        }
    } else {
        memory.write(strtab + 5 * 64 + GUEST_OFFSET, ste_s1(other)[0]);
    }
    assert_eq!(look(), OLD);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    look() == NEW
}

#[test]
fn cfgi_commands() {
    let cfgi = |op: u64, sid: u64, rest: u64| [op | sid << 32, rest];
    for (command, ste, cd) in [
        (cfgi(0x03, 5, 1), YES, YES), // CFGI_STE drops the CDs too
        (cfgi(0x03, 4, 1), NO, NO),
        (cfgi(0x04, 0, 31), YES, YES), // CFGI_ALL
        (cfgi(0x04, 4, 0), YES, YES),  // 4 and 5
        (cfgi(0x04, 6, 0), NO, NO),
        (cfgi(0x04, 7, 1), YES, YES), // 4 to 7: the StreamID need not be the first
        (cfgi(0x04, 0xffff_ffff, 31), YES, YES),
        (cfgi(0x05, 5, 1), NO, YES), // CFGI_CD of SubstreamID 0
        (cfgi(0x05 | 1 << 12, 5, 1), NO, NO),
        (cfgi(0x05, 6, 1), NO, NO),
        (cfgi(0x06, 5, 0), NO, YES), // CFGI_CD_ALL
        (cfgi(0x06, 6, 0), NO, NO),
        (cfgi(0x30, 0, 0), NO, NO), // TLBI is no CFGI
    ] {
        assert_eq!(
            config_changes(exact(), false, command),
            ste,
            "STE, exact, {command:x?}"
        );
        assert_eq!(
            config_changes(exact(), true, command),
            cd,
            "CD, exact, {command:x?}"
        );
        assert_eq!(
            config_changes(Fast::default(), false, command),
            ste,
            "STE, fast, {command:x?}"
        );
        assert!(
            config_changes(Fast::default(), true, command) >= cd,
            "CD, fast, {command:x?}"
        );
    }
}

/// Remembers what it was asked; may not answer.
#[derive(Default)]
struct Device {
    asked: RefCell<Vec<AtcInvalidation>>,
    silent: bool,
}

impl Endpoints for Device {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        self.asked.borrow_mut().push(*invalidation);
        if self.silent { Err(TimedOut) } else { Ok(()) }
    }
}

#[test]
fn atc_inv_aligns_its_span_and_size_52_is_everything() {
    let mut guest = Guest::new(Features::all());
    let device = Device::default();
    let atc_inv = |flags: u64, rest: u64| [0x40 | flags | 5 << 32, rest];
    let commands = [
        atc_inv(0, 0x1234_5000),
        atc_inv(1 << 11 | 0xabcde << 12, 0x1234_5000 | 4),
        atc_inv(1 << 9 | 1 << 11 | 1 << 12, !0xfff | 52),
        atc_inv(1 << 9, !0xfff | 51),
    ];
    assert_eq!(guest.commands(&commands, &device), Stopped::Empty);
    let expected = |ssid: Option<u32>, global, address, span_bits| AtcInvalidation {
        sid: SID,
        ssid: ssid.map(SubstreamId),
        global,
        address: Iova(address),
        span_bits,
    };
    let asked = device.asked.into_inner();
    assert_eq!(
        asked,
        [
            expected(None, false, 0x1234_5000, 12),
            expected(Some(0xabcde), false, 0x1234_0000, 16),
            expected(Some(1), true, 0, 64),
            // Global means nothing without a PASID.
            expected(None, false, 1 << 63, 63),
        ]
    );
}

#[test]
fn atc_inv_is_ignored_while_the_smmu_is_off() {
    let mut guest = Guest::new(Features::all());
    guest.smmu.configure(engine::Registers {
        smmuen: false,
        ..guest.smmu.registers()
    });
    let device = Device::default();
    assert_eq!(
        guest.commands(&[[0x40 | 5 << 32, 52]], &device),
        Stopped::Empty
    );
    assert!(device.asked.into_inner().is_empty());
}

#[test]
fn cerror_atc_inv_sync_stops_at_the_sync() {
    let mut guest = Guest::new(Features::all());
    let device = Device {
        silent: true,
        ..Device::default()
    };
    let commands = [[0x40 | 5 << 32, 52], [0x30, 0], SYNC, [0x30, 0]];
    let error = CommandError::AtcInvSync;
    assert_eq!(guest.commands(&commands, &device), Stopped::Error(error));
    assert_eq!(guest.queue.cons(), 2 | 3 << 24);
    assert!(guest.smmu.gerror().is_active(GlobalError::CommandQueue));
    // Stuck until software acknowledges; then the SYNC is tried again, and completes.
    assert_eq!(
        guest.smmu.consume(&mut guest.queue, &device),
        Stopped::Error(error)
    );
    guest.smmu.acknowledge(guest.smmu.gerror().gerror());
    assert_eq!(
        guest.smmu.consume(&mut guest.queue, &device),
        Stopped::Empty
    );
    assert_eq!(guest.queue.cons() & 0xff, 4);
}

#[test]
fn cerror_ill_stops_at_the_command_and_software_may_replace_it() {
    let mut guest = Guest::new(Features::all());
    let commands = [SYNC, [0x30, 0], [0xff, 0], SYNC];
    assert_eq!(
        guest.commands(&commands, &()),
        Stopped::Error(CommandError::Ill)
    );
    assert_eq!(guest.queue.cons(), 2 | 1 << 24);
    assert_eq!(guest.smmu.gerror().gerror(), 1);
    guest.write(guest.queue_base + 2 * 16, &SYNC);
    guest.smmu.acknowledge(1);
    assert_eq!(guest.smmu.consume(&mut guest.queue, &()), Stopped::Empty);
    assert_eq!(guest.queue.cons() & 0xff, 4);
    // The next error toggles the bit back.
    assert_eq!(guest.command([0, 0]), Stopped::Error(CommandError::Ill));
    assert_eq!(
        (guest.smmu.gerror().gerror(), guest.smmu.gerror().gerrorn()),
        (0, 1)
    );
}

#[test]
fn cerror_abt_when_the_queue_cannot_be_read() {
    let guest = Guest::new(Features::all());
    let mut queue = CommandQueue::new(0x9000_0000, 4);
    queue.set_prod(1);
    assert_eq!(
        guest.smmu.consume(&mut queue, &()),
        Stopped::Error(CommandError::Abt)
    );
    assert_eq!(queue.cons(), 2 << 24);
}

#[test]
fn an_enhanced_queue_has_errors_of_its_own() {
    let mut guest = Guest::new(Features::all());
    let base = guest.area(16 << 4);
    guest.write(base, &[0xff, 0]);
    let mut queue = CommandQueue::enhanced(base, 4);
    queue.set_prod(1);
    assert_eq!(
        guest.smmu.consume(&mut queue, &()),
        Stopped::Error(CommandError::Ill)
    );
    assert_eq!(queue.cons(), 1 << 24 | 1 << 23);
    assert!(!guest.smmu.gerror().is_active(GlobalError::CommandQueue));
    // The main queue goes on.
    assert_eq!(guest.command(SYNC), Stopped::Empty);
    guest.write(base, &SYNC);
    queue.set_prod(1 | 1 << 23);
    assert_eq!(guest.smmu.consume(&mut queue, &()), Stopped::Empty);
}

#[test]
fn what_the_implementation_lacks_is_illegal() {
    let all = Features::all();
    for (features, op) in [
        (Features { s1p: false, ..all }, 0x10),
        (Features { s1p: false, ..all }, 0x13),
        (Features { s2p: false, ..all }, 0x28),
        (Features { s2p: false, ..all }, 0x2a),
        (Features { ats: false, ..all }, 0x40),
        (all, 0x41), // no PRI
        (
            Features {
                stall_model: StallModel::TerminateOnly,
                ..all
            },
            0x44,
        ),
        (
            Features {
                stall_model: StallModel::TerminateOnly,
                ..all
            },
            0x45,
        ),
    ] {
        let mut guest = Guest::new(features);
        assert_eq!(
            guest.command([op, 0]),
            Stopped::Error(CommandError::Ill),
            "{op:x}"
        );
    }
    let mut guest = Guest::new(Features { pri: true, ..all });
    assert_eq!(guest.command([0x41, 0]), Stopped::Empty);
}

#[test]
fn indices_wrap() {
    let mut guest = Guest::new(Features::all());
    for round in 1..=50u32 {
        assert_eq!(
            guest.commands(&[SYNC, [0x30, 0], SYNC], &()),
            Stopped::Empty
        );
        assert_eq!(guest.queue.cons(), round * 3 % 32);
    }
    guest.smmu.configure(engine::Registers {
        cmdqen: false,
        ..guest.smmu.registers()
    });
    assert_eq!(guest.command(SYNC), Stopped::Disabled);
}

#[test]
fn sync_signals_by_msi_or_wire() {
    let mut guest = Guest::new(Features::all());
    let at = guest.area(64);
    guest.write(at, &[u64::MAX]);
    assert_eq!(
        guest.command([0x46 | 1 << 12 | 0xdead_beef << 32, at]),
        Stopped::Empty
    );
    assert_eq!(guest.read(at), 0xffff_ffff_dead_beef);
    assert!(!guest.smmu.take_sync_signal());
    assert_eq!(guest.command([0x46 | 1 << 12, 0]), Stopped::Empty);
    assert!(guest.smmu.take_sync_signal() && !guest.smmu.take_sync_signal());
    assert_eq!(guest.command([0x46 | 1 << 12, 0x9000_0000]), Stopped::Empty);
    assert!(
        guest
            .smmu
            .gerror()
            .is_active(GlobalError::CommandQueueMsiAbort)
    );
}

#[test]
fn sync_waits_for_a_burst_that_may_use_what_was_invalidated() {
    sync_waits_behind([0x30, 0]);
}

/// A translated transaction may be under way, with an address that the device has only just been told to forget.
#[test]
fn sync_waits_for_a_burst_that_may_use_what_an_atc_held() {
    sync_waits_behind([0x40 | u64::from(SID.0) << 32, 52]);
}

fn sync_waits_behind(command: [u64; 2]) {
    let mut bench = bench();
    bench
        .guest
        .write(bench.guest.queue_base, &[command, SYNC].concat());
    let Guest { smmu, queue, .. } = &mut bench.guest;
    let mut tbu = smmu.tbu().unwrap();
    let mut idle = smmu.tbu().unwrap();
    let transaction = Transaction::new(SID, None, Iova(0x1000), READ);
    idle.burst().translate(&transaction).unwrap();
    let mut burst = tbu.burst();
    burst.translate(&transaction).unwrap();
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Waiting);
    assert_eq!(queue.cons(), 1);
    assert_eq!(smmu.consume(queue, &()), Stopped::Waiting);
    // The next transaction ends the last one's use.
    burst.translate(&transaction).unwrap();
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    // So does the end of the burst.
    drop(burst);
    assert_eq!(smmu.consume_all(queue, &()), Stopped::Empty);
}

/// A stream whose stage-1 faults stall.
fn stalling() -> Guest {
    let mut guest = Guest::new(Features::all());
    let tree = guest.stage1(K4);
    let at = stage1_only(&mut guest, &tree);
    let mut words = cd(&tree, 7);
    words[0] |= 1 << 44;
    guest.write(at, &words);
    guest
}

fn stall(guest: &Guest) -> Stag {
    match guest.access(None, 0, READ).unwrap_err().outcome {
        Outcome::Stalled(stag) => stag,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn resume_answers_the_transaction_that_it_names() {
    let mut guest = stalling();
    let tags = [0, 1, 2, 3].map(|_| stall(&guest));
    let resume =
        |sid: u64, stag: Stag, action: u64| [0x44 | action << 12 | sid << 32, u64::from(stag.0)];
    // Another stream's, and a tag that nobody holds: no effect.
    assert_eq!(guest.command(resume(6, tags[0], 1)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, Stag(999), 1)), Stopped::Empty);
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 4]);
    assert_eq!(guest.command(resume(5, tags[0], 1)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, tags[1], 2)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, tags[2], 0)), Stopped::Empty);
    let answers = [
        Some(Response::Retry),
        Some(Response::Abort),
        Some(Response::RazWi),
        None,
    ];
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), answers);
    // An answer is given once.
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 4]);
}

#[test]
fn stall_term_ends_every_stall_of_its_stream() {
    let mut guest = stalling();
    let tags = [0, 1].map(|_| stall(&guest));
    assert_eq!(guest.command([0x45 | 6 << 32, 0]), Stopped::Empty);
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 2]);
    assert_eq!(guest.command([0x45 | 5 << 32, 0]), Stopped::Empty);
    assert_eq!(
        tags.map(|stag| guest.smmu.answer(stag)),
        [Some(Response::Abort); 2]
    );
}

#[test]
fn the_event_queue_overflows_once_and_loses_no_stall() {
    let mut guest = Guest::new(Features::all());
    for _ in 0..8 {
        assert!(guest.access(None, 0, READ).unwrap_err().event.is_some());
    }
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));
    for _ in 0..3 {
        guest.access(None, 0, READ).unwrap_err();
        assert!(guest.smmu.event_queue(|queue| queue.overflowed()));
        assert_eq!(guest.smmu.event_queue(|queue| queue.prod()), 1 << 31 | 8);
    }
    assert_eq!(guest.new_events().len(), 8);
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));

    let mut guest = stalling();
    let tags: Vec<_> = (0..11).map(|_| stall(&guest)).collect();
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));
    let mut told = guest.new_events();
    assert_eq!(told.len(), 8);
    told.extend(guest.new_events());
    let told: Vec<_> = told.iter().map(|words| Stag(words[1] as u16)).collect();
    assert_eq!(told, tags);
}

#[test]
fn an_event_that_cannot_be_written_is_a_global_error() {
    let guest = Guest::new(Features::all());
    guest
        .smmu
        .set_event_queue(engine::EventQueue::new(0x9000_0000, 3));
    guest.access(None, 0, READ).unwrap_err();
    assert!(guest.smmu.gerror().is_active(GlobalError::EventQueueAbort));
}

/// One stage, whose level-2 descriptor is made to point to another level-3 table; where does the page lead after a command?
fn table_changes<C: Caches>(caches: C, stage2: bool, command: [u64; 2]) -> bool {
    let mut guest = Guest::new(Features::all());
    let shape = Shape {
        page: 0x1000,
        input_bits: 33,
        start: 2,
    };
    let attributes = if stage2 { S2_RW } else { S1_RW };
    let mut tables = [OLD, NEW].map(|output| {
        let shape = if stage2 {
            shape
        } else {
            Shape::stage1(0x1000, 30)
        };
        let mut tree = Tree::new(shape, &mut Host(&mut guest));
        assert!(tree.map(&mut Host(&mut guest), 0x1000, output, 3, attributes, 0));
        tree
    });
    let [old, new] = &mut tables;
    if stage2 {
        guest.set_ste(SID, ste_s2(old, 3));
    } else {
        let at = guest.area(64);
        guest.write(at, &cd(old, 7));
        let mut ste = ste_s1(at);
        ste[2] = 3;
        guest.set_ste(SID, ste);
    }
    let (slot, word) = (old.root, guest.read(new.root));
    guest.write(guest.queue_base, &[command, SYNC].concat());
    let Guest { smmu, queue, .. } = &mut guest;
    let mut tbu = smmu.tbu_with(caches).unwrap();
    let mut look = || {
        let transaction = Transaction::new(SID, None, Iova(0x1000), READ);
        tbu.burst().translate(&transaction).unwrap().pa.0
    };
    assert_eq!(look(), OLD);
    Memory(smmu.memory()).write(slot + GUEST_OFFSET, word);
    assert_eq!(look(), OLD);
    queue.set_prod(2);
    assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
    look() == NEW
}

#[test]
fn leaf_1_spares_remembered_tables_and_leaf_0_does_not() {
    let vm = 3 << 32;
    for (stage2, command, expected) in [
        (NO, [0x12 | vm | 7 << 48, 0x1001], NO),
        (NO, [0x12 | vm | 7 << 48, 0x1000], YES),
        (NO, [0x12 | vm | 8 << 48, 0x1000], NO),
        (NO, [0x13 | vm, 0x1001], NO),
        (NO, [0x13 | vm, 0x1000], YES),
        (NO, [0x11 | vm | 7 << 48, 0], YES),
        (NO, [0x10 | vm, 0], YES),
        (NO, [0x30, 0], YES),
        (YES, [0x2a | vm, 0x1001], NO),
        (YES, [0x2a | vm, 0x1000], YES),
        (YES, [0x28 | vm, 0], YES),
        (YES, [0x30, 0], YES),
    ] {
        let gem5 = Exact::new(Preset::GEM5);
        assert_eq!(
            table_changes(gem5, stage2, command),
            expected,
            "{command:x?}"
        );
        let fast = Fast::default();
        assert_eq!(
            table_changes(fast, stage2, command),
            expected,
            "{command:x?}"
        );
    }
}
