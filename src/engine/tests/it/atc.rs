//! ATS: requests, translated transactions, and what the device's cache forgets.

use engine::cache::{Caches, Missed, NoCaches, Pages, Parts, Place, Route, Structures};
use engine::layout::Command;
use engine::{
    Access, Atc, AtcInvalidation, AtcMiss, AtsReply, Context, Features, Iova, Outcome, Pa,
    Registers, Rights, Stream, StreamId, SubstreamId, Transaction, Translation,
};

use crate::support::guest::*;
use crate::support::tables::{Shape, Tree};

const VA: u64 = 0x12_3456_7000;
const IPA: u64 = 0xd000_0000;
const PA: u64 = 0x7_0000_0000;

/// A nested machine with EATS, and VA -> IPA -> PA where stage 2 allows reads only.
fn machine(eats: u64) -> (Guest, Tree, Tree) {
    let mut guest = Guest::new(Features::all());
    let (mut inner, mut outer, cd) = nested(&mut guest, K4, K4_S2);
    assert!(inner.map(&mut Inner(&mut guest), VA, IPA, 3, S1_RW, 0));
    assert!(outer.map(&mut Host(&mut guest), IPA, PA, 3, S2_RW & !(1 << 7), 0));
    let mut ste = ste_nested(cd, &outer, 3);
    ste[1] = eats << 28;
    guest.set_ste(SID, ste);
    (guest, inner, outer)
}

fn request(guest: &Guest, va: u64) -> AtsReply {
    let mut tbu = guest.smmu.tbu().unwrap();
    tbu.burst()
        .ats_request(&Transaction::new(SID, None, Iova(va), READ))
}

#[test]
fn full_ats_yields_physical_addresses_and_the_rights_of_both_stages() {
    let (mut guest, ..) = machine(1);
    let AtsReply::Success(translation) = request(&guest, VA + 0x10) else {
        panic!()
    };
    assert_eq!((translation.pa, translation.page_bits), (Pa(PA + 0x10), 12));
    assert_eq!(translation.rights, Rights::UNPRIVILEGED_READ);
    // No translation is an answer, not an event.
    let AtsReply::Success(translation) = request(&guest, VA + 0x1000) else {
        panic!()
    };
    assert_eq!(translation.rights, Rights::NONE);
    assert!(guest.new_events().is_empty());
}

#[test]
fn split_stage_ats_yields_ipas_that_stage_2_translates_when_they_come_back() {
    let (mut guest, ..) = machine(2);
    let AtsReply::Success(translation) = request(&guest, VA + 0x10) else {
        panic!()
    };
    assert_eq!(translation.pa, Pa(IPA + 0x10));
    let atc = Atc::new(SID, 16);
    let mut tbu = guest.smmu.tbu().unwrap();
    let mut burst = tbu.burst();
    for _ in 0..2 {
        let translation = atc
            .translate(&mut burst, None, Iova(VA + 0x10), READ)
            .unwrap();
        assert_eq!(translation.pa, Pa(PA + 0x10));
    }
    assert_eq!(atc.counts(), (1, 1));
    // A device that makes up a translated write is stopped by stage 2.
    let refusal = burst
        .translate(&Transaction {
            address_type: engine::AddressType::Translated,
            ..Transaction::new(SID, None, Iova(IPA), WRITE)
        })
        .unwrap_err();
    assert_eq!(refusal.outcome, Outcome::Abort);
    drop(burst);
    drop(tbu);
    assert_eq!(
        guest.new_events(),
        [event(0x13, 1 << 39 | 2 << 40, IPA, IPA)]
    );
    // Without ATSCHK, split-stage is off.
    guest.smmu.configure(Registers {
        atschk: false,
        ..guest.smmu.registers()
    });
    assert_eq!(request(&guest, VA), AtsReply::UnsupportedRequest);
}

