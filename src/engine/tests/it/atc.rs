//! ATS: requests, translated transactions, and what the device's cache forgets.

use engine::cache::{Caches, Missed, NoCaches, Pages, Parts, Place, Route, Structures};
use engine::layout::Command;
use engine::{
    Access, Atc, AtcInvalidation, AtcMiss, AtsReply, Context, Features, Iova, Outcome, Pa,
    Registers, Rights, Stream, StreamId, SubstreamId, Transaction, Translation,
};

use crate::support::guest::*;
use crate::support::tables::Tree;

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
    assert!(translation.rights.contains(Rights::READ) && !translation.rights.meets(Rights::WRITE));
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

#[test]
fn privcfg_decides_which_rights_a_request_learns_of() {
    let mut guest = Guest::new(Features::all());
    let mut tree = guest.stage1(K4);
    assert!(tree.map(&mut Host(&mut guest), VA, PA, 3, S1_RW & !(1 << 6), 0));
    let at = stage1_only(&mut guest, &tree);
    for (privcfg, unprivileged, privileged) in
        [(0, false, true), (2, false, false), (3, true, true)]
    {
        let mut ste = ste_s1(at);
        ste[1] = 1 << 28 | privcfg << 48;
        guest.set_ste(SID, ste);
        let AtsReply::Success(translation) = request(&guest, VA) else {
            panic!()
        };
        assert_eq!(
            translation.rights.contains(Rights::UNPRIVILEGED_READ),
            unprivileged
        );
        assert_eq!(
            translation.rights.contains(Rights::PRIVILEGED_WRITE),
            privileged
        );
    }
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
