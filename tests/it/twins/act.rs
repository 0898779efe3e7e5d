//! What software does that hardware can see: stores and commands, as one list that a spec and a twin are compared by.

use engine::layout::{Command, SyncSignal};
use model::Machine;
use nestcheck::lockstep::{encode, map};
use vocab::{Device, Slot, Viommu};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// 64 bits are stored; a store of what is there already is none.
    Store { at: u64, word: u64 },
    /// A command is in the queue.
    Command(Command),
    /// A command is in the queue that the SMMU calls illegal; without what makes it so.
    Illegal(Command),
    /// A CMD_SYNC is, and has completed; if not all devices answered, with CERROR_ATC_INV_SYNC.
    Sync { answered: bool },
}

/// What makes a command illegal in these tests: an opcode that is reserved.
pub const RESERVED: u64 = 1 << 7;

impl Act {
    /// A command, from its bytes.
    pub fn of_words([word0, word1]: [u64; 2], answered: bool) -> Act {
        match Command::decode([word0, word1]) {
            Ok(Command::Sync(SyncSignal::None)) => Act::Sync { answered },
            Ok(command) => Act::Command(command),
            Err(_) => {
                let command = Command::decode([word0 & !RESERVED, word1]);
                Act::Illegal(command.expect("nothing else makes a command illegal here"))
            }
        }
    }

    /// The same with Leaf=1. The model has no levels of tables (docs/limits.md), and its board says what suffices for a leaf; a driver
    /// whose tables may have gone says Leaf=0, which names more (Arm IHI 0070, 4.4.1).
    pub fn of_leaf(self) -> Act {
        match self {
            Act::Command(command) => Act::Command(of_leaf(command)),
            Act::Illegal(command) => Act::Illegal(of_leaf(command)),
            act => act,
        }
    }
}

fn of_leaf(mut command: Command) -> Command {
    if let Command::TlbiNhVa { leaf, .. } | Command::TlbiS2Ipa { leaf, .. } = &mut command {
        assert!(!*leaf, "who says Leaf=1 must know that no table has gone");
        *leaf = true;
    }
    command
}

/// The vIOMMU that a device begins at; here none ever moves to another.
pub fn viommu_of(machine: &Machine, device: Device) -> Viommu {
    Viommu(device.0 % machine.bounds.viommus)
}

/// The physical address of a slot's CD.
pub fn cd(machine: &Machine, slot: Slot) -> u64 {
    let device = machine.device_of(slot);
    let viommu = viommu_of(machine, device);
    let table = map::cd_table(viommu, device);
    let place = table + u64::from(encode::index(machine, slot).0) * 64;
    map::physical(machine.vm_of(viommu), place)
}

/// The list with every store as early as it may be. A store to one CD may come before the CFGI_CD of another, which does not name it; a
/// twin, which issues an array at once, makes all its stores before.
pub fn settled(machine: &Machine, mut acts: Vec<Act>) -> Vec<Act> {
    for end in 1..acts.len() {
        let mut place = end;
        while place > 0 && commute(machine, acts[place - 1], acts[place]) {
            acts.swap(place - 1, place);
            place -= 1;
        }
    }
    acts
}

fn commute(machine: &Machine, first: Act, second: Act) -> bool {
    let (Act::Command(Command::CfgiCd { sid, ssid, .. }), Act::Store { at, .. }) = (first, second)
    else {
        return false;
    };
    let of = |slot: &Slot| {
        let named = (
            encode::sid(machine.device_of(*slot)),
            encode::index(machine, *slot),
        );
        (cd(machine, *slot)..cd(machine, *slot) + 64).contains(&at) && named != (sid, ssid)
    };
    (0..machine.slots()).map(Slot).any(|slot| of(&slot))
}

/// Takes every CMD_SYNC out that has nothing in front of it since the last, and completes nothing; returns how many. A spec has no word for "if
/// there is anything", and waits behind a loop that found nobody; a twin, as Linux, issues no empty array.
pub fn take_idle_syncs(acts: &mut Vec<Act>) -> u32 {
    let before = acts.len();
    let mut waits = false;
    acts.retain(|act| match act {
        Act::Store { .. } => true,
        Act::Command(_) | Act::Illegal(_) => {
            waits = true;
            true
        }
        Act::Sync { .. } => std::mem::take(&mut waits),
    });
    (before - acts.len()) as u32
}
