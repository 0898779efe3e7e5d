//! The sequences performed on one engine, with its caches and its commands, while devices access between any two actions.
//!
//! A translation unit that has fetched the entry keeps it until the sync; so at each moment a new one begins to look, and goes on
//! looking: together they have fetched at every moment, and look at every later one.

use engine::layout::Command;

use super::algorithm::{Action, Rules, update};
use super::device::{ACCESSES, Seen, World, look};
use super::kunit::{Row, rows};

/// More translation units than any sequence has moments.
const READERS: usize = 32;

/// Performs an update. Returns how often a device accessed, and what it saw that it must not: what neither entry gives, an abort by
/// V=0 where the update may not be hitless or before V=0 was written, and what the old entry gives when all is done.
fn perform(row: &Row, rules: Rules, actions: &[Action]) -> (usize, Vec<String>) {
    let world = World::new(rules);
    let [old, new, invalid] = [&row.old, &row.new, &[0; 8]].map(|entry| world.behaviour(entry));
    world.set(&row.old);
    let smmu = world.smmu(READERS);
    let mut queue = world.queue();
    let mut units = Vec::new();
    let (mut accesses, mut wrong, mut breaks) = (0, Vec::new(), false);
    for (moment, action) in std::iter::once(None)
        .chain(actions.iter().map(Some))
        .enumerate()
    {
        match action {
            None => {}
            Some(Action::Sync) => queue.synced(&smmu, world.cfgi()),
            Some(&Action::Store(word, value)) => {
                world.store(word, value);
                breaks |= word == 0 && value & rules.valid == 0 && !row.is_hitless;
            }
        }
        units.push(smmu.tbu().expect("there is room for so many"));
        for unit in &mut units {
            let seen = look(unit);
            accesses += ACCESSES;
            for (access, seen) in seen.into_iter().enumerate() {
                let by_v0 = breaks && seen == invalid[access];
                if ![old[access], new[access]].contains(&seen) && !by_v0 {
                    wrong.push(told(row, moment, access, seen));
                }
            }
        }
    }
    // What the old configuration had cached of translations goes with its tag, when nothing uses that any more.
    queue.synced(&smmu, Command::TlbiNsnhAll);
    for unit in &mut units {
        let seen = look(unit);
        let late = seen.into_iter().zip(new).enumerate();
        let late = late.filter(|(_, (seen, new))| seen != new);
        wrong.extend(late.map(|(access, (seen, _))| told(row, usize::MAX, access, seen)));
    }
    (accesses, wrong)
}

fn told(row: &Row, moment: usize, access: usize, seen: Seen) -> String {
    let when = match moment {
        usize::MAX => "in the end".to_owned(),
        moment => format!("behind action {moment}"),
    };
    format!("{}: {when} access {access} sees {seen:x?}", row.name)
}

#[test]
fn devices_see_the_old_entry_or_the_new_one_between_any_two_actions() {
    let mut all = 0;
    for row in rows() {
        let (accesses, wrong) = perform(&row, row.rules, &update(row.rules, &row.old, &row.new));
        println!("{}: {accesses} accesses", row.name);
        all += accesses;
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
    println!("{all} accesses");
}

/// Otherwise a sync would be nothing.
#[test]
fn without_the_last_cfgi_somebody_goes_on_with_the_old_entry() {
    for row in rows() {
        let mut actions = update(row.rules, &row.old, &row.new);
        actions.retain(|action| *action != Action::Sync);
        let (_, wrong) = perform(&row, row.rules, &actions);
        let is_late = |line: &String| line.contains("in the end");
        // A new ASID alone is not seen, and this engine keeps no invalid CD, which others may.
        let is_seen = !row.name.starts_with("CD asid") && !row.name.starts_with("CD invalid");
        assert_eq!(wrong.iter().any(is_late), is_seen, "{}", row.name);
    }
}
