//! Hits equal misses, for every policy, in any order, while a well-behaved guest changes its tables and invalidates what it changed.
//!
//! The policy without caches is the definition. Each step either accesses memory through all policies and compares, or changes
//! something and issues the invalidation that the manual asks for.

use engine::cache::{Caches, Exact, Fast, Leaf, NoCaches, Pages, Preset, Replacement, Space};
use engine::layout::Command;
use engine::{Access, Asid, Features, Iova, Stopped, StreamId, Tbu, Transaction, Vmid};
use proptest::prelude::*;
use vm_memory::GuestMemoryMmap;

use crate::support::guest::*;
use crate::support::tables::Tree;

#[derive(Clone, Debug)]
enum Step {
    Access {
        sid: u32,
        page: u64,
        kind: u8,
    },
    /// A stage-1 page is mapped anew (or mapped at last), then invalidated in this way.
    Remap {
        page: u64,
        to: u64,
        attributes: u8,
        how: u8,
    },
    /// A stage-2 page of data moves.
    Move {
        page: u64,
        how: u8,
    },
    /// The other stream's CD gets another ASID, and the old one is flushed before it may be used again.
    Asid {
        asid: u16,
    },
}

const DATA: u64 = 0x9_0000_0000;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (5u32..7, 0u64..12, 0u8..8).prop_map(|(sid, page, kind)| Step::Access { sid, page, kind }),
        2 => (0u64..12, 0u64..8, any::<u8>(), 0u8..6).prop_map(|(page, to, attributes, how)| Step::Remap { page, to, attributes, how }),
        1 => (0u64..8, 0u8..3).prop_map(|(page, how)| Step::Move { page, how }),
        1 => (8u16..11).prop_map(|asid| Step::Asid { asid }),
    ]
}

/// Pages 0 to 7 are pages of 4 KiB; 8 to 11 lie in a block of 2 MiB each, which stage 2 maps in part.
fn address(page: u64) -> u64 {
    if page < 8 {
        page * 0x1000
    } else {
        (page - 7) * 0x20_0000 + 0x3000
    }
}

struct World {
    guest: Guest,
    inner: Tree,
    outer: Tree,
    second_cd: u64,
}

fn world() -> World {
    let mut guest = Guest::new(Features::all());
    let (inner, mut outer, _) = nested(&mut guest, K4, K4_S2);
    for page in 0..8 {
        let ipa = DATA + page * 0x1000;
        assert!(outer.map(
            &mut Host(&mut guest),
            ipa,
            0x5000_0000 + page * 0x1000,
            3,
            S2_RW,
            0
        ));
    }
    let second_cd = guest.area(64);
    guest.write(second_cd, &cd(&inner, 8));
    guest.set_ste(StreamId(6), ste_nested(second_cd + GUEST_OFFSET, &outer, 3));
    World {
        guest,
        inner,
        outer,
        second_cd,
    }
}

