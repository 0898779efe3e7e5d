//! Tables of any shape, built by a builder that shares nothing with the engine, translate as they were meant to.
//!
//! All granules, input sizes, start levels (concatenated ones too), blocks, permissions of leaves and of tables, both stages. The
//! answer that is expected comes from what the builder was asked for, not from a second walk.

use engine::{Access, Features, Iova, Rights, Transaction, cache};
use proptest::prelude::*;

use crate::support::guest::*;
use crate::support::tables::{Leaf, Shape, Tree};

const PAGES: [u64; 3] = [0x1000, 0x4000, 0x1_0000];

/// Leaves may be of these levels.
fn leaf_levels(shape: &Shape) -> Vec<u8> {
    let lowest = match shape.page {
        0x1000 => 1,
        0x4000 => 2,
        // Blocks of 4 TiB need 52-bit addresses, which these tests have.
        _ => 1,
    };
    (shape.start.max(lowest)..=3).collect()
}

fn stage1_shape() -> impl Strategy<Value = Shape> {
    (0usize..3, 25u8..=52).prop_map(|(page, bits)| {
        let page = PAGES[page];
        Shape::stage1(page, if page == 0x1_0000 { bits } else { bits.min(48) })
    })
}

/// Every start level and number of concatenated tables that S2SL0 and S2T0SZ can express together, with room for the tests' tables.
fn stage2_shape() -> impl Strategy<Value = Shape> {
    (0usize..3, 33u8..=52, 0u8..4).prop_filter_map(
        "S2SL0 does not fit S2T0SZ",
        |(page, input_bits, start)| {
            let page = PAGES[page];
            let shape = Shape {
                page,
                input_bits,
                start,
            };
            let encodable = if page == 0x1000 {
                start <= 2
            } else {
                (1..=3).contains(&start)
            };
            let small = page == 0x1_0000 || input_bits <= 48;
            let covered = u128::from(shape.covers(start));
            let tables = (1u128 << input_bits).div_ceil(covered * u128::from(page / 8));
            (encodable
                && small
                && 1u128 << input_bits > covered
                && tables <= 16
                && shape.start_entries() <= 0x8000)
                .then_some(shape)
        },
    )
}

/// A mapping to ask for: where, at which level, with which bits.
#[derive(Clone, Debug)]
struct Wish {
    input: u64,
    output: u64,
    level: prop::sample::Index,
    attributes: u64,
    table_bits: u64,
}

/// AP, AF (mostly set), nG, PXN, UXN; APTable, PXNTable, UXNTable (mostly clear).
fn wish1() -> impl Strategy<Value = Wish> {
    let af = prop::sample::select(vec![0u64, 1, 1, 1, 1, 1]);
    let tables = prop_oneof![4 => Just(0u64), 1 => 0u64..16];
    (
        any::<u64>(),
        any::<u64>(),
        any::<prop::sample::Index>(),
        0u64..4,
        af,
        any::<bool>(),
        0u64..4,
        tables,
    )
        .prop_map(|(input, output, level, ap, af, ng, xn, tables)| Wish {
            input,
            output,
            level,
            attributes: ap << 6 | af << 10 | u64::from(ng) << 11 | xn << 53,
            table_bits: tables << 59,
        })
}

/// S2AP, AF, XN.
fn wish2() -> impl Strategy<Value = Wish> {
    let af = prop::sample::select(vec![0u64, 1, 1, 1, 1, 1]);
    let ap = prop::sample::select(vec![3u64, 3, 3, 2, 1, 0]);
    (
        any::<u64>(),
        any::<u64>(),
        any::<prop::sample::Index>(),
        ap,
        af,
        any::<bool>(),
    )
        .prop_map(|(input, output, level, ap, af, xn)| Wish {
            input,
            output,
            level,
            attributes: ap << 6 | af << 10 | u64::from(xn) << 54,
            table_bits: 0,
        })
}

