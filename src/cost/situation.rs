//! In which state each operation is performed, and by which other operations that state is reached.
//!
//! There is one VM with one vIOMMU and one device, one thread of its guest and one of the host. The space that the operation is
//! about has n pages and is bound to k slots of the device. Another space of the same guest, with as many pages, all mapped to
//! memory of their own, is bound to one more slot: what an operation drops of that one did not have to go. So the device has k + 1 slots,
//! and the VM 2n intermediate pages. A device is detached when its guest has given it back: for `attach`, `detach` and `destroy`
//! that is all there is, and nothing is bound; so it is for `translate` and `bypass`.

use model::{Axes, Bounds, CacheMode, Cost, Machine, OpKind, S1dss, Setup, State};
use vocab::{Devices, Threat};

use super::alone::{Operation, Performed, perform};
use super::{Counts, Point};
use crate::spec::Spec;
use crate::spec::scopes::misfits;

/// The space that operations are about.
const SPACE: u8 = 0;
/// The other one.
const OTHER: u8 = 1;

/// The guest's thread and the host's.
pub const THREADS: [u8; 2] = [0, 1];

/// An operation that was performed at a point.
pub struct Alone {
    /// Where.
    pub machine: Machine,
    /// The state in which it began.
    pub before: State,
    /// The state in which it returned.
    pub after: State,
    /// What its steps cost.
    pub cost: Cost,
    /// The entries that were stale when its commands hit them.
    pub stale: u32,
}

/// Performs an operation at a point, or says why that is not possible.
pub fn performed(spec: &Spec, kind: OpKind, point: Point) -> Result<Alone, String> {
    let machine = machine(spec, point)?;
    let mut before = machine.initial();
    for earlier in preparation(kind, point) {
        let performed = step(&machine, &before, earlier).map_err(|why| {
            let earlier = earlier.kind.name();
            format!("`{earlier}` has to come before, and {why}")
        })?;
        before = performed.state;
    }
    let performed = step(&machine, &before, measured(kind, point))?;
    Ok(Alone {
        machine,
        before,
        after: performed.state,
        cost: performed.cost,
        stale: performed.stale,
    })
}

/// What an operation costs at a point.
pub fn measure(spec: &Spec, kind: OpKind, point: Point) -> Result<Counts, String> {
    performed(spec, kind, point).map(counts)
}

fn step(machine: &Machine, state: &State, operation: Operation) -> Result<Performed, String> {
    let [guest, host] = THREADS;
    let thread = if operation.kind.is_guests() {
        guest
    } else {
        host
    };
    perform(machine, state, thread, operation).map_err(|why| why.to_string())
}

/// See "Over-invalidation" in the module above.
fn counts(performed: Alone) -> Counts {
    let Alone {
        machine,
        before,
        after,
        cost,
        stale,
    } = performed;
    let made_stale = machine
        .legitimate(&before)
        .minus(&machine.legitimate(&after));
    let left = made_stale.intersection(&after.caches).tags();
    Counts {
        cost,
        had_to_go: stale + left,
        left,
    }
}

/// The machine in which there is room for a point; otherwise what there are too many of.
pub fn machine(spec: &Spec, Point { k, n }: Point) -> Result<Machine, String> {
    let code = &spec.code;
    let defined = |kind: &OpKind| code.entries.iter().any(|entry| entry.name == kind.name());
    let bounds = Bounds {
        devices: 1,
        ssids: k + 1,
        asids: 2,
        vmids: 1,
        spaces: 2,
        pages: n,
        ipas: 2 * n,
        vms: 1,
        viommus: 1,
        guest_threads: 1,
        host_threads: 1,
        operations: OpKind::ALL.into_iter().filter(defined).collect(),
    };
    if let Some(misfit) = misfits(&bounds, Some(code)).into_iter().next() {
        return Err(format!("{}; {}", misfit.what, misfit.why));
    }
    // A state has no room for a slot more: what bypassing traffic has cached is not counted, and its slot is one like others.
    let s1dss = match spec.axes.s1dss {
        S1dss::Bypass => S1dss::Terminate,
        other => other,
    };
    let setup = Setup {
        bounds,
        hardware: spec.hardware,
        axes: Axes { s1dss, ..spec.axes },
        threat: Threat::Honest,
        devices: Devices::Driven,
        caches: CacheMode::Saturated,
    };
    Ok(Machine::new(setup, code.clone()))
}

/// What is performed before the operation.
pub fn preparation(kind: OpKind, point: Point) -> Vec<Operation> {
    // What the operation does itself is not done before.
    let Point { k, n } = point;
    let (first_page, slots) = match kind {
        OpKind::Map => (1, k),
        OpKind::Bind => (0, k - 1),
        _ => (0, k),
    };
    let in_use = || {
        let pages = (0..n).map(|page| operation(OpKind::Map, &[OTHER, page, n + page]));
        let mut before: Vec<_> = pages.collect();
        before.push(operation(OpKind::Bind, &[k, OTHER]));
        before.extend((first_page..n).map(|page| operation(OpKind::Map, &[SPACE, page, page])));
        before.extend((0..slots).map(|slot| operation(OpKind::Bind, &[slot, SPACE])));
        before
    };
    let reversed = |kind| measured(kind, point);
    match kind {
        OpKind::Attach | OpKind::Destroy => vec![reversed(OpKind::Detach)],
        OpKind::Translate => vec![reversed(OpKind::Bypass)],
        OpKind::Detach | OpKind::Bypass => Vec::new(),
        OpKind::Lend => {
            let mut before = in_use();
            before.push(reversed(OpKind::Reclaim));
            before
        }
        _ => in_use(),
    }
}

/// The operation itself: about page 0, and about the last of the space's slots.
pub fn measured(kind: OpKind, Point { k, .. }: Point) -> Operation {
    let last = k - 1;
    match kind {
        OpKind::Map => operation(kind, &[SPACE, 0, 0]),
        OpKind::Unmap => operation(kind, &[SPACE, 0]),
        OpKind::Bind | OpKind::Unbind => operation(kind, &[last, SPACE]),
        OpKind::Replace => operation(kind, &[last, OTHER, SPACE]),
        OpKind::Exit => operation(kind, &[SPACE]),
        OpKind::Reclaim
        | OpKind::Lend
        | OpKind::Attach
        | OpKind::Detach
        | OpKind::Translate
        | OpKind::Bypass => operation(kind, &[0, 0]),
        OpKind::Destroy => operation(kind, &[0]),
    }
}

fn operation(kind: OpKind, args: &[u8]) -> Operation {
    let mut all = [0; 3];
    all[..args.len()].copy_from_slice(args);
    Operation { kind, args: all }
}