impl World {
    /// Changes memory, and says which commands make it safe.
    ///
    /// `asid` is the other stream's before this step.
    fn change(&mut self, step: &Step, asid: u16) -> Vec<[u64; 2]> {
        match *step {
            Step::Access { .. } => vec![],
            Step::Remap {
                page,
                to,
                attributes,
                how,
            } => {
                let va = address(page);
                let (level, bytes) = if page < 8 {
                    (3, 0x1000)
                } else {
                    (2, 0x20_0000)
                };
                let base = va / bytes * bytes;
                if let Some(leaf) = self.inner.find(va).copied() {
                    self.inner.unmap(&Inner(&mut self.guest), &leaf);
                }
                // AP and nG; a global page belongs to both ASIDs, which share these tables.
                let bits =
                    u64::from(attributes & 3) << 6 | 1 << 10 | u64::from(attributes >> 2 & 1) << 11;
                let target = (DATA + to * 0x1000) / bytes * bytes;
                assert!(
                    self.inner
                        .map(&mut Inner(&mut self.guest), base, target, level, bits, 0)
                );
                let vm = 3 << 32;
                let asids = [7u64, u64::from(asid)];
                match how {
                    0 => asids
                        .map(|asid| [0x12 | vm | asid << 48, (va / 0x1000 * 0x1000) | 1])
                        .to_vec(),
                    1 => vec![[0x13 | vm, va / 0x1000 * 0x1000]],
                    2 => vec![[0x10 | vm, 0]],
                    3 => vec![[0x30, 0]],
                    // A range of two blocks, or of one page by its level.
                    4 => asids
                        .map(|asid| [0x12 | 1 << 12 | 9 << 20 | vm | asid << 48, base | 1 << 10])
                        .to_vec(),
                    // By ASID only what is not global is forgotten: the page is named too.
                    _ => asids
                        .map(|asid| [0x11 | vm | asid << 48, 0])
                        .into_iter()
                        .chain([[0x13 | vm, base | 1]])
                        .collect(),
                }
            }
            Step::Move { page, how } => {
                let ipa = DATA + page * 0x1000;
                let leaf = *self.outer.find(ipa).expect("data pages stay mapped");
                self.outer.unmap(&Host(&mut self.guest), &leaf);
                let output = leaf.output ^ 0x1000_0000;
                assert!(
                    self.outer
                        .map(&mut Host(&mut self.guest), ipa, output, 3, S2_RW, 0)
                );
                // Combined entries need their own invalidation (4.4.3).
                match how {
                    0 => vec![[0x2a | 3 << 32, ipa | 1], [0x46, 0], [0x10 | 3 << 32, 0]],
                    1 => vec![[0x28 | 3 << 32, 0]],
                    _ => vec![
                        [0x2a | 3 << 12 | 3 << 32, (ipa / 0x4000 * 0x4000) | 1 << 10],
                        [0x10 | 3 << 32, 0],
                    ],
                }
            }
            Step::Asid { asid: new } => {
                self.guest.write(self.second_cd, &cd(&self.inner, new));
                // Later changes of the tables name the ASIDs in use only, so nothing may stay under this one.
                vec![
                    [0x05 | 6 << 32, 1],
                    [0x46, 0],
                    [0x11 | 3 << 32 | u64::from(asid) << 48, 0],
                ]
            }
        }
    }
}

fn compare<C: Caches>(
    tbu: &mut Tbu<'_, GuestMemoryMmap<()>, C>,
    transaction: &Transaction,
    answer: &Result<engine::Translation, engine::Refusal>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        &tbu.burst().translate(transaction),
        answer,
        "{:?}",
        transaction
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_policy_answers_like_the_one_without_caches(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = world();
        // A TBU borrows the SMMU for its life, so each step's memory is prepared with raw parts.
        let mut plan = Vec::new();
        let mut asid = 8;
        // First pass: which words change, and which commands follow.
        for step in &steps {
            let before = snapshot(&world.guest);
            let commands = world.change(step, asid);
            if let Step::Asid { asid: new } = step {
                asid = *new;
            }
            let after = snapshot(&world.guest);
            plan.push((step.clone(), differences(&before, &after), commands));
        }
        // Second pass: from the first state on, with caches.
        let mut fresh = super::agree::world();
        let queue_base = fresh.guest.queue_base;
        let Guest { smmu, queue, .. } = &mut fresh.guest;
        let mut plain = smmu.tbu_with(NoCaches).unwrap();
        let mut fast = smmu.tbu_with(Fast::default()).unwrap();
        let mut tiny = smmu.tbu_with(Fast::new(2, 2, 2)).unwrap();
        let mut qemu = smmu.tbu_with(Exact::new(Preset::QEMU_10_0)).unwrap();
        let mut gem5 = smmu.tbu_with(Exact::new(Preset::GEM5)).unwrap();
        let mut small = smmu.tbu_with(Exact::new(Preset::custom(16, 2, Replacement::Random))).unwrap();
        let (mut prod, mut translated) = (0u32, 0);
        for (step, words, commands) in plan {
            for (at, word) in words {
                write(smmu.memory(), at, word);
            }
            for command in commands.into_iter().chain([[0x46, 0]]) {
                let at = queue_base + u64::from(prod % 16) * 16;
                write(smmu.memory(), at, command[0]);
                write(smmu.memory(), at + 8, command[1]);
                prod = (prod + 1) % 32;
                queue.set_prod(prod);
                prop_assert_eq!(smmu.consume(queue, &()), Stopped::Empty);
            }
            if let Step::Access { sid, page, kind } = step {
                let access = Access { write: kind & 1 == 1, instruction: kind & 2 != 0, privileged: kind & 4 != 0 };
                let transaction = Transaction::new(StreamId(sid), None, Iova(address(page) + 4), access);
                let answer = plain.burst().translate(&transaction);
                compare(&mut fast, &transaction, &answer)?;
                compare(&mut tiny, &transaction, &answer)?;
                compare(&mut qemu, &transaction, &answer)?;
                compare(&mut gem5, &transaction, &answer)?;
                compare(&mut small, &transaction, &answer)?;
                translated += u64::from(answer.is_ok());
            }
        }
        // Every access looked something up: this is no test of empty caches.
        let counts = qemu.caches().translations;
        prop_assert!(counts.hits + counts.misses >= translated);
    }
}