/// An access near one of the mappings.
fn accesses() -> impl Strategy<Value = Vec<(prop::sample::Index, u64, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0u8..8), 1..24)
}

fn access_of(kind: u8) -> Access {
    Access {
        write: kind & 1 == 1,
        instruction: kind & 2 != 0,
        privileged: kind & 4 != 0,
    }
}

/// What one stage is expected to say: the address, or an event number.
type Answer = Result<u64, u64>;

/// Who may do what, spelt out case by case: Arm ARM, D8.4, for EL1&0.
fn stage1_allows(leaf: &Leaf, tables: u64, access: Access) -> bool {
    let bit = |word: u64, bit: u32| word >> bit & 1 == 1;
    let user_may = bit(leaf.attributes, 6) && !bit(tables, 61);
    let writable = !bit(leaf.attributes, 7) && !bit(tables, 62);
    let user_executable = !bit(leaf.attributes, 54) && !bit(tables, 60);
    let user_writable = user_may && writable;
    let kernel_executable = !(bit(leaf.attributes, 53) || bit(tables, 59) || user_writable);
    match (access.privileged, access.write, access.instruction) {
        (true, true, _) => writable,
        (true, false, false) => true,
        (true, false, true) => kernel_executable,
        (false, true, _) => user_may && writable,
        (false, false, false) => user_may,
        (false, false, true) => user_executable,
    }
}

fn stage2_allows(leaf: &Leaf, access: Access) -> bool {
    match (access.write, access.instruction) {
        (true, _) => leaf.attributes & 1 << 7 != 0,
        (false, false) => leaf.attributes & 1 << 6 != 0,
        (false, true) => leaf.attributes & 1 << 54 == 0,
    }
}

fn through(tree: &Tree, input: u64, allows: impl Fn(&Leaf) -> bool) -> Answer {
    let leaf = tree.find(input).ok_or(0x10u64)?;
    if leaf.attributes & 1 << 10 == 0 {
        return Err(0x12);
    }
    if !allows(leaf) {
        return Err(0x13);
    }
    Ok(leaf.output + (input - leaf.input))
}

/// The expected end of an access: the address, or event number and stage.
fn expected(
    inner: Option<&Tree>,
    outer: Option<&Tree>,
    input: u64,
    access: Access,
) -> Result<u64, (u64, bool)> {
    let ipa = match inner {
        Some(tree) => {
            let allows = |leaf: &Leaf| stage1_allows(leaf, tree.bits_above(leaf), access);
            through(tree, input, allows).map_err(|id| (id, false))?
        }
        None => input,
    };
    match outer {
        Some(tree) => {
            through(tree, ipa, |leaf| stage2_allows(leaf, access)).map_err(|id| (id, true))
        }
        None => Ok(ipa),
    }
}

fn grant(
    tree: &mut Tree,
    pages: &mut impl crate::support::tables::Pages,
    wishes: &[Wish],
    output_bits: u8,
) {
    let levels = leaf_levels(&tree.shape);
    for wish in wishes {
        let level = *wish.level.get(&levels);
        let bytes = tree.shape.covers(level);
        let input = wish.input % (1 << tree.shape.input_bits) / bytes * bytes;
        let output = wish.output % (1 << output_bits) / bytes * bytes;
        tree.map(
            pages,
            input,
            output,
            level,
            wish.attributes,
            wish.table_bits,
        );
    }
}

