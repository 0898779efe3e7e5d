//! P-LIVE a second time, by another method than [`super::live`], for the second opinion.
//!
//! A state returns if it is idle or has a successor that returns. That is applied to all edges until nothing changes; there is
//! no order, no reversed graph, and no numbering that the other method knows. States are named by 64-bit hashes, so two states
//! that collide are taken for one.

use hashbrown::HashTable;

/// Whether every state can reach an idle one. `states` has each state once, with whether it is idle.
pub fn all_return(
    states: impl Iterator<Item = (u64, bool)>,
    edges: impl Iterator<Item = (u64, u64)>,
) -> bool {
    let mut returns = Vec::new();
    // The names are hashes already.
    let mut numbers: HashTable<(u64, u32)> = HashTable::new();
    for (state, is_idle) in states {
        let entry = (state, returns.len() as u32);
        numbers.insert_unique(state, entry, |(name, _)| *name);
        returns.push(is_idle);
    }
    let number = |state| match numbers.find(state, |(name, _)| *name == state) {
        Some((_, number)) => *number,
        None => panic!("an edge leads to a state that was never expanded"),
    };
    let mut open: Vec<(u32, u32)> = edges.map(|(from, to)| (number(from), number(to))).collect();
    drop(numbers);
    loop {
        let before = open.len();
        // An edge is done with when its state is known to return.
        open.retain(|&(from, to)| {
            returns[from as usize] |= returns[to as usize];
            !returns[from as usize]
        });
        if open.len() == before {
            return returns.into_iter().all(|returns| returns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(idle: &[bool], edges: &[(u64, u64)]) -> bool {
        let states = idle
            .iter()
            .enumerate()
            .map(|(name, &idle)| (name as u64, idle));
        all_return(states, edges.iter().copied())
    }

    #[test]
    fn long_ways_back_are_found_in_any_order() {
        assert!(check(&[true, false, false], &[(0, 1), (1, 2), (2, 0)]));
        assert!(check(&[true, false, false], &[(2, 0), (1, 2), (0, 1)]));
    }

    #[test]
    fn neither_a_loop_nor_an_end_returns() {
        assert!(!check(&[true, false], &[(0, 1), (1, 1)]));
        assert!(!check(&[true, false], &[(0, 1)]));
    }
}
