//! A batch of transactions is answered, and recorded, as the same transactions one by one.

use engine::cache::{Caches, Exact, Fast, NoCaches, Preset};
use engine::{
    Access, AddressType, Features, Iova, Outcome, Refusal, Registers, StreamId, SubstreamId,
    Transaction, Translation,
};
use proptest::prelude::*;

use crate::support::guest::*;
use crate::support::tables::Tree;

const DATA: u64 = 0x9_0000_0000;
/// CD.S: faults stall.
const STALL: u64 = 1 << 44;
const STALLING: u32 = 6;
const STAGE2_ONLY: u32 = 9;

/// Two nested streams that share tables, of which one stalls, and one of stage 2 alone; pages of all rights, and holes at either stage.
fn guest() -> Guest {
    let mut guest = Guest::new(Features::all());
    let (mut inner, mut outer, _) = nested(&mut guest, K4, K4_S2);
    for page in 0..8u64 {
        let rights = [S1_RW, S1_RW | 2 << 6, S1_RW & !(1 << 6), S1_RW & !(1 << 10)];
        let bits = rights[page as usize % 4];
        assert!(inner.map(
            &mut Inner(&mut guest),
            page * 0x1000,
            DATA + page * 0x1000,
            3,
            bits,
            0
        ));
        if page != 5 {
            let to = 0x5000_0000 + page * 0x1000;
            assert!(outer.map(&mut Host(&mut guest), DATA + page * 0x1000, to, 3, S2_RW, 0));
        }
    }
    // A block that stage 2 maps in part.
    assert!(inner.map(&mut Inner(&mut guest), 0x20_0000, DATA, 2, S1_RW, 0));
    let stalling = guest.area(64);
    let mut words = cd(&inner, 8);
    words[0] |= STALL;
    guest.write(stalling, &words);
    let ste = ste_nested(stalling + GUEST_OFFSET, &outer, 3);
    guest.set_ste(StreamId(STALLING), ste);
    guest.set_ste(StreamId(STAGE2_ONLY), ste_s2(&outer, 3));
    guest
}

fn transaction() -> impl Strategy<Value = Transaction> {
    // 7 has no valid STE, 20 lies behind the stream table.
    let sid = prop::sample::select(vec![5, 5, 5, STALLING, STALLING, STAGE2_ONLY, 7, 20]);
    let address = prop_oneof![
        4 => (0u64..10).prop_map(|page| page * 0x1000),
        2 => (0u64..10).prop_map(|page| 0x20_0000 + page * 0x1000),
        2 => (0u64..10).prop_map(|page| DATA + page * 0x1000),
        1 => any::<u64>(),
    ];
    let ssid = prop_oneof![9 => Just(None), 1 => (0u32..3).prop_map(Some)];
    (sid, address, ssid, 0u8..8, 0u8..16).prop_map(|(sid, address, ssid, kind, translated)| {
        let access = Access {
            write: kind & 1 != 0,
            instruction: kind & 2 != 0,
            privileged: kind & 4 != 0,
        };
        let mut transaction = Transaction::new(
            StreamId(sid),
            ssid.map(SubstreamId),
            Iova(address + 8),
            access,
        );
        if translated == 0 {
            transaction.address_type = AddressType::Translated;
        }
        transaction
    })
}

type Answers = Vec<Result<Translation, Refusal>>;

/// Answers, and the events that were recorded, with what happened to the queue.
fn outcome<C: Caches>(
    caches: C,
    requests: &[Vec<Transaction>],
    batched: bool,
) -> (Answers, Vec<[u64; 4]>, u32) {
    let mut guest = guest();
    let mut answers = Vec::new();
    {
        let mut tbu = guest.smmu.tbu_with(caches).expect("seats are free");
        for request in requests {
            let mut burst = tbu.burst();
            if batched {
                burst.translate_all(request, &mut answers);
            } else {
                answers.extend(request.iter().map(|one| burst.translate(one)));
            }
        }
    }
    let prod = guest.smmu.event_queue(|queue| queue.prod());
    (answers, guest.new_events(), prod)
}

