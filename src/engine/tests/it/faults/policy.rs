//! What software chose to do about faults: CD.{A,R,S}, STE.{S2R,S2S}.

use super::*;

#[test]
fn cd_a_and_r_choose_how_stage_1_ends() {
    let (mut guest, inner, _) = machine_with(S1_RW | 1 << 7, S2_RW);
    let cd_pa = cd_ipa(&guest) - GUEST_OFFSET;
    for (a, r) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let mut words = cd(&inner, 7);
        words[0] = words[0] & !(3 << 45) | r << 45 | a << 46;
        guest.write(cd_pa, &words);
        let refusal = guest.access(None, VA, WRITE).unwrap_err();
        assert_eq!(
            refusal.outcome,
            if a == 1 {
                Outcome::Abort
            } else {
                Outcome::RazWi
            }
        );
        assert_eq!(guest.new_events().len(), r as usize);
    }
}

#[test]
fn s2r_0_keeps_stage_2_silent() {
    let (mut guest, _, outer) = machine_with(S1_RW, 0x400);
    let cd_ipa = cd_ipa(&guest);
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[2] &= !(1 << 58);
    guest.set_ste(SID, ste);
    assert_eq!(guest.access(None, VA, READ).unwrap_err().event, None);
    assert!(guest.new_events().is_empty());
}

#[test]
fn a_stalled_transaction_is_recorded_with_its_tag_whatever_r_says() {
    let (mut guest, inner, _) = machine_with(S1_RW | 1 << 7, S2_RW);
    let cd_pa = cd_ipa(&guest) - GUEST_OFFSET;
    let mut words = cd(&inner, 7);
    words[0] = words[0] & !(1 << 45) | 1 << 44;
    guest.write(cd_pa, &words);
    for stag in 0..3 {
        let record = event(0x13, STALL | stag | CLASS_IN, VA + 0x123, 0);
        expect(
            &mut guest,
            WRITE,
            Outcome::Stalled(engine::Stag(stag as u16)),
            record,
        );
    }
    // A configuration error is never stalled.
    aborts_with(&mut guest, 0x08, 1);
}
