//! Over-invalidation in every state that can be reached, not only in the one where formulas are measured.
//!
//! A search over states and, for each operation in progress, the entries that its commands have hit so far: `dropped`, all of them;
//! `had_to_go`, those that were stale when they were hit. Both are sums over the commands of one operation, so that the pairs found are
//! exactly those of some operation from its beginning to its return.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};
use model::program::Start;
use model::{Bounds, CacheMode, Machine, OpKind, Seen, Setup, State, Step, limit};
use vocab::{Devices, Threat};

use super::alone::stale;
use crate::search::{self, Control, Found, Outcome, System, levels};
use crate::spec::Spec;
use crate::spec::scopes::misfits;

/// The entries of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entries {
    /// Those that its commands hit.
    pub dropped: u16,
    /// Those of them that were stale.
    pub had_to_go: u16,
}

/// Every pair that an operation of a kind can end with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached(pub BTreeSet<Entries>);

impl Reached {
    /// The most entries dropped for each that had to go, where some had to.
    pub fn factor(&self) -> Option<Entries> {
        let ratio = |it: &&Entries| f64::from(it.dropped) / f64::from(it.had_to_go);
        let some = self.0.iter().filter(|it| it.had_to_go > 0);
        some.max_by(|a, b| ratio(a).total_cmp(&ratio(b))).copied()
    }

    /// The most entries dropped where none had to go.
    pub fn for_nothing(&self) -> u16 {
        let none = self.0.iter().filter(|it| it.had_to_go == 0);
        none.map(|it| it.dropped).max().unwrap_or(0)
    }
}

/// One search.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The scope; `costs` is that of this module.
    pub scope: String,
    /// Its part.
    pub part: String,
    /// How many of everything.
    pub bounds: Bounds,
    /// How far it came. A state is counted for each account of what the operations in progress have dropped. If not all were visited,
    /// what was reached is a lower bound.
    pub found: Found<()>,
    /// What each kind of operation can end with.
    pub reached: BTreeMap<OpKind, Reached>,
}

/// The bounds within which variants are compared: the same for all. Over-invalidation is about what is cached and for whom, not about
/// races, so one thread of the guest performs its operations on two slots, two spaces and two pages; and one of the host its own, on two
/// devices, beside it.
pub fn parts(spec: &Spec) -> Vec<(String, Bounds)> {
    let defined = |kind: &OpKind| {
        let mut entries = spec.code.entries.iter();
        entries.any(|entry| entry.name == kind.name())
    };
    let guest = Bounds {
        devices: 1,
        ssids: 2,
        asids: 2,
        vmids: 1,
        spaces: 2,
        pages: 2,
        ipas: 1,
        vms: 1,
        viommus: 1,
        guest_threads: 1,
        host_threads: 0,
        operations: OpKind::ALL
            .into_iter()
            .filter(|kind| kind.is_guests())
            .filter(defined)
            .collect(),
    };
    let host = Bounds {
        devices: 2,
        ssids: 1,
        asids: 1,
        spaces: 1,
        pages: 1,
        host_threads: 1,
        operations: OpKind::ALL.into_iter().filter(defined).collect(),
        ..guest.clone()
    };
    let all = [("guest", guest), ("host", host)];
    all.map(|(name, bounds)| (name.to_owned(), bounds)).into()
}

/// The name of the scope that has them.
pub const SCOPE: &str = "costs";

/// Searches within bounds, honest guests and driven devices.
pub fn walk(
    spec: &Spec,
    (scope, part): (&str, &str),
    bounds: &Bounds,
    control: &Control,
) -> Result<Walk, String> {
    if let Some(misfit) = misfits(bounds, Some(&spec.code)).into_iter().next() {
        return Err(format!("{}; {}", misfit.what, misfit.why));
    }
    let setup = Setup {
        bounds: bounds.clone(),
        hardware: spec.hardware,
        axes: spec.axes,
        threat: Threat::Honest,
        devices: Devices::Driven,
        caches: CacheMode::Saturated,
    };
    let tally = Tally {
        machine: Machine::new(setup, spec.code.clone()),
        reached: Mutex::default(),
    };
    let found = levels::search(&tally, 0, control);
    let reached = tally.reached.into_inner();
    Ok(Walk {
        scope: scope.to_owned(),
        part: part.to_owned(),
        bounds: bounds.clone(),
        found: found.summary(),
        reached: reached.unwrap_or_else(PoisonError::into_inner),
    })
}

/// A machine that keeps account.
struct Tally {
    machine: Machine,
    reached: Mutex<BTreeMap<OpKind, Reached>>,
}

/// A state and what each thread's operation has dropped so far.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
struct Account {
    state: State,
    /// `dropped` and `had_to_go`.
    threads: [[u16; 2]; limit::THREADS],
}

impl Tally {
    fn booked(&self, before: &Account, step: Step, state: State, seen: &Seen) -> Account {
        let mut after = Account { state, ..*before };
        let (thread, entry) = match step {
            Step::Begin { thread, entry, .. } => (thread, entry),
            Step::Go { thread, .. } => {
                let running = before.state.threads[thread as usize].entry;
                (
                    thread,
                    running.checked_sub(1).expect("it is in an operation"),
                )
            }
            Step::Fill(..) | Step::Evict(..) | Step::TakeEffect(..) => {
                unreachable!("saturated caches take no steps")
            }
        };
        let sums = &mut after.threads[thread as usize];
        sums[0] += seen.cost.dropped as u16;
        sums[1] += stale(&self.machine, &before.state, seen) as u16;
        if state.threads[thread as usize].is_idle() {
            let [dropped, had_to_go] = std::mem::take(sums);
            if let Start::Operation(kind) = self.machine.code.entries[entry as usize].start {
                let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
                reached
                    .entry(kind)
                    .or_default()
                    .0
                    .insert(Entries { dropped, had_to_go });
            }
        }
        after
    }
}

impl System for Tally {
    type State = Account;
    type Step = Step;

    fn initial(&self) -> Account {
        let state = self.machine.initial();
        let threads = [[0; 2]; limit::THREADS];
        Account { state, threads }
    }

    fn steps(&self, account: &Account, steps: &mut Vec<Step>) {
        self.machine.steps(&account.state, steps);
    }

    fn apply(&self, account: &Account, step: Step) -> Outcome<Account> {
        match self.machine.apply(&account.state, step) {
            model::Outcome::Blocked => Outcome::Blocked,
            model::Outcome::NotModelled(bound) => Outcome::NotModelled(bound),
            model::Outcome::Next(next, seen) => {
                let after = self.booked(account, step, next, &seen);
                Outcome::Next(after, search::Seen::default())
            }
        }
    }

    fn judge(&self, _: &Account, _: u16) -> u16 {
        0
    }

    fn is_idle(&self, account: &Account) -> bool {
        self.machine.is_idle(&account.state)
    }
}
