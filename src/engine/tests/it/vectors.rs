//! Layouts pinned by words whose fields were read off by hand. The words are Linux's (`tests/data/README.md`), or the manual's figures.

use engine::layout::{
    AtsRequestWord1, Cd, Command, Config, Descriptor, Event, EventId, Granule, Illegal, Kind, L1Cd,
    L1Std, PageRequestWord1, RangeHint, Ste, SyncSignal,
};
use engine::{Asid, Iova, Ipa, StreamId, SubstreamId, Vmid};

/// Linux 6.1, virtio-blk: stage 1.
const STE_S1: [u64; 8] = [0x0000_0000_4813_400b, 0xd6, 0, 0, 0, 0, 0, 0];
/// Linux 6.1, VFIO: stage 2.
const STE_S2: [u64; 8] = [
    0xd,
    0x0000_1000_0000_0000,
    0x044c_3594_0000_0001,
    0x0000_0000_477d_3000,
    0,
    0,
    0,
    0,
];
/// Linux 6.1, the CD of `STE_S1`.
const CD: [u64; 8] = [
    0x0002_e204_c000_3510,
    0x4817_5000,
    0,
    0xffff_ffff_f404_ff44,
    0,
    0,
    0,
    0,
];

#[test]
fn ste() {
    let ste = Ste::from_words(STE_S1);
    assert!(ste.word0.v());
    assert_eq!(ste.config(), Config::S1);
    assert_eq!(
        (ste.word0.s1fmt(), ste.s1contextptr(), ste.word0.s1cdmax()),
        (0, 0x4813_4000, 0)
    );
    // 0xd6: S1DSS "use CD 0", write-back inner and outer, inner shareable.
    let word1 = ste.word1;
    assert_eq!(
        (word1.s1dss(), word1.s1cir(), word1.s1cor(), word1.s1csh()),
        (2, 1, 1, 3)
    );
    assert_eq!(
        (word1.eats(), word1.strw(), word1.s1stalld()),
        (0, 0, false)
    );
    assert_eq!(ste.words(), STE_S1);

    let ste = Ste::from_words(STE_S2);
    assert_eq!((ste.config(), ste.word1.shcfg()), (Config::S2, 1));
    let word2 = ste.word2;
    assert_eq!(
        (
            word2.s2vmid(),
            word2.s2t0sz(),
            word2.s2sl0(),
            word2.s2tg(),
            word2.s2ps()
        ),
        (1, 20, 2, 0, 4)
    );
    assert_eq!((word2.s2ir0(), word2.s2or0(), word2.s2sh0()), (1, 1, 3));
    assert!(
        word2.s2aa64()
            && word2.s2ptw()
            && word2.s2r()
            && !word2.s2s()
            && !word2.s2affd()
            && !word2.s2endi()
    );
    assert_eq!(ste.s2ttb(), 0x477d_3000);
    assert_eq!(ste.words(), STE_S2);

    // Fields that Linux leaves 0, one bit each: 5.2 STE.
    let ste = Ste::from_words([
        31 << 59,
        1 << 19 | 1 << 27 | 2 << 28 | 3 << 48 | 2 << 50,
        3 << 52 | 1 << 57,
        0,
        0,
        0,
        0,
        0,
    ]);
    assert_eq!(
        (
            ste.word0.s1cdmax(),
            ste.word1.eats(),
            ste.word1.privcfg(),
            ste.word1.instcfg()
        ),
        (31, 2, 3, 2)
    );
    assert!(
        ste.word1.mev()
            && ste.word1.s1stalld()
            && ste.word2.s2endi()
            && ste.word2.s2affd()
            && ste.word2.s2s()
    );
}

