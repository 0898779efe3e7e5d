//! What operations cost: the shipped variants against what a designer expects of them, and operations that cannot be performed.

use std::fs;
use std::path::{Path, PathBuf};

use model::OpKind;
use nestcheck::cost::{self, COUNTS, Costs};
use nestcheck::spec;

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
    for entry in fs::read_dir("specs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            let costs = read(&path);
            assert_eq!(costs.len(), OpKind::ALL.len(), "{path:?}");
            for costs in costs {
                assert_eq!(costs.obstacle(), None, "{path:?} {:?}", costs.kind);
            }
        }
    }
}

/// A variant of the native one, in a file of its own.
fn variant(name: &str, difference: &str) -> Vec<Costs> {
    let base = fs::canonicalize("specs/native-batched.toml").unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = format!("base = {base:?}\n{difference}");
    fs::write(&path, text).unwrap();
    let costs = read(&path);
    fs::remove_file(&path).unwrap();
    costs
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
