//! What operations cost: the shipped variants against what a designer expects of them, and operations that cannot be performed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use model::program::Section;
use model::{OpKind, TableMemory};
use nestcheck::cost::kept::{self, Kept};
use nestcheck::cost::{self, COUNTS, Costs};
use nestcheck::spec::{self, Owner};

fn read(path: &Path) -> Vec<Costs> {
    let spec = spec::read(path).unwrap_or_else(|errors| panic!("{errors}"));
    cost::of(&spec)
}

fn shipped(name: &str) -> Vec<Costs> {
    read(&Path::new("specs").join(name).with_extension("toml"))
}

fn find(costs: &[Costs], kind: OpKind) -> &Costs {
    let found = costs.iter().find(|costs| costs.kind == kind);
    found.expect("the spec defines the operation")
}

/// The formulas of some counts of an operation.
fn formulas<const N: usize>(costs: &[Costs], kind: OpKind, names: [&str; N]) -> [String; N] {
    names.map(|name| {
        let count = COUNTS.iter().find(|count| count.name == name);
        let formula = find(costs, kind).formula(count.expect("a known count"));
        formula.expect("it could be performed").to_string()
    })
}

/// Exits, ioctls, hypercalls, commands, SYNCs.
fn calls(costs: &[Costs], kind: OpKind) -> [String; 5] {
    let names = ["exits", "ioctls", "hypercalls", "commands", "syncs"];
    formulas(costs, kind, names)
}

/// Dropped, had to go, left.
fn entries(costs: &[Costs], kind: OpKind) -> [String; 3] {
    formulas(costs, kind, ["dropped", "had_to_go", "left"])
}

#[test]
fn native_commands_one_by_one_cost_an_ioctl_and_a_sync_each() {
    let costs = shipped("native-per-command");
    let unmap = calls(&costs, OpKind::Unmap);
    assert_eq!(unmap, ["2", "1 + k", "0", "1 + k", "1 + k"]);
    // As many CFGI_CD and SYNC as Linux's own writer of descriptors needs (docs/costs.md).
    assert_eq!(calls(&costs, OpKind::Bind), ["2", "2", "0", "2", "2"]);
    let last = "2; 3 if k = 1";
    let unbind = calls(&costs, OpKind::Unbind);
    assert_eq!(unbind, [last, last, "0", last, last]);
    let exit = calls(&costs, OpKind::Exit);
    assert_eq!(exit, ["3", "1 + 2k", "0", "1 + 2k", "1 + 2k"]);
}

#[test]
fn native_commands_in_batches_cost_an_ioctl_for_each_sync_of_the_guest() {
    let costs = shipped("native-batched");
    let unmap = calls(&costs, OpKind::Unmap);
    assert_eq!(unmap, ["2", "2", "0", "1 + k", "2"]);
    assert_eq!(calls(&costs, OpKind::Bind), ["2", "2", "0", "2", "2"]);
    let last = "2; 3 if k = 1";
    let unbind = calls(&costs, OpKind::Unbind);
    assert_eq!(unbind, [last, last, "0", last, last]);
}

#[test]
fn strong_asid_costs_one_call_whoever_writes_the_descriptors() {
    for name in [
        "strong-host-cd-guest-memory",
        "strong-host-cd-host-memory",
        "strong-guest-cd-trapped",
    ] {
        let unmap = calls(&shipped(name), OpKind::Unmap);
        assert_eq!(unmap, ["0", "0", "1", "1 + k", "2"], "{name}");
    }
    let host = shipped("strong-host-cd-guest-memory");
    assert_eq!(calls(&host, OpKind::Bind), ["0", "0", "1", "2", "2"]);
}

#[test]
fn who_knows_the_slots_drops_what_had_to_go_and_nothing_else() {
    for name in ["native-batched", "strong-guest-cd-trapped"] {
        let exact = ["2 + k", "2 + k", "0"];
        assert_eq!(entries(&shipped(name), OpKind::Unmap), exact, "{name}");
    }
    // Every page of every slot of the device, the other space's included.
    let all = entries(&shipped("strong-guest-cd-all-atc"), OpKind::Unmap);
    assert_eq!(all, ["2 + n + kn", "2 + k", "0"]);
    let none = entries(&shipped("strong-guest-cd-no-atc"), OpKind::Unmap);
    assert_eq!(none, ["2", "2 + k", "k"]);
    // Descriptors that its guests have never announced are not what an unmap had to drop.
    let pure = entries(&shipped("strong-asid-only"), OpKind::Unmap);
    assert_eq!(pure, ["2 + n + kn", "2 + k", "0"]);
}

#[test]
fn the_host_pays_the_same_for_its_own_operations() {
    for name in ["native-batched", "strong-host-cd-host-memory"] {
        let costs = shipped(name);
        let of = |kind| calls(&costs, kind);
        assert_eq!(of(OpKind::Reclaim), ["0", "0", "0", "3", "3"]);
        assert_eq!(of(OpKind::Attach), ["0", "0", "0", "2", "2"]);
        assert_eq!(of(OpKind::Destroy), ["0", "0", "0", "1", "1"]);
        assert_eq!(of(OpKind::Lend), ["0"; 5]);
    }
}