fn agree<C: Caches>(
    caches: impl Fn() -> C,
    requests: &[Vec<Transaction>],
) -> Result<(), TestCaseError> {
    let one_by_one = outcome(caches(), requests, false);
    prop_assert_eq!(outcome(caches(), requests, true), one_by_one);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn batches_answer_and_record_like_single_transactions(
        requests in prop::collection::vec(prop::collection::vec(transaction(), 0..40), 1..4)
    ) {
        agree(|| NoCaches, &requests)?;
        agree(Fast::default, &requests)?;
        agree(|| Fast::default().read_ahead_from(0), &requests)?;
        agree(|| Fast::new(2, 2, 2).read_ahead_from(0), &requests)?;
        agree(|| Exact::new(Preset::QEMU_10_0), &requests)?;
    }
}

/// Faults in one batch, after the tables have become known: records come in the order of requests, and stalls get their tags in it.
#[test]
fn a_batchs_faults_are_recorded_in_the_order_of_its_requests() {
    let read = |sid, address| Transaction::new(StreamId(sid), None, Iova(address), READ);
    let learn = vec![read(5, 0), read(STALLING, 0)];
    let batch = vec![
        read(5, 0x9000),
        read(STALLING, 0x9000),
        read(5, 0x20_1000),
        read(STALLING, 0x2000),
        read(5, 0x8000),
        read(5, 0x20_5000),
    ];
    let (answers, events, _) = outcome(Fast::default().read_ahead_from(0), &[learn, batch], true);
    let refused: Vec<_> = answers[2..].iter().map(|answer| answer.is_err()).collect();
    assert_eq!(refused, [true, true, false, true, true, true]);
    let inputs: Vec<_> = events.iter().map(|event| event[2]).collect();
    assert_eq!(inputs, [0x9000, 0x9000, 0x2000, 0x8000, 0x20_5000]);
    let stalled = |answer: &Result<Translation, Refusal>| match answer {
        Err(Refusal {
            outcome: Outcome::Stalled(stag),
            ..
        }) => Some(stag.0),
        _ => None,
    };
    let tags: Vec<_> = answers.iter().filter_map(stalled).collect();
    let recorded: Vec<_> = events
        .iter()
        .filter(|event| event[1] >> 31 & 1 == 1)
        .map(|event| (event[1] & 0xffff) as u16)
        .collect();
    assert_eq!(tags.len(), 2);
    assert_eq!(tags, recorded);
}

/// More streams than routes are remembered: within a batch, one stream's route takes another's place. Streams with even and odd numbers
/// have different tables, and nobody may end in the other's.
#[test]
fn routes_that_push_each_other_out_lead_nowhere_else() {
    let mut guest = Guest::new(Features::all());
    let (even, mut outer, cd_even) = nested(&mut guest, K4, K4_S2);
    let odd = Tree::new(K4, &mut Inner(&mut guest));
    let cd_odd = guest.area(64);
    guest.write(cd_odd, &cd(&odd, 8));
    let mut tables = [even, odd];
    for page in 0..16 {
        for (parity, inner) in tables.iter_mut().enumerate() {
            let ipa = DATA + page * 0x2000 + parity as u64 * 0x1000;
            assert!(inner.map(&mut Inner(&mut guest), page * 0x1000, ipa, 3, S1_RW, 0));
            let to = 0x5000_0000 + ipa - DATA;
            assert!(outer.map(&mut Host(&mut guest), ipa, to, 3, S2_RW, 0));
        }
    }
    let strtab = guest.area(1024 * 64);
    for sid in 0..1024 {
        let cd = [cd_even, cd_odd + GUEST_OFFSET][sid as usize % 2];
        guest.write(strtab + sid * 64, &ste_nested(cd, &outer, 3));
    }
    guest.smmu.configure(Registers {
        strtab_base: strtab,
        strtab_log2size: 10,
        ..guest.smmu.registers()
    });
    let mut tbu = guest
        .smmu
        .tbu_with(Fast::new(2, 2, 8).read_ahead_from(0))
        .unwrap();
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut answers = Vec::new();
    for _ in 0..2000 {
        let request: Vec<_> = (0..16)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let (sid, page) = (random as u32 % 1024, random >> 32 & 15);
                Transaction::new(StreamId(sid), None, Iova(page * 0x1000), READ)
            })
            .collect();
        answers.clear();
        tbu.burst().translate_all(&request, &mut answers);
        for (transaction, answer) in request.iter().zip(&answers) {
            let parity = u64::from(transaction.sid.0 % 2);
            let expected = 0x5000_0000 + transaction.address.0 * 2 + parity * 0x1000;
            assert_eq!(answer.unwrap().pa.0, expected, "{transaction:?}");
        }
    }
}
