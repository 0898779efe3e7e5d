//! Each rule of the algorithm left out: a device sees what it must not.

use engine::layout::Command;
use engine::{Asid, Vmid};

use super::algorithm::{Action, Rules, update};
use super::device::{ACCESSES, Seen, World, look, table};
use super::entry::{CD, Entry, STE, cd, ste};
use super::kunit::{Row, rows};
use super::latched::mixtures;

/// The row of that name, and what the driver does for it.
fn row(name: &str) -> (Row, Vec<Action>) {
    let row = rows().into_iter().find(|row| row.name == name);
    let row = row.unwrap_or_else(|| panic!("no transition is called {name}"));
    let actions = update(row.rules, &row.old, &row.new);
    assert_eq!(
        mixtures(&row, row.rules, &actions).1,
        [""; 0],
        "{name} is right"
    );
    (row, actions)
}

/// A device sees a mixture, or an abort, while these actions are performed.
fn is_seen(row: &Row, actions: &[Action]) {
    let (entries, wrong) = mixtures(row, row.rules, actions);
    println!(
        "{} of {entries}: {}",
        wrong.len(),
        wrong.first().map_or("", String::as_str)
    );
    assert!(
        !wrong.is_empty(),
        "{}: nobody notices {actions:x?}",
        row.name
    );
}

/// The parts of a sequence, each with its sync.
fn phases(actions: &[Action]) -> Vec<&[Action]> {
    actions
        .split_inclusive(|action| *action == Action::Sync)
        .collect()
}

#[test]
fn the_critical_word_first() {
    let (row, actions) = row("STE s2 -> nested");
    let [prepare, critical] = phases(&actions)[..] else {
        panic!("two phases: {actions:x?}");
    };
    is_seen(&row, &[critical, prepare].concat());
}

#[test]
fn cleared_before_the_critical_word() {
    let (row, actions) = row("STE S1DSS=bypass -> bypass");
    let [critical, clear] = phases(&actions)[..] else {
        panic!("two phases: {actions:x?}");
    };
    is_seen(&row, &[clear, critical].concat());
}

/// Both stores are in order, and hardware may have fetched word 1 before the first and word 0 behind the second.
#[test]
fn no_sync_between() {
    for name in [
        "STE s2 -> nested",
        "STE bypass -> cdtable",
        "CD invalid -> s1",
        "CD release -> sva",
    ] {
        let (row, mut actions) = row(name);
        let first = actions.iter().position(|action| *action == Action::Sync);
        actions.remove(first.expect("a sequence syncs"));
        is_seen(&row, &actions);
    }
}

/// The driver before it had this algorithm: words as they come.
#[test]
fn two_critical_words_without_v_0() {
    let (row, _) = row("STE one table, S1DSS=SSID0 -> another, S1DSS=bypass");
    let differs = |word: &usize| row.old[*word] != row.new[*word];
    let words: Vec<_> = (0..8).filter(differs).collect();
    let store = |&word: &usize| Action::Store(word, row.new[word]);
    let mut rising: Vec<_> = words.iter().map(store).collect();
    let mut falling: Vec<_> = words.iter().rev().map(store).collect();
    let mut synced: Vec<_> = rising
        .iter()
        .flat_map(|store| [*store, Action::Sync])
        .collect();
    for actions in [&mut rising, &mut falling, &mut synced] {
        actions.push(Action::Sync);
        is_seen(&row, actions);
    }
}

/// The same through V=0, but all words at once.
#[test]
fn v_0_without_a_sync_behind_it() {
    let (row, mut actions) = row("STE one table, S1DSS=SSID0 -> another, S1DSS=bypass");
    let first = actions.iter().position(|action| *action == Action::Sync);
    actions.remove(first.expect("a sequence syncs"));
    is_seen(&row, &actions);
}

/// Linux 2781f2a930ab: MEV counted as critical, and a guest that turned translation on was cut off for a moment.
#[test]
fn mev_counted_as_critical() {
    let eats_only = |old: &Entry, new: &Entry| without(ste::safe(old, new), ste::MEV);
    through_v_0("STE s2 -> nested", eats_only);
}

/// Linux 7cad80048595: EATS did, and a guest that turned ATS off with it was.
#[test]
fn eats_counted_as_critical() {
    let mev_only = |old: &Entry, new: &Entry| without(ste::safe(old, new), ste::EATS_TRANS);
    through_v_0("STE nested -> s2 without ATS", mev_only);
}

fn without(mut safe: Entry, bits: u64) -> Entry {
    safe[1] &= !bits;
    safe
}

/// With these bits safe a transition breaks, which is seen where both configurations let a device through.
fn through_v_0(name: &str, safe: fn(&Entry, &Entry) -> Entry) {
    let (row, _) = row(name);
    let actions = update(Rules { safe, ..STE }, &row.old, &row.new);
    assert!(
        actions.contains(&Action::Store(0, 0)),
        "{name}: {actions:x?}"
    );
    is_seen(&row, &actions);
}

/// A CD gets another ASID and other tables, and the driver flushes the old ASID. A device accesses at every moment; what one sees in the end.
fn replaced(actions: &[Action]) -> [Seen; ACCESSES] {
    let world = World::new(CD);
    world.set(&old_cd());
    let smmu = world.smmu(1);
    let (mut queue, mut unit) = (world.queue(), smmu.tbu().expect("there is room for one"));
    look(&mut unit);
    for action in actions {
        match *action {
            Action::Sync => queue.synced(&smmu, world.cfgi()),
            Action::Store(word, value) => world.store(word, value),
        }
        look(&mut unit);
    }
    let (vmid, asid) = (Vmid(0), Asid(OLD_ASID));
    queue.synced(&smmu, Command::TlbiNhAsid { vmid, asid });
    look(&mut unit)
}

const OLD_ASID: u16 = 9;

fn old_cd() -> Entry {
    cd::s1(table(0, 1), OLD_ASID.into())
}

/// The ASID new, TTB0 old: the old tables are walked, which is what they are for; but what they say is cached under the new ASID, and
/// nothing that the driver flushes is tagged with that.
#[test]
fn a_torn_cd_outlives_itself_in_the_tlb() {
    let new = cd::s1(table(0, 2), 10);
    let expected = World::new(CD).behaviour(&new);
    let actions = update(CD, &old_cd(), &new);
    assert!(
        actions.contains(&Action::Store(0, 0)),
        "two words are critical"
    );
    assert_eq!(replaced(&actions), expected);
    let store = |word: usize| [Action::Store(word, new[word]), Action::Sync];
    let seen = replaced(&[store(0), store(1)].concat());
    println!("{seen:x?} instead of {expected:x?}");
    let (torn, old) = (seen[4], World::new(CD).behaviour(&old_cd())[4]);
    assert!(torn == old && torn != expected[4], "{torn:?}");
}
