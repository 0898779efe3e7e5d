//! The same steps with fewer changes between threads.
//!
//! A shortest trace takes the steps of several threads in an arbitrary order where the order does not matter. A reader wants
//! each thread's steps in one piece as far as that is possible, so that what is left of the interleaving is what the violation needs. The
//! number of steps and each thread's own order stay; that the violation is still reached is tried out.

use model::{Machine, Outcome, State, Step};

use super::events::thread_of;

/// Steps of a trace in an order with as few changes between threads as moving one stretch at a time can give. `is_end` says of a last
/// state whether it is what the trace must lead to.
pub fn order(machine: &Machine, steps: &[Step], is_end: impl Fn(&State) -> bool) -> Vec<Step> {
    let mut best = stretches(steps);
    loop {
        let better = moves(&best).find(|order| leads(machine, &order.concat(), &is_end));
        match better {
            Some(order) => best = stretches(&order.concat()),
            None => return best.concat(),
        }
    }
}

/// The steps that a thread takes before another one does.
fn stretches(steps: &[Step]) -> Vec<Vec<Step>> {
    let chunks = steps.chunk_by(|a, b| thread_of(*a) == thread_of(*b));
    chunks.map(<[Step]>::to_vec).collect()
}

/// Every way to put a stretch beside another one of its thread: what is begun first is finished first, if that is possible.
fn moves(order: &[Vec<Step>]) -> impl Iterator<Item = Vec<Vec<Step>>> + '_ {
    let thread = |place: usize| thread_of(order[place][0]);
    let pairs = (0..order.len()).filter_map(move |first| {
        let next = (first + 1..order.len()).find(|&next| thread(next) == thread(first))?;
        Some((first, next))
    });
    let put = |from: usize, to: usize| {
        let mut moved = order.to_vec();
        let stretch = moved.remove(from);
        moved.insert(to, stretch);
        moved
    };
    pairs.flat_map(move |(first, next)| [put(next, first + 1), put(first, next - 1)])
}

/// Whether steps can be taken one after another and lead to the end.
fn leads(machine: &Machine, steps: &[Step], is_end: impl Fn(&State) -> bool) -> bool {
    let mut state = machine.initial();
    let mut offered = Vec::new();
    for step in steps {
        offered.clear();
        machine.steps(&state, &mut offered);
        if !offered.contains(step) {
            return false;
        }
        match machine.apply(&state, *step) {
            Outcome::Next(next, _) => state = next,
            Outcome::Blocked | Outcome::NotModelled(_) => return false,
        }
    }
    is_end(&state)
}