#[test]
fn cd() {
    let cd = Cd::from_words(CD);
    let word = cd.word0;
    assert_eq!(
        (word.t0sz(), word.tg0(), word.ir0(), word.or0(), word.sh0()),
        (16, 0, 1, 1, 3)
    );
    assert!(!word.epd0() && !word.endi() && word.epd1() && word.v() && word.aa64());
    assert_eq!((word.ips(), word.asid()), (4, 2));
    assert!(
        word.a()
            && word.r()
            && !word.s()
            && word.aset()
            && !word.ha()
            && !word.hd()
            && !word.affd()
    );
    assert_eq!(
        (cd.ttb0(), cd.ttb1(), cd.mair),
        (0x4817_5000, 0, 0xffff_ffff_f404_ff44)
    );
    assert_eq!(cd.words(), CD);
    // Fields that Linux leaves 0: 5.4 CD.
    let cd = Cd::from_words([
        25 << 16 | 2 << 22 | 1 << 36 | 1 << 38 | 1 << 39 | 1 << 40 | 1 << 44,
        2,
        2 | 0xabc0,
        0,
        0,
        0,
        0,
        0,
    ]);
    let word = cd.word0;
    assert_eq!((word.t1sz(), word.tg1(), cd.ttb1()), (25, 2, 0xabc0));
    assert!(
        word.wxn()
            && word.tbi0()
            && word.tbi1()
            && word.pan()
            && word.s()
            && cd.word1.had0()
            && cd.word2.had1()
    );
}

#[test]
fn level_1_descriptors() {
    // A span of 7: 64 entries of 64 bytes, so that the array is aligned to 4 KiB.
    let l1std = L1Std::from_bits(0x7ac6_0007);
    assert_eq!((l1std.span(), l1std.l2_array()), (7, 0x7ac6_0000));
    let l1std = L1Std::from_bits(0x7ac6_0fc7);
    assert_eq!(l1std.l2_array(), 0x7ac6_0000);
    let l1cd = L1Cd::from_bits(0x0080_0000_4813_4fff);
    assert!(l1cd.v());
    assert_eq!(l1cd.l2_table(), 0x0080_0000_4813_4000);
    assert!(!L1Cd::from_bits(0x4813_4000).v());
}

#[test]
fn descriptors() {
    // Linux 6.1: a stage-1 page, read-write, and a read-only one; a table.
    let page = Descriptor::from_bits(0x0060_0000_4779_ef4b);
    assert_eq!(page.kind(Granule::K4, 3, false), Kind::Leaf);
    assert_eq!(page.address(Granule::K4, Kind::Leaf, 3, false), 0x4779_e000);
    assert_eq!(
        (
            page.attributes(),
            page.ap(),
            page.sh(),
            page.af(),
            page.ng()
        ),
        (2, 1, 3, true, true)
    );
    assert!(page.pxn() && page.uxn());
    // At levels 0 to 2 the same type bits mean a table; at level 3 a block is reserved.
    assert_eq!(page.kind(Granule::K4, 2, false), Kind::Table);
    let block = Descriptor::from_bits(0x0060_0000_47a0_0f49);
    let kinds = [0, 1, 2, 3].map(|level| block.kind(Granule::K4, level, false));
    assert_eq!(
        kinds,
        [Kind::Invalid, Kind::Leaf, Kind::Leaf, Kind::Invalid]
    );
    let kinds = [1, 2].map(|level| block.kind(Granule::K64, level, false));
    assert_eq!(kinds, [Kind::Invalid, Kind::Leaf]);
    assert_eq!(block.kind(Granule::K64, 1, true), Kind::Leaf);
    // 64 KiB: address bits 51:48 in bits 15:12.
    let page = Descriptor::from_bits(0x0000_1234_5678_a003);
    assert_eq!(
        page.address(Granule::K64, Kind::Leaf, 3, true),
        0x000a_1234_5678_0000 & !0xffff
    );
    assert_eq!(
        page.address(Granule::K64, Kind::Leaf, 3, false),
        0x1234_5678_0000
    );
    // Table attributes.
    let table = Descriptor::from_bits(0b1_1001 << 59 | 3);
    assert_eq!((table.aptable(), table.nstable()), (0b10, true));
    assert!(table.pxntable() && !table.uxntable());
}