#[test]
fn every_operation_of_every_shipped_variant_can_be_performed() {
    // No variant turns a stream's stage 1 on and off while it is used; the entry writer does.
    let writer = PathBuf::from("specs/corpus/fixed/entry-writer.toml");
    let entries = fs::read_dir("specs").unwrap();
    for path in entries.map(|entry| entry.unwrap().path()).chain([writer]) {
        if path.extension().is_some_and(|it| it == "toml") {
            let costs = read(&path);
            let turns = path.ends_with("entry-writer.toml");
            let expected = OpKind::ALL.into_iter();
            let expected = expected
                .filter(|kind| turns || !matches!(kind, OpKind::Translate | OpKind::Bypass));
            assert!(
                costs.iter().map(|costs| costs.kind).eq(expected),
                "{path:?}"
            );
            for costs in costs {
                assert_eq!(costs.obstacle(), None, "{path:?} {:?}", costs.kind);
            }
        }
    }
}

/// A variant of a shipped one, in a file of its own.
fn variant_of<T>(base: &str, name: &str, difference: &str, of: impl Fn(&spec::Spec) -> T) -> T {
    let base = fs::canonicalize(Path::new("specs").join(base)).unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = format!("base = {base:?}\n{difference}");
    fs::write(&path, text).unwrap();
    let spec = spec::read(&path).unwrap_or_else(|errors| panic!("{errors}"));
    fs::remove_file(&path).unwrap();
    of(&spec)
}

fn variant(name: &str, difference: &str) -> Vec<Costs> {
    variant_of("native-batched.toml", name, difference, cost::of)
}

fn obstacle(costs: &[Costs], kind: OpKind) -> &str {
    find(costs, kind).obstacle().expect("it cannot be").1
}

#[test]
fn what_is_refused_is_said() {
    let costs = variant("refused.toml", "[axes]\naccepts = [\"CFGI_CD\"]\n");
    assert_eq!(obstacle(&costs, OpKind::Unmap), "it ends with an error");
    assert_eq!(calls(&costs, OpKind::Bind)[0], "2");
    let costs = variant("refused_before.toml", "[axes]\naccepts = []\n");
    let said = "`bind` has to come before, and it ends with an error";
    assert_eq!(obstacle(&costs, OpKind::Unmap), said);
    // Nothing has to come before a device is detached.
    let detach = calls(&costs, OpKind::Detach);
    assert_eq!(detach, ["0", "0", "0", "2", "2"]);
}

#[test]
fn what_waits_is_said() {
    let steps = "lock group\nlock group\npte(space, page) := none";
    let difference = format!("[guest]\nunmap = \"\"\"\n{steps}\n\"\"\"\n");
    let costs = variant("waits.toml", &difference);
    let said = "it waits for somebody else at `lock group`";
    assert_eq!(obstacle(&costs, OpKind::Unmap), said);
    assert_eq!(calls(&costs, OpKind::Bind)[0], "2");
}

/// Calls are counted at more points than a state can represent; a state with one page more would have to be larger.
#[test]
fn a_command_for_each_page_of_each_slot_is_counted_and_its_entries_are_not_claimed() {
    let difference = r#"
        [[change]]
        program = "kernel.iopte_changed"
        replace = "hwq ATC_INV(slot, page)"
        with = """
for every in pages:
  hwq ATC_INV(slot, every)
  hwq SYNC
"""
    "#;
    let base = "strong-host-cd-host-memory.toml";
    let costs = variant_of(base, "per_page.toml", difference, cost::of);
    let unmap = calls(&costs, OpKind::Unmap);
    assert_eq!(unmap, ["0", "0", "1", "1 + kn", "2 + kn"]);
    // Two numbers of pages are always on a line.
    assert_eq!(entries(&costs, OpKind::Unmap)[0], "not verified");
    assert!(!find(&costs, OpKind::Unmap).is_explained());
}

#[test]
fn what_grows_faster_than_a_line_is_said() {
    let difference = r#"
        [[change]]
        program = "kernel.iopte_changed"
        replace = "hwq ATC_INV(slot, page)"
        with = """
for other in installed(asid):
  hwq ATC_INV(other, page)
  hwq SYNC
"""
    "#;
    let base = "strong-host-cd-host-memory.toml";
    let costs = variant_of(base, "squared.toml", difference, cost::of);
    assert_eq!(calls(&costs, OpKind::Unmap)[3], "not linear");
    assert_eq!(calls(&costs, OpKind::Bind)[3], "2");
}

/// Name, size with honest guests, size with hostile ones.
fn sizes(kept: &Kept, owner: Owner) -> Vec<(String, String, Option<String>)> {
    let tables = kept.tables.iter().filter(|table| table.owner == owner);
    let size = |table: &kept::Table| {
        let hostile = table.hostile.map(|size| size.to_string());
        (table.name.clone(), table.honest.to_string(), hostile)
    };
    tables.map(size).collect()
}

