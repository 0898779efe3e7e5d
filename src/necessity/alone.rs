//! What a removal that breaks nothing changes when an operation is performed alone, in the situations in which costs are counted.
//!
//! It tells a step that has no effect from one whose effect no property asks for: a driver that does nothing is safe.

use model::program::{Entry, Start};
use model::{Machine, OpKind, State};
use vocab::{Page, Slot};

use crate::cost::{self, Alone};
use crate::spec::Spec;

/// How an operation that is performed alone ends otherwise than before, what is most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It cannot be performed, or not what has to come before it.
    Fails,
    /// Commands of it have not been completed by a SYNC.
    InFlight,
    /// Devices reach something else.
    Reach,
    /// Page tables, descriptors or stage 2 hold something else.
    Memory,
    /// Tables, ASIDs or VMIDs are others.
    Tables,
    /// Something else is cached.
    Cached,
}

impl Change {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Change::Fails => "fails",
            Change::InFlight => "returns with commands in flight",
            Change::Reach => "leaves devices something else to reach",
            Change::Memory => "leaves other descriptors or page tables",
            Change::Tables => "leaves other software tables, ASIDs or VMIDs",
            Change::Cached => "leaves other entries cached",
        }
    }
}

/// The first operation, among those that may begin at some entries, that ends otherwise, and how.
pub fn compare(spec: &Spec, without: &Spec, entries: &[&Entry]) -> Option<(OpKind, Change)> {
    let operations = entries.iter().filter_map(|entry| match entry.start {
        Start::Operation(kind) => Some(kind),
        Start::Call(_) | Start::Doorbell => None,
    });
    let changes = operations.filter_map(|kind| {
        let (before, after) = (cost::performed(spec, kind), cost::performed(without, kind));
        let changes = before
            .iter()
            .zip(&after)
            .filter_map(|(one, other)| change(one, other));
        Some((changes.min()?, kind))
    });
    // Of several operations with the same change the first; `min` would need an order of operations.
    changes
        .reduce(|best, next| if next.0 < best.0 { next } else { best })
        .map(|(change, kind)| (kind, change))
}

fn change(before: &Result<Alone, String>, after: &Result<Alone, String>) -> Option<Change> {
    let (before, after) = match (before, after) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(_), _) => return None,
        (Ok(_), Err(_)) => return Some(Change::Fails),
    };
    let (one, other) = (&before.after, &after.after);
    let [m, n] = [&one.memory, &other.memory];
    let words = m.pte != n.pte
        || m.cd0 != n.cd0
        || m.cd1 != n.cd1
        || (m.ste0, m.ste1, m.ste2, m.s2) != (n.ste0, n.ste1, n.ste2, n.s2);
    [
        (Change::InFlight, one.flight != other.flight),
        (
            Change::Reach,
            reach(&before.machine, one) != reach(&after.machine, other),
        ),
        (Change::Memory, words),
        (Change::Tables, m != n),
        (Change::Cached, one.caches != other.caches),
    ]
    .into_iter()
    .find_map(|(change, is)| is.then_some(change))
}

/// What a request of each slot for each page may reach.
fn reach(machine: &Machine, state: &State) -> Vec<u8> {
    let slots = machine.bounds.devices * machine.bounds.ssids;
    let pages = machine.bounds.pages;
    let of = |slot| (0..pages).map(move |page| machine.reach(state, Slot(slot), Page(page)));
    (0..slots).flat_map(of).collect()
}