#[test]
fn broken_configuration_is_ca_and_an_abort_ste_is_a_silent_ur() {
    let (mut guest, ..) = machine(1);
    guest.set_ste(SID, [0; 8]);
    assert_eq!(request(&guest, VA), AtsReply::CompleterAbort);
    guest.set_ste(SID, [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(request(&guest, VA), AtsReply::UnsupportedRequest);
    assert!(guest.new_events().is_empty());
    let tree = guest.stage1(K4);
    let at = stage1_only(&mut guest, &tree);
    let mut ste = ste_s1(at);
    ste[1] = 1 << 28;
    guest.set_ste(SID, ste);
    guest.write(at, &[0]);
    assert_eq!(request(&guest, VA), AtsReply::CompleterAbort);
    assert!(guest.new_events().is_empty());
}

/// AP\[1\]: unprivileged accesses.
const USER: u64 = 1 << 6;
/// AP\[2\]: no writes.
const READ_ONLY: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const XN: u64 = 1 << 54;

/// What a request with a PASID is granted, as (R, W, Exe) of the privilege that asked: `attributes` are of the page, `overrides` are
/// STE.PRIVCFG and INSTCFG.
fn granted(attributes: u64, overrides: (u64, u64), privileged: bool, exe: bool) -> [bool; 3] {
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    let leaf = S1_RW & !USER | attributes;
    assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, leaf, 0));
    let cds = guest.area(2 * 64);
    guest.write(cds + 64, &cd(&tree, 8));
    let mut ste = ste_s1(cds);
    ste[0] |= 1 << 59;
    ste[1] = 1 << 28 | overrides.0 << 48 | overrides.1 << 50;
    guest.set_ste(SID, ste);
    let access = Access {
        instruction: exe,
        privileged,
        ..READ
    };
    let mut tbu = guest.smmu.tbu().unwrap();
    let asked = Transaction::new(SID, Some(SubstreamId(1)), Iova(VA), access);
    let AtsReply::Success(translation) = tbu.burst().ats_request(&asked) else {
        panic!()
    };
    let [mine, other] = match privileged {
        true => [translation.rights.0 >> 3, translation.rights.0 & 7],
        false => [translation.rights.0 & 7, translation.rights.0 >> 3],
    };
    assert_eq!(other, 0, "a completion is about the privilege that asked");
    [0, 1, 2].map(|bit| mine >> bit & 1 == 1)
}

/// The examples of 13.7, in their order, and 13.7.1 for the overrides.
#[test]
fn a_request_is_granted_what_13_7_says() {
    const NONE: (u64, u64) = (0, 0);
    let user_rw = USER;
    let user_ro = USER | READ_ONLY;
    let (r, rw, rx, rwx, no) = (
        [true, false, false],
        [true, true, false],
        [true, false, true],
        [true; 3],
        [false; 3],
    );
    assert_eq!(granted(user_ro, NONE, false, false), r);
    assert_eq!(granted(user_rw, NONE, false, false), rw);
    assert_eq!(granted(0, NONE, true, false), rw);
    assert_eq!(granted(user_rw | XN | PXN, NONE, false, true), rw);
    assert_eq!(granted(user_rw, NONE, false, true), rwx);
    // Execute-only for unprivileged accesses: no access.
    assert_eq!(granted(0, NONE, false, true), no);
    assert_eq!(granted(user_ro, NONE, false, true), rx);
    // PRIVCFG: rights of the privilege that it says, granted to the one that asked.
    assert_eq!(granted(0, (3, 0), false, false), rw);
    assert_eq!(granted(user_ro, (2, 0), true, false), r);
    assert_eq!(granted(0, (2, 0), true, false), no);
    // INSTCFG: reads are fetches, or fetches are reads.
    assert_eq!(granted(user_ro | XN, (0, 3), false, true), no);
    assert_eq!(granted(0, (0, 3), false, true), rx);
    assert_eq!(granted(0, (0, 3), false, false), r);
    assert_eq!(granted(user_rw | XN, (0, 2), false, true), rwx);
}

/// 13.7: without a PASID there is no Exe and no Priv, neither in the request nor in the answer.
#[test]
fn a_request_without_a_pasid_asks_for_unprivileged_data() {
    let (guest, ..) = machine(1);
    let access = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    let mut tbu = guest.smmu.tbu().unwrap();
    let asked = Transaction::new(SID, None, Iova(VA), access);
    let AtsReply::Success(translation) = tbu.burst().ats_request(&asked) else {
        panic!()
    };
    assert_eq!(translation.rights, Rights::UNPRIVILEGED_READ);
}