#[test]
fn granules() {
    let bits = |granule: Granule| [0, 1, 2, 3].map(|level| granule.entry_bits(level));
    assert_eq!(bits(Granule::K4), [39, 30, 21, 12]);
    assert_eq!(bits(Granule::K16), [47, 36, 25, 14]);
    assert_eq!(bits(Granule::K64)[1..], [42, 29, 16]);
    assert_eq!(
        [48, 39, 40, 30, 25].map(|bits| Granule::K4.start_level(bits)),
        [0, 1, 0, 2, 2]
    );
    assert_eq!(
        [48, 47, 36, 25].map(|bits| Granule::K16.start_level(bits)),
        [0, 1, 2, 3]
    );
    assert_eq!(
        [52, 48, 42, 29, 25].map(|bits| Granule::K64.start_level(bits)),
        [1, 1, 2, 3, 3]
    );
}

#[test]
fn events() {
    // QEMU 10.0.2: a write of stream 0x30 that stage 1 refuses, F_PERMISSION, CLASS = IN.
    let event = Event::from_words([0x0000_0030_0000_0013, 0x0000_0200_0000_0000, 0x0030_0010, 0]);
    assert_eq!(
        (event.word0.id(), event.word0.streamid(), event.word0.ssv()),
        (0x13, 0x30, false)
    );
    assert_eq!(
        (
            event.word1.class(),
            event.word1.s2(),
            event.word1.rnw(),
            event.word1.stall()
        ),
        (2, false, false, false)
    );
    assert_eq!(event.input_addr, 0x0030_0010);
    // A read that stage 2 has no translation for.
    let event = Event::from_words([
        0x0000_0030_0000_0010,
        0x0000_0288_0000_0000,
        0x0011_0040,
        0x0011_0040,
    ]);
    assert_eq!(
        (event.word1.class(), event.word1.s2(), event.word1.rnw()),
        (2, true, true)
    );
    // The rest of the fields: 7.3.
    let event = Event::from_words([0xabcd_e800, 0x6_8000_1234 | 1 << 44, 0, 0]);
    assert!(
        event.word0.ssv()
            && event.word1.stall()
            && event.word1.pnu()
            && event.word1.ind()
            && event.word1.ttrnw()
    );
    assert_eq!(
        (event.word0.substreamid(), event.word1.stag()),
        (0xabcde, 0x1234)
    );
}

#[test]
fn commands_as_linux_writes_them() {
    let page = |tg, ttl, num, scale| RangeHint {
        tg,
        ttl,
        num,
        scale,
    };
    for (words, command) in [
        (
            [0x0000_0010_0000_0001, 0],
            Command::PrefetchConfig {
                sid: StreamId(0x10),
                ssid: None,
            },
        ),
        (
            [0x0000_0010_0000_0003, 1],
            Command::CfgiSte {
                sid: StreamId(0x10),
                leaf: true,
            },
        ),
        (
            [0x4, 0x1f],
            Command::CfgiSteRange {
                sid: StreamId(0),
                range: 31,
            },
        ),
        (
            [0x0000_0010_0000_0005, 1],
            Command::CfgiCd {
                sid: StreamId(0x10),
                ssid: SubstreamId(0),
                leaf: true,
            },
        ),
        (
            [0x0001_0000_0000_0011, 0],
            Command::TlbiNhAsid {
                vmid: Vmid(0),
                asid: Asid(1),
            },
        ),
        (
            [0x0001_0000_0010_4012, 0xfff9_0701],
            Command::TlbiNhVa {
                vmid: Vmid(0),
                asid: Asid(1),
                address: Iova(0xfff9_0000),
                leaf: true,
                hint: page(1, 3, 4, 1),
            },
        ),
        (
            [0x0003_0000_0000_e012, 0xfffa_0701],
            Command::TlbiNhVa {
                vmid: Vmid(0),
                asid: Asid(3),
                address: Iova(0xfffa_0000),
                leaf: true,
                hint: page(1, 3, 14, 0),
            },
        ),
        (
            [0x0000_0001_0000_0028, 0],
            Command::TlbiS12Vmall { vmid: Vmid(1) },
        ),
        (
            [0x0000_0001_0010_202a, 0xfffc_0701],
            Command::TlbiS2Ipa {
                vmid: Vmid(1),
                address: Ipa(0xfffc_0000),
                leaf: true,
                hint: page(1, 3, 2, 1),
            },
        ),
        ([0x30, 0], Command::TlbiNsnhAll),
        ([0x0fc0_2046, 0], Command::Sync(SyncSignal::Sev)),
    ] {
        let decoded = Command::decode(words);
        assert_eq!(decoded, Ok(command), "{words:x?}");
        // What we encode means the same.
        assert_eq!(Command::decode(decoded.unwrap().encode()), decoded);
    }
}

