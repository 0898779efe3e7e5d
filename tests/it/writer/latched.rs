//! Every entry that hardware may be using: any combination of words that were in memory since the last sync.
//!
//! Words are fetched by themselves, at any time. So between two syncs hardware may hold of each word any value that it has had
//! since the first of them: Arm IHI 0070 G.b, 3.21. Each such entry is given to an engine with empty caches.

use super::algorithm::{Action, Rules, update};
use super::device::{ACCESSES, Seen, World};
use super::entry::{CD, Entry, cd};
use super::kunit::{Row, rows};

/// All entries that may be in use at some moment of a sequence.
fn in_use(old: &Entry, actions: &[Action]) -> Vec<Entry> {
    let mut memory = *old;
    let mut latched = memory.map(|word| vec![word]);
    let mut found = vec![memory];
    for action in actions {
        match *action {
            Action::Sync => latched = memory.map(|word| vec![word]),
            Action::Store(word, value) => {
                memory[word] = value;
                latched[word].push(value);
            }
        }
        let mut combinations = vec![memory];
        for (word, values) in latched.iter().enumerate() {
            let with = |entry: &Entry| {
                let mut entry = *entry;
                values.iter().map(move |value| {
                    entry[word] = *value;
                    entry
                })
            };
            combinations = combinations.iter().flat_map(with).collect();
        }
        found.extend(combinations);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What is wrong with an update by these actions: entries that may be in use and are neither the old configuration nor the new one; nor
/// V=0, where the update may not be hitless. And how many entries were tried.
pub fn mixtures(row: &Row, rules: Rules, actions: &[Action]) -> (usize, Vec<String>) {
    let world = World::new(rules);
    let [old, new, invalid] = [&row.old, &row.new, &[0; 8]].map(|entry| world.behaviour(entry));
    let mut wrong = Vec::new();
    let entries = in_use(&row.old, actions);
    for entry in &entries {
        let seen = world.behaviour(entry);
        let is_break = !row.is_hitless && entry[0] & rules.valid == 0 && seen == invalid;
        if seen != old && seen != new && !is_break {
            wrong.push(format!("{}: {}", row.name, told(entry, seen, old, new)));
        }
    }
    (entries.len(), wrong)
}

/// Whether what hardware looks at of an entry is what it looks at of another, bits apart that may differ.
fn is_alike(rules: Rules, entry: &Entry, other: &Entry, apart: &Entry) -> bool {
    let looked_at = |entry: &Entry| {
        let used = (rules.used)(entry);
        let bits = |word: usize| entry[word] & used[word] & !apart[word];
        std::array::from_fn::<u64, 8, _>(bits)
    };
    looked_at(entry) == looked_at(other)
}

/// Stricter, and without an engine: a new ASID with old tables is not seen by an access alone (see mistakes.rs).
#[test]
fn of_whatever_is_latched_hardware_uses_the_bits_of_one_configuration() {
    for row in rows() {
        let (rules, actions) = (row.rules, update(row.rules, &row.old, &row.new));
        let safe = (rules.safe)(&row.old, &row.new);
        for entry in in_use(&row.old, &actions) {
            let is_whole = [&row.old, &row.new]
                .iter()
                .any(|whole| is_alike(rules, &entry, whole, &safe));
            let is_break = !row.is_hitless && entry[0] & rules.valid == 0;
            assert!(is_whole || is_break, "{}: {entry:x?}", row.name);
        }
    }
    let (old, new) = (cd::s1(0x1000, 9), cd::s1(0x2000, 10));
    let torn = [Action::Store(0, new[0]), Action::Store(1, new[1])];
    let is_torn = |entry: &Entry| {
        let mut whole = [&old, &new].into_iter();
        !whole.any(|whole| is_alike(CD, entry, whole, &[0; 8]))
    };
    assert_eq!(in_use(&old, &torn).iter().filter(|e| is_torn(e)).count(), 2);
}

fn told(
    entry: &Entry,
    seen: [Seen; ACCESSES],
    old: [Seen; ACCESSES],
    new: [Seen; ACCESSES],
) -> String {
    let words = entry[..4].iter().map(|word| format!("{word:#x}"));
    let words = words.collect::<Vec<_>>().join(" ");
    format!("with words {words} a device sees\n  {seen:x?}, old\n  {old:x?}, new\n  {new:x?}")
}

#[test]
fn whatever_is_latched_behaves_like_the_old_entry_or_the_new_one() {
    let mut tried = 0;
    for row in rows() {
        let actions = update(row.rules, &row.old, &row.new);
        let (entries, wrong) = mixtures(&row, row.rules, &actions);
        println!("{}: {entries} entries", row.name);
        tried += entries;
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
    println!("{tried} entries that may be in use");
}

/// Otherwise nothing could be told apart.
#[test]
fn old_and_new_entries_are_seen_to_differ() {
    for row in rows() {
        let world = World::new(row.rules);
        let [old, new] = [&row.old, &row.new].map(|entry| world.behaviour(entry));
        println!("{}\n  {old:x?}\n  {new:x?}", row.name);
        let let_through = |seen: &Seen| matches!(seen, Seen::At(_));
        let some = old.iter().chain(&new).any(let_through);
        assert!(some, "{}: a device reaches nothing", row.name);
        // A new ASID alone is not seen.
        assert!(
            old != new || row.name.starts_with("CD asid"),
            "{}: {old:x?}",
            row.name
        );
    }
}