fn row(name: &str, honest: &str, hostile: &str) -> (String, String, Option<String>) {
    (name.into(), honest.into(), Some(hostile.into()))
}

#[test]
fn who_knows_the_slots_remembers_each_twice() {
    let read = |name: &str| spec::read(&Path::new("specs").join(name)).unwrap();
    let native = kept::of(&read("native-batched.toml"));
    let devices = row("attached", "d", "d");
    let attached = sizes(&native, Owner::Hypervisor);
    assert_eq!(attached, std::slice::from_ref(&devices));
    // While one slot is replaced its driver has it on two lists.
    let slots = ("slots".to_owned(), "s + 1".to_owned(), None);
    assert_eq!(sizes(&native, Owner::Guest), [slots]);
    assert_eq!(native.descriptors, TableMemory::Guest);
    assert_eq!(native.writers, BTreeSet::from([Section::Guest]));

    let host = kept::of(&read("strong-host-cd-host-memory.toml"));
    let learned = row("learned", "s", "s");
    let known = [devices, row("installed", "s", "s"), learned];
    assert_eq!(sizes(&host, Owner::Hypervisor), known);
    assert_eq!(host.descriptors, TableMemory::Hypervisor);
    let writers = BTreeSet::from([Section::Kernel, Section::Host]);
    assert_eq!(host.writers, writers);
}

#[test]
fn a_list_that_nobody_guards_is_as_long_as_hostile_guests_make_it() {
    let difference = r#"
        [[change]]
        program = "kernel.bind"
        remove = "if busy:"
    "#;
    let base = "strong-host-cd-host-memory.toml";
    let kept = variant_of(base, "unguarded.toml", difference, kept::of);
    let sizes = sizes(&kept, Owner::Hypervisor);
    // Each slot under each of the two ASIDs.
    assert!(sizes.contains(&row("installed", "s", "2s")), "{sizes:?}");
}

fn bill(name: &str, flags: &[&str]) -> serde_json::Value {
    let file = format!("specs/{name}.toml");
    let mut command = Command::cargo_bin("nestcheck").unwrap();
    let command = command.args(["costs", "--format", "json"]);
    let output = command.args(flags).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The pairs of dropped and had_to_go that an operation ended with, in a part.
fn pairs(bill: &serde_json::Value, part: &str, kind: OpKind) -> Vec<(u64, u64)> {
    let walks = bill["specs"][0]["walks"].as_array().unwrap();
    let walk = walks.iter().find(|walk| walk["scope"]["part"] == part);
    let pairs = &walk.unwrap()["dropped_had_to_go"][kind.name()];
    let pair = |pair: &serde_json::Value| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap());
    pairs.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn whoever_knows_the_slots_never_drops_too_much_for_an_unmap() {
    for name in ["native-batched", "strong-host-cd-host-memory"] {
        let bill = bill(name, &[]);
        assert_eq!(bill["specs"][0]["walks"][0]["exhaustive"], true);
        for kind in [OpKind::Unmap, OpKind::Unbind, OpKind::Replace, OpKind::Exit] {
            let pairs = pairs(&bill, "guest", kind);
            let exact = |(dropped, had_to_go): &(u64, u64)| dropped == had_to_go;
            assert!(pairs.iter().all(exact), "{name} {kind:?} {pairs:?}");
            assert!(pairs.iter().any(|pair| pair.1 > 1), "{name} {kind:?}");
        }
    }
    // One stage-1, one combined and one ATC entry had to go. The other page of that slot, and both of the other's, had not.
    let bill = bill("strong-guest-cd-all-atc", &[]);
    let worst = pairs(&bill, "guest", OpKind::Unmap).into_iter();
    let worst = worst.max_by_key(|(dropped, had_to_go)| 1000 * dropped / had_to_go.max(&1));
    assert_eq!(worst, Some((6, 3)));
}

#[test]
fn in_a_scope_with_one_slot_there_is_nothing_else_to_drop() {
    let flags = ["--scope", "quick,guest_threads=1"];
    let bill = bill("strong-guest-cd-all-atc", &flags);
    let walks = bill["specs"][0]["walks"].as_array().unwrap();
    assert!(walks.len() > 2, "one for each part of the scope");
    assert_eq!(pairs(&bill, "sharing", OpKind::Unmap), [(0, 0), (3, 3)]);
}

#[test]
fn a_search_that_is_cut_short_gives_a_lower_bound() {
    let mut command = Command::cargo_bin("nestcheck").unwrap();
    let command = command.args(["costs", "--max-states", "2000", "specs/native-batched.toml"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("not all visited: --max-states 2000 was reached"),
        "{text}"
    );
    let unmap = text.lines().find(|line| line.trim().starts_with("unmap"));
    assert!(unmap.unwrap().contains("≥ "), "{text}");
}
