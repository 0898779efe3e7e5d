//! RESUME and STALL_TERM; the event queue that tells of stalls.

use super::*;

/// A stream whose stage-1 faults stall.
fn stalling() -> Guest {
    let mut guest = Guest::new(Features::all());
    let tree = guest.stage1(K4);
    let at = stage1_only(&mut guest, &tree);
    let mut words = cd(&tree, 7);
    words[0] |= 1 << 44;
    guest.write(at, &words);
    guest
}

fn stall(guest: &Guest) -> Stag {
    match guest.access(None, 0, READ).unwrap_err().outcome {
        Outcome::Stalled(stag) => stag,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn resume_answers_the_transaction_that_it_names() {
    let mut guest = stalling();
    let tags = [0, 1, 2, 3].map(|_| stall(&guest));
    let resume =
        |sid: u64, stag: Stag, action: u64| [0x44 | action << 12 | sid << 32, u64::from(stag.0)];
    // Another stream's, and a tag that nobody holds: no effect.
    assert_eq!(guest.command(resume(6, tags[0], 1)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, Stag(999), 1)), Stopped::Empty);
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 4]);
    assert_eq!(guest.command(resume(5, tags[0], 1)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, tags[1], 2)), Stopped::Empty);
    assert_eq!(guest.command(resume(5, tags[2], 0)), Stopped::Empty);
    let answers = [
        Some(Response::Retry),
        Some(Response::Abort),
        Some(Response::RazWi),
        None,
    ];
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), answers);
    // An answer is given once.
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 4]);
}

#[test]
fn stall_term_ends_every_stall_of_its_stream() {
    let mut guest = stalling();
    let tags = [0, 1].map(|_| stall(&guest));
    assert_eq!(guest.command([0x45 | 6 << 32, 0]), Stopped::Empty);
    assert_eq!(tags.map(|stag| guest.smmu.answer(stag)), [None; 2]);
    assert_eq!(guest.command([0x45 | 5 << 32, 0]), Stopped::Empty);
    assert_eq!(
        tags.map(|stag| guest.smmu.answer(stag)),
        [Some(Response::Abort); 2]
    );
}

#[test]
fn the_event_queue_overflows_once_and_loses_no_stall() {
    let mut guest = Guest::new(Features::all());
    for _ in 0..8 {
        assert!(guest.access(None, 0, READ).unwrap_err().event.is_some());
    }
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));
    for _ in 0..3 {
        guest.access(None, 0, READ).unwrap_err();
        assert!(guest.smmu.event_queue(|queue| queue.overflowed()));
        assert_eq!(guest.smmu.event_queue(|queue| queue.prod()), 1 << 31 | 8);
    }
    assert_eq!(guest.new_events().len(), 8);
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));

    let mut guest = stalling();
    let tags: Vec<_> = (0..11).map(|_| stall(&guest)).collect();
    assert!(!guest.smmu.event_queue(|queue| queue.overflowed()));
    let mut told = guest.new_events();
    assert_eq!(told.len(), 8);
    told.extend(guest.new_events());
    let told: Vec<_> = told.iter().map(|words| Stag(words[1] as u16)).collect();
    assert_eq!(told, tags);
}

#[test]
fn an_event_that_cannot_be_written_is_a_global_error() {
    let guest = Guest::new(Features::all());
    guest
        .smmu
        .set_event_queue(engine::EventQueue::new(0x9000_0000, 3));
    guest.access(None, 0, READ).unwrap_err();
    assert!(guest.smmu.gerror().is_active(GlobalError::EventQueueAbort));
}

/// Stalls more often than the event queue has space for, without anyone reading it.
fn stall_beyond_the_queue(guest: &Guest) -> Vec<Stag> {
    (0..(1 << EVENTS_LOG2) + 3).map(|_| stall(guest)).collect()
}

/// The tags in records.
fn tags(events: &[[u64; 4]]) -> Vec<Stag> {
    events.iter().map(|words| Stag(words[1] as u16)).collect()
}

fn set(guest: &Guest, change: impl FnOnce(&mut engine::Registers)) {
    let mut registers = guest.smmu.registers();
    change(&mut registers);
    guest.smmu.configure(registers);
}

