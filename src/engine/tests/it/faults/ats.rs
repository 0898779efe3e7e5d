//! Translation requests and translated transactions.

use super::*;

#[test]
fn f_bad_ats_treq_and_f_transl_forbidden() {
    let (mut guest, ..) = machine();
    let transaction = Transaction {
        address_type: AddressType::Translated,
        ..Transaction::new(SID, None, Iova(VA), WRITE)
    };
    let mut tbu = guest.smmu.tbu().unwrap();
    assert_eq!(
        tbu.burst().ats_request(&transaction),
        engine::AtsReply::UnsupportedRequest
    );
    assert_eq!(
        tbu.burst().translate(&transaction).unwrap_err().outcome,
        Outcome::Abort
    );
    drop(tbu);
    let events = guest.new_events();
    assert_eq!(
        events,
        [event(0x05, 0, VA, 0), event(0x07, 0, VA, 0)],
        "{events:x?}"
    );
}
