//! An array of commands that fails at some entry: how many entries count as handled, and whether they are.
//!
//! The array is the ATC_INVs of an unmap. Its entries are the model's; where the spec converts in chunks, the first stands for so many equal ones
//! in the twin that the model's chunk of two commands fills the twin's of 63.

use std::path::Path;

use engine::hypervisor::{BATCH, Contract, Invalidated};
use model::{OpKind, limit};
use nestcheck::cost::Point;
use nestcheck::cost::situation::{self, measured, preparation};
use nestcheck::lockstep::board;
use vocab::{Asid, Command, Page, Slot, Space, Vmid};

use super::super::act::{Act, take_idle_syncs};
use super::super::hypervisor::{Devices, Faults};
use super::super::operations::Pair;
use super::super::programs::{Fault, Told};
use super::super::table::twin;
use super::native;
use crate::runs;

/// A correct version or a bug, and the contract that says the same.
struct Row {
    spec: &'static str,
    contract: Contract,
    fault: Fault,
    /// How many of the twin's entries the first of the model's is.
    first: usize,
}

/// So many equal commands at first that a full chunk of the model is a full batch of the twin.
const FILLED: usize = BATCH - (limit::CHUNK - 1);

const fn row(spec: &'static str, contract: Contract, fault: Fault, first: usize) -> Row {
    Row {
        spec,
        contract,
        fault,
        first,
    }
}

const ROWS: [Row; 6] = [
    row(
        "specs/corpus/fixed/array-in-chunks.toml",
        Contract::Exact,
        Fault::Failure,
        FILLED,
    ),
    row(
        "specs/corpus/b28-converted-reported.toml",
        Contract::Linux,
        Fault::Failure,
        FILLED,
    ),
    row(
        "specs/corpus/fixed/illegal-reported.toml",
        Contract::Exact,
        Fault::Illegal,
        1,
    ),
    row(
        "specs/corpus/b29-illegal-swallowed.toml",
        Contract::Linux,
        Fault::Illegal,
        1,
    ),
    row(
        "tests/twins/unanswered-reported.toml",
        Contract::Exact,
        Fault::Unanswered,
        1,
    ),
    row(
        "tests/twins/unanswered-swallowed.toml",
        Contract::Linux,
        Fault::Unanswered,
        1,
    ),
];

impl Row {
    /// The twin's number of entries for the first so many of the model's.
    fn entries(&self, models: usize) -> usize {
        if models == 0 {
            0
        } else {
            self.first + models - 1
        }
    }

    /// The model's acts with its first entry as often as the twin has it.
    fn filled(&self, acts: &[Act]) -> Vec<Act> {
        let first = acts.iter().take_while(|act| !is_command(act)).count();
        let mut filled = acts.to_vec();
        if let Some(&act) = acts.get(first) {
            filled.splice(first..first, vec![act; self.first - 1]);
        }
        take_idle_syncs(&mut filled);
        filled
    }
}

fn is_command(act: &Act) -> bool {
    matches!(act, Act::Command(_) | Act::Illegal(_))
}

/// What came of an array of as many entries as there are slots.
struct Outcome {
    slots: u8,
    /// The entry, of the model's, that failed; if one alone did.
    entry: usize,
    spec: Told,
    /// The spec's acts in this array.
    spec_acts: Vec<Act>,
    twin: Invalidated,
    twin_acts: Vec<Act>,
    /// Entries, of the model's, that the twin counts as handled.
    handled: usize,
    /// Whether one of them is not: its device still reaches the page.
    is_lie: bool,
}

/// What is in front of the array: the store, and the array of the one TLBI with its CMD_SYNC.
const FRONT: usize = 3;