#[test]
fn commands_in_words() {
    for (words, told) in [
        (
            [0x10_0000_0001, 0],
            "CMD_PREFETCH_CONFIG StreamID=0x10 SSV=0",
        ),
        ([0x10_0000_0003, 1], "CMD_CFGI_STE StreamID=0x10 Leaf=1"),
        (
            [0x10_0000_0004, 4],
            "CMD_CFGI_STE_RANGE StreamID=0x10 Range=4",
        ),
        ([0x4, 0x1f], "CMD_CFGI_ALL"),
        (
            [0x10_0002_1005, 0],
            "CMD_CFGI_CD StreamID=0x10 SubstreamID=0x21 Leaf=0",
        ),
        ([0x10_0000_0006, 0], "CMD_CFGI_CD_ALL StreamID=0x10"),
        ([0x7_0000_0010, 0], "CMD_TLBI_NH_ALL VMID=0x7"),
        (
            [0x1_0007_0000_0011, 0],
            "CMD_TLBI_NH_ASID VMID=0x7 ASID=0x1",
        ),
        (
            [0x0001_0000_0010_4012, 0xfff9_0701],
            "CMD_TLBI_NH_VA VMID=0x0 ASID=0x1 Address=0xfff90000 Leaf=1 TG=1 TTL=3 NUM=4 SCALE=1",
        ),
        (
            [0x7_0000_0013, 0x5000],
            "CMD_TLBI_NH_VAA VMID=0x7 Address=0x5000 Leaf=0",
        ),
        ([0x7_0000_0028, 0], "CMD_TLBI_S12_VMALL VMID=0x7"),
        (
            [0x7_0000_002a, 0x5001],
            "CMD_TLBI_S2_IPA VMID=0x7 Address=0x5000 Leaf=1",
        ),
        ([0x30, 0], "CMD_TLBI_NSNH_ALL"),
        (
            [0x10_0002_1a40, 0x5003],
            "CMD_ATC_INV StreamID=0x10 SSV=1 SubstreamID=0x21 Global=1 Address=0x5000 Size=3",
        ),
        (
            [0x10_0000_0040, 52],
            "CMD_ATC_INV StreamID=0x10 SSV=0 Global=0 Address=0x0 Size=52",
        ),
        (
            [0x10_0000_0041, 0x2005],
            "CMD_PRI_RESP StreamID=0x10 SSV=0 PRGIndex=0x5 Resp=2",
        ),
        (
            [0x10_0000_1044, 9],
            "CMD_RESUME StreamID=0x10 STAG=0x9 Ac=1 Ab=0",
        ),
        (
            [0x10_0000_2044, 9],
            "CMD_RESUME StreamID=0x10 STAG=0x9 Ac=0 Ab=1",
        ),
        ([0x10_0000_0045, 0], "CMD_STALL_TERM StreamID=0x10"),
        ([0x46, 0], "CMD_SYNC CS=SIG_NONE"),
        ([0x0fc0_2046, 0], "CMD_SYNC CS=SIG_SEV"),
    ] {
        let command = Command::decode(words).expect("they are legal");
        assert_eq!(command.to_string(), told, "{words:x?}");
    }
}

