//! What a guest may write to break us: nothing panics, loops, or reads outside its memory.
//!
//! The memory of these tests is a small mapping: an access outside it would be a fault of the process, and the bounds checks of
//! `vm-memory` are what turns it into an external abort.

use std::time::Instant;

use engine::{
    Access, Endpoints, Features, Iova, Outcome, Stopped, StreamId, SubstreamId, Transaction, cache,
};
use proptest::prelude::*;

use crate::support::guest::*;
use crate::support::tables::Pages;

#[test]
fn a_table_that_points_to_itself_ends_with_the_last_level() {
    let mut guest = Guest::new(Features::all());
    let tree = guest.stage1(K4);
    stage1_only(&mut guest, &tree);
    for entry in 0..512 {
        guest.write(tree.root + entry * 8, &[tree.root | S1_RW | 3]);
    }
    // The fourth level takes the table for a page.
    assert_eq!(
        guest.access(None, 0x123, READ).unwrap().pa.0,
        tree.root + 0x123
    );
}

#[test]
fn nested_tables_that_point_to_each_other_end() {
    let mut guest = Guest::new(Features::all());
    let (inner, outer, _) = nested(&mut guest, K4, K4_S2);
    for entry in 0..512 {
        Inner(&mut guest).write(inner.root + entry * 8, inner.root | S1_RW | 3);
        guest.write(outer.root + entry * 8, &[outer.root | S2_RW | 3]);
    }
    let refusal = guest.access(None, 0x123, READ);
    assert!(refusal.is_ok() || refusal.is_err_and(|refusal| refusal.event.is_some()));
}

#[test]
fn indices_out_of_range_do_not_make_a_queue_run_forever() {
    let mut guest = Guest::new(Features::all());
    // Every slot holds a SYNC; PROD says more than the queue can hold, and bits that do not exist.
    guest.write(guest.queue_base, &[0x46, 0].repeat(16));
    for prod in [u32::MAX, 0x20, 0x1f, 0xffff_ff00, 17] {
        guest.queue.set_prod(prod);
        let stopped = guest.smmu.consume(&mut guest.queue, &());
        assert_eq!(stopped, Stopped::Empty);
        assert_eq!(guest.queue.cons(), prod & 0x1f);
    }
}

#[test]
fn substreams_at_the_extremes() {
    let mut guest = Guest::new(Features::all());
    for cdmax in 0..32u64 {
        for format in 0..4u64 {
            for pointer in [
                BASE,
                BASE + SIZE - 64,
                0,
                0xf_ffff_ffff_ffc0,
                0xff_ffff_ffff_ffc0,
            ] {
                guest.set_ste(
                    SID,
                    [
                        1 | 5 << 1 | format << 4 | pointer | cdmax << 59,
                        2,
                        0,
                        0,
                        0,
                        0,
                        0,
                        0,
                    ],
                );
                for ssid in [None, Some(0), Some(1), Some(63), Some(64), Some(0xf_ffff)] {
                    let refusal = guest.access(ssid, 0, READ).unwrap_err();
                    assert_eq!(refusal.outcome, Outcome::Abort);
                }
                guest.new_events();
            }
        }
    }
}

/// A word that looks like something: pointers into memory, all ones, one bit, anything.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        (0u32..64).prop_map(|bit| 1 << bit),
        (BASE..BASE + SIZE, 0u64..0x1000)
            .prop_map(|(address, low)| (address / 0x1000 * 0x1000) | low),
        any::<u64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Memory full of such words, an STE and CD that mostly pass, and accesses and commands of any kind.
    #[test]
    fn any_memory_any_access_any_command(
        words in prop::collection::vec(word(), 512),
        ste in prop::array::uniform8(word()),
        cd in prop::array::uniform8(word()),
        config in 0u64..8,
        accesses in prop::collection::vec((any::<u32>(), any::<Option<u32>>(), word(), any::<u8>()), 16),
        commands in prop::collection::vec(prop::array::uniform2(word()), 8),
        opcodes in prop::collection::vec(any::<u8>(), 8),
    ) {
        let began = Instant::now();
        let mut guest = Guest::new(Features::all());
        let area = guest.area(0x1000);
        guest.write(area, &words);
        let mut ste = ste;
        ste[0] = ste[0] & !0xf | 1 | config << 1;
        guest.set_ste(SID, ste);
        // A second stream whose structures are sound down to the tables.
        let tables = guest.area(0x1000);
        guest.write(tables, &words);
        let at = guest.area(64);
        let mut cd = cd;
        cd[0] = cd[0] & 0xffff_0000_0000_0000 | 16 | 1 << 30 | 1 << 31 | 6 << 32 | 1 << 41 | 1 << 45 | 1 << 46;
        cd[1] = tables;
        guest.write(at, &cd);
        guest.set_ste(StreamId(6), ste_s1(at));
        let commands: Vec<_> = commands.iter().zip(opcodes)
            .map(|(&[w0, w1], opcode)| [w0 & !0x4ff | u64::from(opcode), w1]).collect();
        {
            let mut fast = guest.smmu.tbu().unwrap();
            let mut exact = guest.smmu.tbu_with(cache::Exact::new(cache::Preset::QEMU_10_0)).unwrap();
            for &(sid, ssid, address, kind) in &accesses {
                let access = Access { write: kind & 1 == 1, instruction: kind & 2 != 0, privileged: kind & 4 != 0 };
                for sid in [sid, 5, 6] {
                    let transaction = Transaction::new(StreamId(sid), ssid.map(|ssid| SubstreamId(ssid & 0xf_ffff)), Iova(address), access);
                    let first = fast.burst().translate(&transaction);
                    let second = exact.burst().translate(&transaction);
                    match (first, second) {
                        (Ok(first), Ok(second)) => prop_assert_eq!(first, second),
                        (Err(first), Err(second)) if !matches!(first.outcome, Outcome::Stalled(_)) => prop_assert_eq!(first, second),
                        (first, second) => prop_assert_eq!(first.is_ok(), second.is_ok()),
                    }
                    fast.burst().ats_request(&transaction);
                }
            }
        }
        let endpoints: &dyn Endpoints = &();
        for command in commands {
            let stopped = guest.commands(&[command], endpoints);
            prop_assert_ne!(stopped, Stopped::Waiting);
            if let Stopped::Error(_) = stopped {
                // Software puts a harmless command there and goes on.
                let index = guest.queue.cons() & 0xf;
                guest.write(guest.queue_base + u64::from(index) * 16, &[1, 0]);
                guest.smmu.acknowledge(guest.smmu.gerror().gerror());
                let stopped = guest.smmu.consume(&mut guest.queue, endpoints);
                prop_assert_eq!(stopped, Stopped::Empty);
            }
        }
        prop_assert!(began.elapsed().as_secs() < 5, "something loops");
    }
}
