//! Only what matters: fills without which the trace still ends in the violation are taken out, and what is left happens as late as it can.
//!
//! As late as it can is what tells the story best: an entry is fetched right before the step that makes it stale, or right before it is
//! used, so that the reader sees at which moment the race is won; and an effect that does not matter falls together with the SYNC that
//! waits for it, where the reader expects it.

use model::State;

use super::events::{Event, Run};
use super::schedule::{Goal, is_same_software};

/// A trace from which nothing can be taken and in which nothing can happen later.
pub fn minimise(goal: &Goal, run: Run) -> Run {
    let mut run = effects_late(goal, run);
    loop {
        let before = run.events();
        run = fills_late(goal, fewer_fills(goal, run));
        run = effects_late(goal, run);
        if run.events() == before {
            return run;
        }
    }
}

/// Takes events, leaving out fills that are not possible any more; none if anything else is not, or if the end is no violation.
fn replay(goal: &Goal, events: impl IntoIterator<Item = Event>) -> Option<Run> {
    let mut run = Run::new(goal.machine);
    let mut expected = goal.expected.iter();
    for event in events {
        let taken = run.take(goal.machine, event);
        match event {
            Event::Fill(..) => {}
            Event::Effect(_) if taken => {}
            Event::Software(_) if taken => {
                let same: &State = expected.next()?;
                if !is_same_software(&run.end, same) {
                    return None;
                }
            }
            Event::Effect(_) | Event::Software(_) => return None,
        }
    }
    let all = expected.next().is_none();
    (all && (goal.violates)(&run.end)).then_some(run)
}

/// Leaves out fills, halves first and then one by one, as long as the rest still does it. A fill goes with all that were made from it.
fn fewer_fills(goal: &Goal, mut run: Run) -> Run {
    let fills = |run: &Run| {
        run.taken
            .iter()
            .filter(|taken| is_fill(taken.event))
            .count()
    };
    let mut size = fills(&run).div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < fills(&run) {
            let mut nth = 0;
            let kept = run.events().into_iter().filter(|event| {
                let is_out = is_fill(*event) && (from..from + size).contains(&nth);
                nth += usize::from(is_fill(*event));
                !is_out
            });
            match replay(goal, kept.collect::<Vec<_>>()) {
                Some(fewer) => run = fewer,
                None => from += size,
            }
        }
        size /= 2;
    }
    run
}

fn is_fill(event: Event) -> bool {
    matches!(event, Event::Fill(..))
}

/// Moves fills as late as they can happen, the last one first: what is made of an entry has moved before it does.
fn fills_late(goal: &Goal, run: Run) -> Run {
    late(goal, run, is_fill, |event| {
        matches!(event, Event::Effect(_) | Event::Software(_))
    })
}

/// Moves effects behind as many threads' steps as they can happen; at the latest right before the SYNC that waits for them. What was
/// filled between may become impossible and be left out.
fn effects_late(goal: &Goal, run: Run) -> Run {
    late(
        goal,
        run,
        |event| matches!(event, Event::Effect(_)),
        |event| matches!(event, Event::Software(_)),
    )
}

/// Moves events of one kind behind as many others as possible. Those that `counts` leaves out are no reason to move, or two events that do
/// not depend on each other would overtake each other for ever.
fn late(goal: &Goal, mut run: Run, is_moved: fn(Event) -> bool, counts: fn(Event) -> bool) -> Run {
    for place in (0..run.taken.len()).rev() {
        let events = run.events();
        if !is_moved(events[place]) {
            continue;
        }
        let later = (place + 1..events.len()).rev();
        let moved = later.filter(|&to| counts(events[to])).find_map(|to| {
            let mut moved = events.clone();
            let event = moved.remove(place);
            moved.insert(to, event);
            replay(goal, moved)
        });
        run = moved.unwrap_or(run);
    }
    run
}