#[test]
fn illegal_commands() {
    let illegal = [
        [0, 0],    // reserved opcode
        [0x07, 0], // VMS
        [0x20, 0], // EL2
        [0x18, 0], // EL3
        [0x50, 0], // Secure
        [0x90, 0], // reserved
        [0xff, 0],
        [0x403, 0],          // SSec
        [0x444, 0],          // SSec
        [0x46 | 3 << 12, 0], // CS reserved
        [0x40, 53],          // ATC_INV size
        [0x41, 3 << 12],     // PRI_RESP reserved response
    ];
    for words in illegal {
        assert_eq!(Command::decode(words), Err(Illegal), "{words:x?}");
    }
    assert!(Command::decode([0x40, 52]).is_ok());
    // 4.5: these have no SSec, so that its place is reserved, and ignored.
    assert!(Command::decode([0x440, 0]).is_ok());
    assert!(Command::decode([0x441, 0]).is_ok());
    assert!(Command::decode([0x12, 1 << 10 | 3 << 8]).is_ok());
}

#[test]
fn range_hints_in_bytes() {
    let hint = |tg, num, scale| RangeHint {
        tg,
        ttl: 0,
        num,
        scale,
    };
    assert_eq!(hint(0, 5, 5).bytes(), None);
    assert_eq!(hint(1, 31, 0).bytes(), Some(32 << 12));
    assert_eq!(hint(2, 0, 3).bytes(), Some(8 << 14));
    assert_eq!(hint(3, 2, 10).bytes(), Some(3 << 26));
    assert_eq!(hint(3, 31, 31).bytes(), Some(32 << 47));
}

/// 7.3.17, 7.3.18 and 7.3.20: events that this implementation does not raise, as another would write them.
#[test]
fn records_of_events_that_never_occur() {
    // F_TLB_CONFLICT of stage 2: SubstreamID 0xabcde, StreamID 5, Reason 0x1234, a privileged read.
    let words = [
        0x0000_0005_abcd_e820,
        0x0000_008a_0000_1234,
        0xffff_8000_1234_5678,
        0x0000_0040_0765_4000,
    ];
    let event = Event::from_words(words);
    assert_eq!(event.word0.id(), EventId::F_TLB_CONFLICT as u8);
    assert_eq!(
        (event.word0.ssv(), event.word0.substreamid()),
        (true, 0xabcde)
    );
    assert_eq!((event.word0.streamid(), event.word1.stag()), (5, 0x1234));
    assert!(event.word1.s2() && event.word1.rnw() && event.word1.pnu() && !event.word1.ind());
    assert_eq!(event.input_addr, 0xffff_8000_1234_5678);
    assert_eq!(event.ipa_or_fetch_addr, 0x40_0765_4000);
    assert_eq!((event.words(), words[0] & 0xff), (words, 0x20));

    // F_CFG_CONFLICT: no SubstreamID; F_VMS_FETCH: FetchAddr in the last word.
    let words = [0x0000_0005_0000_0021, 0x1234, 0, 0];
    let event = Event::from_words(words);
    assert_eq!((event.word0.id(), event.word0.ssv()), (0x21, false));
    assert_eq!((event.word1.stag(), event.words()), (0x1234, words));
    let words = [0x0000_0005_0000_0025, 0x1234, 0, 0x0000_0040_0765_4008];
    let event = Event::from_words(words);
    assert_eq!((event.word0.id(), event.word0.streamid()), (0x25, 5));
    assert_eq!(event.ipa_or_fetch_addr, 0x40_0765_4008);
    assert_eq!((event.word1.stag(), event.words()), (0x1234, words));
}

/// 7.3.6 and 7.3.19: records whose second word is another's.
#[test]
fn requests_have_a_second_word_of_their_own() {
    // R, W, not X, privileged; three STUs.
    let asked = AtsRequestWord1::from_bits(0xd000_0003);
    assert_eq!((asked.span(), asked.r(), asked.w()), (3, true, true));
    assert_eq!((asked.x(), asked.privileged()), (false, true));
    // Span 2, pR and pW, uR and uX.
    let expected = PageRequestWord1::from_bits(2 << 44 | 0b1100_1010 << 32);
    assert_eq!(expected.span(), 2);
    assert!(expected.pr() && expected.pw() && !expected.px());
    assert!(expected.ur() && !expected.uw() && expected.ux());
}