#[test]
fn exact_caches_count_what_they_find() {
    let world = world();
    let mut guest = world.guest;
    let mut inner = world.inner;
    assert!(inner.map(&mut Inner(&mut guest), 0, DATA, 3, S1_RW, 0));
    let mut tbu = guest.smmu.tbu_with(Exact::new(Preset::QEMU_10_0)).unwrap();
    for _ in 0..5 {
        let transaction = Transaction::new(SID, None, Iova(8), Access::READ);
        assert!(tbu.burst().translate(&transaction).is_ok());
    }
    let counts = tbu.caches().translations;
    assert_eq!((counts.hits, counts.misses), (4, 1));
    assert_eq!(tbu.caches().stes.misses, 1);
    assert_eq!(tbu.caches().cds.misses, 1);
}

/// The fast policy tags with numbers that only grow, and begins anew when they run out: more invalidations than there are numbers.
#[test]
fn owner_numbers_run_out_without_harm() {
    let space = |asid| Space {
        vmid: Vmid(3),
        asid: Asid(asid),
        aset: false,
    };
    let leaf = |base| Leaf {
        base,
        page_bits: 12,
        rights: engine::Rights::ALL,
        global: false,
        named_bits: 12,
    };
    let nh_asid = |asid| Command::TlbiNhAsid {
        vmid: Vmid(3),
        asid: Asid(asid),
    };
    let mut fast = Fast::default();
    let found = |fast: &mut Fast, asid| {
        let mut pages = fast.parts().pages;
        let owner = pages.space(space(asid));
        let found = pages.translation(owner, 0x5000);
        found.map(|leaf| leaf.base)
    };
    for round in 1..600_000u64 {
        let base = round << 12;
        let mut pages = fast.parts().pages;
        for (asid, base) in [(7, base), (8, base + 0x1000)] {
            let owner = pages.space(space(asid));
            pages.keep_translation(owner, 0x5000, &leaf(base));
        }
        drop(pages);
        assert_eq!(found(&mut fast, 7), Some(base));
        fast.invalidate(&nh_asid(7));
        assert_eq!(found(&mut fast, 7), None);
        // Beginning anew forgets everything; nothing old comes back.
        assert!([None, Some(base + 0x1000)].contains(&found(&mut fast, 8)));
    }
}

fn write(memory: &GuestMemoryMmap<()>, at: u64, word: u64) {
    use vm_memory::{Bytes, GuestAddress};
    memory.write_obj(word, GuestAddress(at)).expect("in memory");
}

/// The first 8 MiB, where everything of this test lies.
fn snapshot(guest: &Guest) -> Vec<u64> {
    use vm_memory::{Bytes, GuestAddress};
    let mut bytes = vec![0; 0x4_0000];
    guest
        .smmu
        .memory()
        .read_slice(&mut bytes, GuestAddress(BASE))
        .expect("in memory");
    bytes
        .chunks_exact(8)
        .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("8 bytes")))
        .collect()
}

fn differences(before: &[u64], after: &[u64]) -> Vec<(u64, u64)> {
    let changed = before
        .iter()
        .zip(after)
        .enumerate()
        .filter(|(_, (before, after))| before != after);
    changed
        .map(|(index, (_, &after))| (BASE + index as u64 * 8, after))
        .collect()
}
