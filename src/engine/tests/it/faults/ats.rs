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
        [
            // One STU, read and write.
            event(0x05, 1 | 3 << 30, VA, 0),
            event(0x07, 0, VA, 0)
        ],
        "{events:x?}"
    );
}

/// What an ATS request and a translated transaction of this device are told by records, without and with REC_CFG_ATS.
fn recorded(guest: &mut Guest, ssid: Option<u32>, recinvsid: bool) -> [Vec<[u64; 4]>; 4] {
    let told = |guest: &mut Guest, rec_cfg_ats: bool, translated: bool| {
        guest.smmu.configure(engine::Registers {
            rec_cfg_ats,
            recinvsid,
            ..guest.smmu.registers()
        });
        let mut transaction = Transaction::new(SID, ssid.map(SubstreamId), Iova(VA), READ);
        let mut tbu = guest.smmu.tbu().unwrap();
        if translated {
            transaction.address_type = AddressType::Translated;
            let refusal = tbu.burst().translate(&transaction).unwrap_err();
            assert_eq!(refusal.outcome, Outcome::Abort);
        } else {
            let reply = tbu.burst().ats_request(&transaction);
            assert_eq!(reply, engine::AtsReply::CompleterAbort);
        }
        drop(tbu);
        guest.new_events()
    };
    [(false, false), (true, false), (false, true), (true, true)]
        .map(|(rec, translated)| told(guest, rec, translated))
}

#[test]
fn rec_cfg_ats_records_configuration_errors_of_ats() {
    // 3.9.1.2 and 3.9.1.3: C_BAD_STREAMID of a request needs RECINVSID, too; of a translated transaction it does not.
    let (mut guest, ..) = machine();
    guest.smmu.configure(engine::Registers {
        strtab_log2size: 2,
        ..guest.smmu.registers()
    });
    let record = vec![event(0x02, 0, 0, 0)];
    let none = Vec::new;
    let expected = [none(), none(), none(), record.clone()];
    assert_eq!(recorded(&mut guest, None, false), expected);
    let expected = [none(), record.clone(), none(), record];
    assert_eq!(recorded(&mut guest, None, true), expected);
    // C_BAD_STE.
    let (mut guest, ..) = machine();
    guest.set_ste(SID, [0; 8]);
    let record = vec![event(0x04, 0, 0, 0)];
    let expected = [none(), record.clone(), none(), record];
    assert_eq!(recorded(&mut guest, None, false), expected);
}

#[test]
fn rec_cfg_ats_records_what_a_request_finds_behind_the_ste() {
    let (mut guest, inner, outer) = machine();
    let cd_ipa = cd_ipa(&guest);
    let mut ste = ste_nested(cd_ipa, &outer, 3);
    ste[1] = 1 << 28;
    guest.set_ste(SID, ste);
    guest.smmu.configure(engine::Registers {
        rec_cfg_ats: true,
        ..guest.smmu.registers()
    });
    let ask = |guest: &mut Guest, ssid: Option<u32>| {
        let transaction = Transaction::new(SID, ssid.map(SubstreamId), Iova(VA), READ);
        let mut tbu = guest.smmu.tbu().unwrap();
        let reply = tbu.burst().ats_request(&transaction);
        drop(tbu);
        (reply, guest.new_events())
    };
    let aborted = engine::AtsReply::CompleterAbort;
    // C_BAD_SUBSTREAMID and C_BAD_CD.
    let record = event(0x08 | 1 << 12, 0, 0, 0);
    assert_eq!(ask(&mut guest, Some(1)), (aborted, vec![record]));
    guest.write(cd_ipa - GUEST_OFFSET, &[0]);
    let record = event(0x0a, 0, 0, 0);
    assert_eq!(ask(&mut guest, None), (aborted, vec![record]));
    // A fault of translation is an answer without rights, and no event.
    guest.write(cd_ipa - GUEST_OFFSET, &cd(&inner, 7));
    let leaf = *inner.find(VA).expect("the machine maps it");
    let slot = inner.leaf_slot(&Inner(&mut guest), &leaf);
    Inner(&mut guest).write(slot, 0);
    let (reply, events) = ask(&mut guest, None);
    assert!(
        matches!(reply, engine::AtsReply::Success(nothing) if nothing.rights == engine::Rights::NONE)
    );
    assert!(events.is_empty(), "{events:x?}");
    // Without ATSRECERR the register does nothing.
    let mut guest = Guest::new(Features {
        atsrecerr: false,
        ..Features::all()
    });
    let silent = recorded(&mut guest, None, true);
    assert!(silent.iter().all(Vec::is_empty), "{silent:x?}");
}
