//! What a bus says besides accesses.

use super::*;

#[test]
fn f_uut() {
    let (mut guest, ..) = machine();
    let access = Access {
        instruction: true,
        privileged: true,
        ..READ
    };
    let transaction = Transaction::new(SID, Some(SubstreamId(9)), Iova(VA + 0x123), access);
    let record = event(
        0x01 | 1 << 11 | 9 << 12,
        RNW | IND | PNU | 0xbeef,
        VA + 0x123,
        0,
    );
    // Also while the SMMU is off; the attributes are the incoming ones whatever the STE overrides.
    for smmuen in [true, false] {
        guest.smmu.configure(engine::Registers {
            smmuen,
            ..guest.smmu.registers()
        });
        let refusal = guest.smmu.refuse_unsupported(&transaction, 0xbeef);
        assert_eq!(refusal.outcome, Outcome::Abort);
        assert_eq!(guest.new_events(), [record]);
    }
    let translated = Transaction {
        address_type: AddressType::Translated,
        ..transaction
    };
    let refusal = guest.smmu.refuse_unsupported(&translated, 0xbeef);
    assert_eq!((refusal.outcome, refusal.event), (Outcome::Abort, None));
    assert!(guest.new_events().is_empty());
}

#[test]
fn e_page_request() {
    let (mut guest, ..) = machine();
    let transaction = Transaction::new(SID, Some(SubstreamId(9)), Iova(VA + 0x123), READ);
    let rights = engine::Rights::UNPRIVILEGED_READ.or(engine::Rights::WRITE);
    guest.smmu.hint_pages(&transaction, 0x85, rights);
    // Span in 115:108, pW 102, uR 99, uW 98.
    let word1 = 0x85 << 44 | 1 << 38 | 1 << 35 | 1 << 34;
    assert_eq!(
        guest.new_events(),
        [event(0x24 | 1 << 11 | 9 << 12, word1, VA, 0)]
    );
    guest
        .smmu
        .hint_pages(&transaction, 1, engine::Rights::EXECUTE);
    let word1 = 1 << 44 | 1 << 37 | 1 << 33;
    assert_eq!(
        guest.new_events(),
        [event(0x24 | 1 << 11 | 9 << 12, word1, VA, 0)]
    );
    guest
        .smmu
        .hint_pages(&transaction, 1, engine::Rights::PRIVILEGED_READ);
    assert_eq!(
        guest.new_events(),
        [event(0x24 | 1 << 11 | 9 << 12, 1 << 44 | 1 << 39, VA, 0)]
    );
    guest.smmu.configure(engine::Registers {
        smmuen: false,
        ..guest.smmu.registers()
    });
    guest.smmu.hint_pages(&transaction, 1, rights);
    assert!(guest.new_events().is_empty());
}