/// Has every policy answer every access, twice over, and compares.
fn check(
    guest: &Guest,
    inner: Option<&Tree>,
    outer: Option<&Tree>,
    wishes: &[(prop::sample::Index, u64, u8)],
) -> Result<(), TestCaseError> {
    let tree = inner.or(outer).expect("some stage translates");
    let mut plain = guest.smmu.tbu_with(cache::NoCaches).unwrap();
    let mut fast = guest.smmu.tbu_with(cache::Fast::new(4, 4, 4)).unwrap();
    let mut exact = guest
        .smmu
        .tbu_with(cache::Exact::new(cache::Preset::GEM5))
        .unwrap();
    for round in 0..2 {
        for (index, offset, kind) in wishes {
            let input = match tree.leaves() {
                [] => *offset % (1 << tree.shape.input_bits),
                leaves => {
                    let leaf = index.get(leaves);
                    // Mostly within the mapping, sometimes right behind it.
                    (leaf.input + offset % (leaf.bytes + 8)) % (1 << tree.shape.input_bits)
                }
            };
            let access = access_of(*kind);
            let transaction = Transaction::new(SID, None, Iova(input), access);
            let answer = plain.burst().translate(&transaction);
            let told = answer
                .as_ref()
                .map(|translation| translation.pa.0)
                .map_err(|refusal| {
                    let words = refusal.event.expect("faults are recorded").words();
                    (words[0] & 0xff, words[1] >> 39 & 1 == 1)
                });
            prop_assert_eq!(
                told,
                expected(inner, outer, input, access),
                "{:x} {:?} round {}",
                input,
                access,
                round
            );
            prop_assert_eq!(
                fast.burst().translate(&transaction),
                answer,
                "fast, {:x} {:?}",
                input,
                access
            );
            prop_assert_eq!(
                exact.burst().translate(&transaction),
                answer,
                "exact, {:x} {:?}",
                input,
                access
            );
            if let Ok(translation) = answer {
                prop_assert!(translation.rights.contains(access.needs()));
                prop_assert!(Rights::ALL.contains(translation.rights));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn stage_1(shape in stage1_shape(), wishes in prop::collection::vec(wish1(), 1..8), accesses in accesses()) {
        let mut guest = Guest::new(Features::all());
        let mut tree = guest.stage1(shape);
        let output_bits = if shape.page == 0x1_0000 { 52 } else { 48 };
        grant(&mut tree, &mut Host(&mut guest), &wishes, output_bits);
        stage1_only(&mut guest, &tree);
        check(&guest, Some(&tree), None, &accesses)?;
    }

    #[test]
    fn stage_2(shape in stage2_shape(), wishes in prop::collection::vec(wish2(), 1..8), accesses in accesses()) {
        let mut guest = Guest::new(Features::all());
        let mut tree = Tree::new(shape, &mut Host(&mut guest));
        let output_bits = if shape.page == 0x1_0000 { 52 } else { 48 };
        grant(&mut tree, &mut Host(&mut guest), &wishes, output_bits);
        guest.set_ste(SID, ste_s2(&tree, 9));
        check(&guest, None, Some(&tree), &accesses)?;
    }

    #[test]
    fn nested_stages(
        shapes in (stage1_shape(), stage2_shape()),
        inner_wishes in prop::collection::vec((wish1(), any::<prop::sample::Index>()), 1..8),
        outer_wishes in prop::collection::vec(wish2(), 1..6),
        accesses in accesses(),
    ) {
        let mut guest = Guest::new(Features::all());
        let (mut inner, mut outer, _) = nested(&mut guest, shapes.0, shapes.1);
        let output_bits = if shapes.1.page == 0x1_0000 { 52 } else { 48 };
        let before = outer.leaves().len();
        grant(&mut outer, &mut Host(&mut guest), &outer_wishes, output_bits);
        // Stage 1 mostly leads to what stage 2 maps.
        let targets = outer.leaves()[before..].to_vec();
        let wishes: Vec<_> = inner_wishes.into_iter().map(|(wish, target)| match &targets[..] {
            [] => wish,
            targets => Wish { output: target.get(targets).input, ..wish },
        }).collect();
        let ipa_bits = shapes.1.input_bits.min(if shapes.0.page == 0x1_0000 { 52 } else { 48 });
        grant(&mut inner, &mut Inner(&mut guest), &wishes, ipa_bits);
        check(&guest, Some(&inner), Some(&outer), &accesses)?;
    }
}

#[test]
fn ttb1_translates_the_upper_half_and_tbi_ignores_the_top_byte() {
    for page in PAGES {
        let mut guest = Guest::new(Features::all());
        let shape = Shape::stage1(page, 39);
        let mut low = guest.stage1(shape);
        let mut high = guest.stage1(shape);
        assert!(low.map(&mut Host(&mut guest), page, 0x10_0000, 3, S1_RW, 0));
        assert!(high.map(&mut Host(&mut guest), page, 0x20_0000, 3, S1_RW, 0));
        let at = stage1_only(&mut guest, &low);
        let tg1 = match page {
            0x1000 => 2,
            0x4000 => 1,
            _ => 3,
        };
        let mut words = cd(&low, 7);
        words[0] = words[0] & !(1 << 30) | 25 << 16 | tg1 << 22;
        words[2] = high.root;
        guest.write(at, &words);
        let top = !0 << 39;
        let pa = |guest: &Guest, va| {
            guest
                .access(None, va, READ)
                .map(|t| t.pa.0)
                .map_err(|r| r.event.unwrap().words()[0] & 0xff)
        };
        assert_eq!(pa(&guest, page + 1), Ok(0x10_0001));
        assert_eq!(pa(&guest, top + page + 1), Ok(0x20_0001));
        let (low_tag, high_tag) = (0xab << 56 | page, top & !0 >> 8 | 0x12 << 56 | page);
        assert_eq!(pa(&guest, low_tag), Err(0x10));
        assert_eq!(pa(&guest, high_tag), Err(0x10));
        words[0] |= 1 << 38;
        guest.write(at, &words);
        assert_eq!(
            (pa(&guest, low_tag), pa(&guest, high_tag)),
            (Ok(0x10_0000), Err(0x10))
        );
        words[0] ^= 3 << 38;
        guest.write(at, &words);
        assert_eq!(
            (pa(&guest, low_tag), pa(&guest, high_tag)),
            (Err(0x10), Ok(0x20_0000))
        );
        // TxSZ still counts below the top byte, and EPDx ends a half.
        assert_eq!(pa(&guest, 1 << 39 | page), Err(0x10));
        words[0] |= 1 << 14;
        guest.write(at, &words);
        assert_eq!(
            (pa(&guest, page), pa(&guest, top + page)),
            (Err(0x10), Ok(0x20_0000))
        );
    }
}

#[test]
fn had_wxn_and_pan() {
    let kernel_read = Access {
        privileged: true,
        ..READ
    };
    let kernel_fetch = Access {
        instruction: true,
        ..kernel_read
    };
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    // APTable 0b10 above a writable page: read-only, unless HAD0.
    assert!(tree.map(&mut Host(&mut guest), 0, 0x10_0000, 3, S1_RW, 2 << 61));
    // A page that only privileged software can write.
    assert!(tree.map(
        &mut Host(&mut guest),
        1 << 40,
        0x20_0000,
        3,
        S1_RW & !(1 << 6),
        0
    ));
    let at = stage1_only(&mut guest, &tree);
    let allowed = |guest: &Guest, va, access| guest.access(None, va, access).is_ok();
    assert!(
        !allowed(&guest, 0, WRITE) && allowed(&guest, 0, READ) && allowed(&guest, 0, kernel_read)
    );
    let mut words = cd(&tree, 7);
    words[1] |= 2;
    guest.write(at, &words);
    assert!(allowed(&guest, 0, WRITE));
    assert!(allowed(&guest, 1 << 40, kernel_fetch));
    words[0] |= 1 << 36;
    guest.write(at, &words);
    assert!(!allowed(&guest, 1 << 40, kernel_fetch), "WXN");
    words[0] |= 1 << 40;
    guest.write(at, &words);
    assert!(
        !allowed(&guest, 0, kernel_read) && allowed(&guest, 0, READ),
        "PAN"
    );
    assert!(
        allowed(&guest, 1 << 40, kernel_read),
        "PAN spares what is privileged alone"
    );
}