/// 3.9.1.2: an answer without rights is of one STU, the smallest granule.
#[test]
fn no_access_is_of_the_smallest_granule() {
    let all = Features::all();
    let without_4 = Features {
        gran4k: false,
        ..all
    };
    let only_64 = Features {
        gran16k: false,
        ..without_4
    };
    for (features, bits) in [(all, 12), (without_4, 14), (only_64, 16)] {
        let mut guest = Guest::new(features);
        let tree = guest.stage1(Shape {
            page: 0x1_0000,
            input_bits: 48,
            start: 1,
        });
        let at = stage1_only(&mut guest, &tree);
        let mut ste = ste_s1(at);
        ste[1] = 1 << 28;
        guest.set_ste(SID, ste);
        let AtsReply::Success(nothing) = request(&guest, VA) else {
            panic!()
        };
        assert_eq!((nothing.rights, nothing.page_bits), (Rights::NONE, bits));
    }
}

/// 3.9.1.2: where stage 1 grants nothing of what is asked for, stage 2 is not asked, and nothing of it is seen: no CA for a stage-2
/// table that does not answer.
#[test]
fn stage_2_is_not_asked_where_stage_1_grants_nothing() {
    for eats in [1, 2] {
        for (attributes, reply) in [(0, "nothing"), (USER, "CA")] {
            let (mut guest, mut inner, outer) = machine(eats);
            let (va, ipa) = (VA + 0x4000_0000, IPA + 0x4000_0000);
            let leaf = S1_RW & !USER | attributes;
            assert!(inner.map(&mut Inner(&mut guest), va, ipa, 3, leaf, 0));
            guest.write(outer.root + ipa / (1 << 30) * 8, &[0x9000_0003]);
            match (reply, request(&guest, va)) {
                ("CA", AtsReply::CompleterAbort) => {}
                ("nothing", AtsReply::Success(nothing)) => assert_eq!(nothing.rights, Rights::NONE),
                (expected, reply) => panic!("{reply:?} is not {expected}"),
            }
        }
    }
}

/// 3.9.1.3, SMMU_IDR3.PASIDTT = 0: a translated transaction is unprivileged data without a SubstreamID, whatever came with it.
#[test]
fn what_comes_translated_has_no_pasid() {
    let (mut guest, _, mut outer) = machine(2);
    let access = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    let translated = |guest: &Guest, address| {
        let mut tbu = guest.smmu.tbu().unwrap();
        tbu.burst().translate(&Transaction {
            address_type: engine::AddressType::Translated,
            ..Transaction::new(SID, Some(SubstreamId(7)), Iova(address), access)
        })
    };
    // Stage 2 lets it be read and not executed.
    let data = IPA + 0x1000;
    assert!(outer.map(&mut Host(&mut guest), data, PA, 3, S2_RW | XN, 0));
    assert_eq!(translated(&guest, data).unwrap().pa, Pa(PA));
    translated(&guest, IPA + 0x2000).unwrap_err();
    let record = event(
        0x10,
        1 << 35 | 1 << 39 | 2 << 40,
        IPA + 0x2000,
        IPA + 0x2000,
    );
    assert_eq!(guest.new_events(), [record]);
    // Without ATS: F_TRANSL_FORBIDDEN.
    let mut ste = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 5 * 64 + at));
    ste[1] = 0;
    guest.set_ste(SID, ste);
    translated(&guest, IPA).unwrap_err();
    assert_eq!(guest.new_events(), [event(0x07, 1 << 35, IPA, 0)]);
}

/// 3.9.1.3: an IPA beyond the IAS is a fault of stage 1, which is recorded whatever STE.S2R says (3.12).
#[test]
fn an_ipa_beyond_the_ias_that_comes_back_is_recorded() {
    let (mut guest, ..) = machine(2);
    let mut ste = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| guest.read(guest.strtab + 5 * 64 + at));
    ste[2] &= !(1 << 58);
    guest.set_ste(SID, ste);
    let mut tbu = guest.smmu.tbu().unwrap();
    let came = Transaction {
        address_type: engine::AddressType::Translated,
        ..Transaction::new(SID, None, Iova(1 << 53), READ)
    };
    tbu.burst().translate(&came).unwrap_err();
    drop(tbu);
    let record = event(0x11, 1 << 35 | 2 << 40, 1 << 53, 0);
    assert_eq!(guest.new_events(), [record]);
}