/// The nth failure of a row's spec, if there are so many; none of the inner kind if it is in front of the array.
fn outcome(row: &Row, slots: u8, nth: usize) -> Option<Option<Outcome>> {
    let spec = runs::read(Path::new(row.spec));
    let point = Point { k: slots, n: 1 };
    let machine = situation::machine(&spec, point).expect("there is room");
    let twin = twin(row.spec, native(row.contract));
    let smmus = [board::smmu(), board::smmu()];
    let devices = Devices::new(&smmus[1]);
    let mut pair = Pair::new(&machine, &twin, &smmus, &devices);
    for before in preparation(OpKind::Unmap, point) {
        pair.both_quietly(before);
    }
    pair.hypervisor.accesses();
    let unmap = measured(OpKind::Unmap, point);
    let spec = pair
        .programs
        .perform_with(unmap, &[nth])
        .expect("an unmap can be performed");
    let (fault, behind) = spec.fault?;
    let acts = &spec.done.acts;
    if behind < FRONT {
        return Some(None);
    }
    assert_eq!(fault, row.fault, "{}", row.spec);
    let entry = match fault {
        Fault::Failure => spec.taken - 1,
        Fault::Illegal => acts[FRONT..behind]
            .iter()
            .filter(|act| is_command(act))
            .count(),
        Fault::Unanswered => 0,
    };
    let spec_acts = row.filled(&acts[FRONT..]);

    let hypervisor = &mut pair.hypervisor;
    hypervisor.clear_leaf(Space(0), Page(0));
    let tlbi = Command::TlbiNhVa(Vmid(0), Asid(1), Page(0));
    let tlbi = [hypervisor.guests(tlbi)];
    let (flushed, _) = hypervisor.ioctl(row.contract, &tlbi, Faults::default());
    assert_eq!(flushed.result, Ok(()));
    let mut entries = Vec::new();
    for slot in 0..slots {
        let command = hypervisor.guests(Command::AtcInv(Slot(slot), Page(0)));
        let count = if slot == 0 { row.first } else { 1 };
        entries.extend(vec![command; count]);
    }
    let at = row.entries(entry);
    let mut faults = Faults::default();
    match fault {
        // A virtual StreamID without a vDEVICE.
        Fault::Failure => entries[at][0] |= 0xff << 32,
        Fault::Illegal => faults.illegal = Some(at),
        Fault::Unanswered => faults.unanswered = Some(0),
    }
    let (twin, twin_acts) = hypervisor.ioctl(row.contract, &entries, faults);
    let counted = match twin.result {
        Ok(()) => entries.len(),
        Err(_) => twin.entry_num,
    };
    let handled = (0..=usize::from(slots))
        .rev()
        .find(|&models| row.entries(models) <= counted)
        .expect("no entry counts at least");
    let stale = hypervisor.stale();
    let is_lie = stale.iter().any(|(slot, _)| usize::from(slot.0) < handled);
    Some(Some(Outcome {
        slots,
        entry,
        spec,
        spec_acts,
        twin,
        twin_acts,
        handled,
        is_lie,
    }))
}

#[test]
fn what_counts_as_handled_is_what_the_spec_says() {
    for row in &ROWS {
        let mut lies = 0;
        let mut compared = 0;
        for slots in 1..=3 {
            let outcomes = (0..).map_while(|nth| outcome(row, slots, nth));
            for outcome in outcomes.flatten() {
                let told = tell(row, &outcome);
                println!("{told}");
                assert_eq!(
                    outcome.twin.result.is_ok(),
                    outcome.spec.done.succeeded,
                    "{told}"
                );
                // A spec that says nothing promises nothing; what the twin says must be true all the same.
                if let Some(reported) = outcome.spec.reports.last() {
                    // The TLBI was one, in an array before.
                    let entries = row.entries(reported - 1);
                    assert_eq!(outcome.twin.entry_num, entries, "{told}");
                }
                assert!(
                    is_the_same(&outcome),
                    "{told}\n{:x?}\n{:x?}",
                    outcome.spec_acts,
                    outcome.twin_acts
                );
                assert_eq!(outcome.is_lie, outcome.spec.is_lie, "{told}");
                lies += usize::from(outcome.is_lie);
                compared += 1;
            }
        }
        assert!(compared > 0, "{}: nothing was compared", row.spec);
        assert_eq!(
            row.contract == Contract::Linux,
            lies > 0,
            "{}: {lies} lies",
            row.spec
        );
    }
}

/// The same acts; behind an illegal command that is reported the twin has the rest of its array, see `operations`.
fn is_the_same(outcome: &Outcome) -> bool {
    let (spec, twin) = (&outcome.spec_acts, &outcome.twin_acts);
    let illegal = spec.iter().any(|act| matches!(act, Act::Illegal(_)));
    if !illegal || outcome.spec.done.succeeded {
        return spec == twin;
    }
    let Some((Act::Sync { answered: true }, rest)) = twin
        .strip_prefix(spec.as_slice())
        .and_then(|rest| rest.split_last())
    else {
        return false;
    };
    rest.iter().all(is_command)
}

fn tell(row: &Row, outcome: &Outcome) -> String {
    let Outcome {
        slots,
        entry,
        spec,
        twin,
        handled,
        is_lie,
        ..
    } = outcome;
    let says = match (spec.done.succeeded, spec.reports.last()) {
        (true, _) => "done".to_owned(),
        (false, None) => "failed".to_owned(),
        (false, Some(reported)) => format!("failed, {} handled", reported - 1),
    };
    let result = match twin.result {
        Ok(()) => "0".to_owned(),
        Err(errno) => format!("{errno}, entry_num {}", twin.entry_num),
    };
    format!(
        "{} and {:?}: {:?} at entry {entry} of {slots}: spec {says}; twin {result}, which is {handled} of {slots}{}",
        row.spec,
        row.contract,
        row.fault,
        if *is_lie { ", and a lie" } else { "" }
    )
}