/// 7.2.1: the queue is written while EVENTQEN is 1 only; a stalled transaction's record waits, another is discarded, and this is no
/// overflow (7.4).
#[test]
fn nothing_is_recorded_while_eventqen_is_0_and_stalls_are_recorded_later() {
    let mut guest = stalling();
    set(&guest, |registers| registers.eventqen = false);
    let tag = stall(&guest);
    guest.access(Some(1), 0, READ).unwrap_err();
    assert_eq!(guest.smmu.event_queue(|queue| queue.prod()), 0);
    set(&guest, |registers| registers.eventqen = true);
    assert_eq!(tags(&guest.new_events()), [tag]);
}

/// 7.2.1: records of stalled transactions are not discarded, not when software places the queue anew either.
#[test]
fn a_stall_is_recorded_in_the_queue_that_comes_next() {
    let mut guest = stalling();
    set(&guest, |registers| registers.eventqen = false);
    let tag = stall(&guest);
    let queue = engine::EventQueue::new(guest.events, EVENTS_LOG2);
    guest.smmu.set_event_queue(queue);
    set(&guest, |registers| registers.eventqen = true);
    assert_eq!(tags(&guest.new_events()), [tag]);
}

/// 7.2.1: and it is not written while EVENTQ_ABT_ERR is unacknowledged.
#[test]
fn nothing_is_recorded_until_software_acknowledges_an_abort_of_the_event_queue() {
    let mut guest = stalling();
    let queue = engine::EventQueue::new(0x9000_0000, EVENTS_LOG2);
    guest.smmu.set_event_queue(queue);
    guest.access(Some(1), 0, READ).unwrap_err();
    assert!(guest.smmu.gerror().is_active(GlobalError::EventQueueAbort));
    let queue = engine::EventQueue::new(guest.events, EVENTS_LOG2);
    guest.smmu.set_event_queue(queue);
    guest.access(Some(1), 0, READ).unwrap_err();
    let tag = stall(&guest);
    assert_eq!(guest.smmu.event_queue(|queue| queue.prod()), 0);
    guest.smmu.acknowledge(guest.smmu.gerror().gerror());
    assert_eq!(tags(&guest.new_events()), [tag]);
}

/// 4.7.3: a record that could not be written before a CMD_SYNC, and may tell of what was invalidated, is never written: its transaction
/// is retried.
#[test]
fn a_sync_has_transactions_retried_whose_stall_could_not_be_recorded() {
    let mut guest = stalling();
    let stalled = stall_beyond_the_queue(&guest);
    let (told, untold) = stalled.split_at(1 << EVENTS_LOG2);
    assert_eq!(guest.commands(&[[0x30, 0], SYNC], &()), Stopped::Empty);
    assert_eq!(tags(&guest.new_events()), told);
    assert!(guest.new_events().is_empty());
    assert!(told.iter().all(|&tag| guest.smmu.answer(tag).is_none()));
    let answers = untold.iter().map(|&tag| guest.smmu.answer(tag));
    assert!(answers.eq([Some(Response::Retry); 3]));
}

/// 4.7.2: tags of stalled transactions that end so are free; no record may name them any more.
#[test]
fn stall_term_takes_back_records_that_wait() {
    let mut guest = stalling();
    let stalled = stall_beyond_the_queue(&guest);
    assert_eq!(guest.command([0x45 | 6 << 32, 0]), Stopped::Empty);
    assert_eq!(guest.command([0x45 | 5 << 32, 0]), Stopped::Empty);
    assert_eq!(guest.new_events().len(), 1 << EVENTS_LOG2);
    assert!(guest.new_events().is_empty());
    let mut answers = stalled.iter().map(|&tag| guest.smmu.answer(tag));
    assert!(answers.all(|answer| answer == Some(Response::Abort)));
}

/// 6.3.9.6: when SMMUEN has become 0, all stalled transactions are to end with an abort.
#[test]
fn switching_the_smmu_off_ends_every_stall() {
    let mut guest = stalling();
    let stalled = stall_beyond_the_queue(&guest);
    set(&guest, |registers| registers.smmuen = false);
    assert_eq!(guest.new_events().len(), 1 << EVENTS_LOG2);
    assert!(guest.new_events().is_empty());
    let mut answers = stalled.iter().map(|&tag| guest.smmu.answer(tag));
    assert!(answers.all(|answer| answer == Some(Response::Abort)));
}