#[test]
fn an_atc_keeps_its_answers_until_they_are_invalidated() {
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    assert!(tree.map(&mut Host(&mut guest), 0, PA, 2, S1_RW, 0));
    assert!(tree.map(
        &mut Host(&mut guest),
        0x40_0000,
        PA + 0x40_0000,
        3,
        S1_RW,
        0
    ));
    let cds = guest.area(2 * 64);
    guest.write(cds, &cd(&tree, 7));
    guest.write(cds + 64, &cd(&tree, 8));
    let mut ste = ste_s1(cds);
    ste[0] |= 1 << 59;
    ste[1] = 2 | 1 << 28;
    guest.set_ste(SID, ste);
    let atc = Atc::new(SID, 16);
    let mut tbu = guest.smmu.tbu().unwrap();
    let mut burst = tbu.burst();
    let one = Some(SubstreamId(1));
    let mut ask = |ssid, va| {
        atc.translate(&mut burst, ssid, Iova(va), READ)
            .map(|t| t.pa.0)
    };
    for (ssid, va) in [(None, 0x1000), (one, 0x1000), (one, 0x40_0008)] {
        assert_eq!(ask(ssid, va), Ok(PA + va));
    }
    assert_eq!(atc.len(), 3);
    assert_eq!(
        ask(one, 0x1f_fff8),
        Ok(PA + 0x1f_fff8),
        "the block is one entry"
    );
    assert_eq!(atc.counts(), (1, 3));
    assert_eq!(ask(one, 0x80_0000), Err(AtcMiss::NoTranslation));
    let invalidate = |ssid, address, span_bits| {
        atc.invalidate(&AtcInvalidation {
            sid: SID,
            ssid,
            global: false,
            address: Iova(address),
            span_bits,
        });
        atc.len()
    };
    assert_eq!(invalidate(one, 0x60_0000, 12), 3, "nothing lies there");
    assert_eq!(
        invalidate(one, 0x10_0000, 12),
        2,
        "a page of the block means the block, of this PASID"
    );
    assert_eq!(invalidate(Some(SubstreamId(9)), 0, 64), 2, "another PASID");
    assert_eq!(invalidate(one, 0x40_0000, 14), 1);
    assert_eq!(invalidate(None, 0, 64), 0);
}

/// No caches; but the first time that something is looked up in them, an invalidation reaches a device.
struct Overtaken<'a> {
    atc: &'a Atc,
    invalidation: Option<AtcInvalidation>,
}

impl Caches for Overtaken<'_> {
    const ROUTES: bool = false;

    fn route(&mut self, _: &Transaction) -> Result<Translation, Missed> {
        Err(Missed::Unknown)
    }
    fn keep_route(&mut self, _: &Transaction, _: &Route) {}
    fn resume(&mut self, _: Place, _: Access) -> Option<(&Route, Rights, impl Pages)> {
        None::<(&Route, Rights, NoCaches)>
    }
    fn spread_out(&self) -> bool {
        false
    }
    fn parts(
        &mut self,
    ) -> Parts<
        '_,
        impl Structures<StreamId, Stream>,
        impl Structures<(StreamId, u32), Context>,
        impl Pages,
    > {
        if let Some(invalidation) = self.invalidation.take() {
            self.atc.invalidate(&invalidation);
        }
        Parts {
            streams: NoCaches,
            contexts: NoCaches,
            levels: None,
            pages: NoCaches,
        }
    }
    fn invalidate(&mut self, _: &Command) {}
    fn clear(&mut self) {}
}

#[test]
fn an_answer_that_an_invalidation_has_overtaken_is_asked_for_again() {
    let (guest, ..) = machine(1);
    let everything = AtcInvalidation {
        sid: SID,
        ssid: None,
        global: false,
        address: Iova(0),
        span_bits: 64,
    };
    // What the first answer said is forgotten, so that the device asks once more.
    for (invalidation, requests) in [(None, 1), (Some(everything), 2)] {
        let atc = Atc::new(SID, 16);
        let caches = Overtaken {
            atc: &atc,
            invalidation,
        };
        let mut tbu = guest.smmu.tbu_with(caches).unwrap();
        let translated = atc.translate(&mut tbu.burst(), None, Iova(VA), READ);
        assert_eq!(translated.unwrap().pa, Pa(PA));
        // Had the first answer been kept, it would have been found when the device began anew.
        assert_eq!((atc.counts(), atc.len()), ((0, requests), 1));
    }
}
