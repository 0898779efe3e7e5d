//! Only what matters: fills without which the trace still ends in the violation are taken out, and what is left is put where it tells the
//! story best.
//!
//! Best is: as few fills as possible, then as few moments at which hardware fetches as possible, so that a walk is told in one piece; then made from
//! what is out of date as seldom as possible, so that what is blamed is blamed for what it is; then as late as possible, right before the step that makes an entry stale or right before it is used, so that the reader sees at
//! which moment the race is won. An effect that may happen at any time falls together with the SYNC that waits for it, where the reader
//! expects it.

use std::cmp::Reverse;

use model::State;
use model::caches::Caches;
use model::trace::Cache;

use super::events::{Event, Run, Taken};
use super::schedule::{Goal, is_same_software};

/// A trace from which no fill can be taken and in which none can be put better by itself or with its neighbours.
pub fn minimise(goal: &Goal, run: Run) -> Run {
    let mut run = effects_late(goal, run);
    loop {
        let before = worth(goal, &run);
        run = fewer_fills(goal, run);
        run = better_places(goal, run);
        run = effects_late(goal, run);
        if worth(goal, &run) <= before {
            return run;
        }
    }
}

/// What is compared; more is better.
fn worth(goal: &Goal, run: &Run) -> (Reverse<usize>, Reverse<usize>, Reverse<usize>, usize) {
    let events = run.events();
    let fills = events.iter().filter(|event| is_fill(**event)).count();
    let keeper = |at: usize| match events[at] {
        Event::Fill(byte, bit) => Some(Cache::of((byte, bit)) == Cache::Atc),
        Event::Software(_) | Event::Effect(_) => None,
    };
    let begins = |at: &usize| keeper(*at).is_some() && (*at == 0 || keeper(at - 1) != keeper(*at));
    let rows = (0..events.len()).filter(begins).count();
    let from_stale = run
        .taken
        .iter()
        .filter(|taken| is_from_stale(goal, taken))
        .count();
    // How many steps lie before each fill and each effect.
    let (mut passed, mut late) = (0, 0);
    for event in &events {
        match event {
            Event::Software(_) => passed += 1,
            Event::Fill(..) | Event::Effect(_) => late += passed,
        }
    }
    (Reverse(fills), Reverse(rows), Reverse(from_stale), late)
}

/// Whether an entry is cached that memory alone does not lead to any more.
fn is_from_stale(goal: &Goal, taken: &Taken) -> bool {
    let Event::Fill(byte, bit) = taken.event else {
        return false;
    };
    let current = goal.machine.legitimate(&taken.before);
    !Caches::one(byte, bit).is_subset(&current)
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

fn is_fill(event: Event) -> bool {
    matches!(event, Event::Fill(..))
}

/// Leaves out fills, halves first and then one by one, as long as the rest still does it. A fill goes with all that were made from it.
fn fewer_fills(goal: &Goal, mut run: Run) -> Run {
    let fills = |run: &Run| {
        run.events()
            .into_iter()
            .filter(|event| is_fill(*event))
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

/// Moves fills, by themselves or with all that are fetched at the same moment, to wherever the trace is worth more.
fn better_places(goal: &Goal, mut run: Run) -> Run {
    let mut place = run.taken.len();
    while place > 0 {
        place -= 1;
        let events = run.events();
        if !events.get(place).is_some_and(|event| is_fill(*event)) {
            continue;
        }
        let moment = moment(&events, place);
        let pieces = [moment, place..place + 1];
        let best = pieces
            .into_iter()
            .filter_map(|piece| best_place(goal, &run, piece))
            .max_by_key(|run| worth(goal, run));
        if let Some(better) = best.filter(|better| worth(goal, better) > worth(goal, &run)) {
            run = better;
            place = run.taken.len();
        }
    }
    run
}

/// The fills that happen together with one.
fn moment(events: &[Event], place: usize) -> std::ops::Range<usize> {
    let before = events[..place].iter().rposition(|event| !is_fill(*event));
    let behind = events[place..].iter().position(|event| !is_fill(*event));
    before.map_or(0, |at| at + 1)..behind.map_or(events.len(), |at| place + at)
}

/// A piece of a trace put where it is worth most: at the beginning or the end of a moment, or where there is none.
fn best_place(goal: &Goal, run: &Run, piece: std::ops::Range<usize>) -> Option<Run> {
    let mut rest = run.events();
    let moved: Vec<_> = rest.drain(piece).collect();
    let is_inside = |at: usize| {
        at > 0 && is_fill(rest[at - 1]) && rest.get(at).is_some_and(|event| is_fill(*event))
    };
    (0..=rest.len())
        .filter(|&at| !is_inside(at))
        .filter_map(|at| {
            let (before, behind) = rest.split_at(at);
            replay(goal, [before, &moved, behind].concat())
        })
        .max_by_key(|run| worth(goal, run))
}

/// Moves effects behind as many threads' steps as they can happen; at the latest right before the SYNC that waits for them.
fn effects_late(goal: &Goal, mut run: Run) -> Run {
    for place in (0..run.taken.len()).rev() {
        let events = run.events();
        if !matches!(events.get(place), Some(Event::Effect(_))) {
            continue;
        }
        let later = (place + 1..events.len()).rev();
        let mut later = later.filter(|&to| matches!(events[to], Event::Software(_)));
        let moved = later.find_map(|to| {
            let mut moved = events.clone();
            let event = moved.remove(place);
            moved.insert(to, event);
            replay(goal, moved)
        });
        run = moved.unwrap_or(run);
    }
    run
}
