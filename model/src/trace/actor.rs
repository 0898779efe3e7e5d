//! Who moves: the columns of a story.

use std::fmt::{Display, Formatter, Result};

use vocab::{Device, Vm};

use super::retrace::retrace;
use crate::caches::Caches;
use crate::machine::Machine;
use crate::program::Section;
use crate::state::State;
use crate::step::Step;

/// Whoever can move. In the order in which a request travels: a guest's thread, its VMM, the kernel, hardware.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A guest's thread, by number and name.
    Guest(u8, String),
    /// A VM's monitor.
    Vmm(Vm),
    /// The kernel, on a guest's thread of that name.
    Kernel(String),
    /// A host's thread, by number and name.
    Host(u8, String),
    /// The SMMU.
    Smmu,
    /// A device, with its ATC.
    Device(Device),
}

impl Display for Actor {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Actor::Guest(_, name) | Actor::Host(_, name) => f.write_str(name),
            Actor::Vmm(Vm(vm)) => write!(f, "vmm {vm}"),
            Actor::Kernel(owner) => write!(f, "kernel for {owner}"),
            Actor::Smmu => f.write_str("smmu"),
            Actor::Device(device) => write!(f, "{device}"),
        }
    }
}

/// Who takes a step in a state.
pub fn actor(machine: &Machine, before: &State, step: Step) -> Actor {
    match step {
        Step::Fill(byte, bit) | Step::Evict(byte, bit) => {
            match machine.atc_device(&Caches::one(byte, bit)) {
                Some(device) => Actor::Device(device),
                None => Actor::Smmu,
            }
        }
        Step::TakeEffect(_) => Actor::Smmu,
        Step::Begin { thread, .. } | Step::Go { thread, .. } => {
            let section = retrace(machine, before, step).and_then(|told| told.section);
            of_section(machine, thread as usize, section)
        }
    }
}

/// Who performs a step of a section's program on a thread.
pub(super) fn of_section(machine: &Machine, thread: usize, section: Option<Section>) -> Actor {
    let name = machine.thread_name(thread);
    match (section, machine.vm_of_thread(thread)) {
        (Some(Section::Kernel), Some(_)) => Actor::Kernel(name),
        (Some(Section::Vmm), Some(vm)) => Actor::Vmm(vm),
        (_, Some(_)) => Actor::Guest(thread as u8, name),
        (_, None) => Actor::Host(thread as u8, name),
    }
}
