//! What happens in a run, one step at a time.
//!
//! Operands are small numbers that name places (a half of a space, a page, a slot), never what earlier operations made; whatever is
//! there is what an operation works on, and one that makes no sense there does nothing. So any list of operations is a run, and any part
//! of it too: it can be shrunk by leaving out, and read from a file.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// One step. `half` picks TTB0 of a space, or TTB1 of a VM; `page` one of 24; `level` one at which there can be a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Maps a page or block of stage 1, making tables with `limits`.
    Map {
        half: u8,
        page: u8,
        level: u8,
        output: u8,
        attributes: u8,
        limits: u8,
    },
    /// Maps every page of a half that is not mapped.
    Fill {
        half: u8,
        level: u8,
        output: u8,
    },
    /// Removes what an entry of stage 1 says: a leaf, or a table with all below.
    Unmap {
        half: u8,
        page: u8,
        level: u8,
        junk: u8,
    },
    /// Changes who may do what with a page or block, in place.
    Protect {
        half: u8,
        page: u8,
        attributes: u8,
    },
    /// Changes what a table limits, in place.
    Limit {
        half: u8,
        page: u8,
        level: u8,
        limits: u8,
    },
    /// A table where no memory is.
    Nowhere {
        half: u8,
        page: u8,
        level: u8,
    },
    /// The same for stage 2.
    Map2 {
        vm: u8,
        page: u8,
        level: u8,
        attributes: u8,
    },
    Fill2 {
        vm: u8,
        level: u8,
    },
    Unmap2 {
        vm: u8,
        page: u8,
        level: u8,
    },
    Protect2 {
        vm: u8,
        page: u8,
        attributes: u8,
    },
    Nowhere2 {
        vm: u8,
        page: u8,
        level: u8,
    },
    /// Changes how stage 2 maps a page that holds tables or CDs.
    Pool {
        vm: u8,
        page: u8,
        how: u8,
    },
    /// A CD: valid or not, of one of the VM's spaces.
    Cd {
        device: u8,
        slot: u8,
        space: u8,
        flags: u8,
    },
    /// An L1CD becomes invalid or leads astray, or is made good again.
    L1Cd {
        device: u8,
        slot: u8,
        how: u8,
    },
    /// An STE: by one store, or broken and made again.
    Ste {
        device: u8,
        config: u8,
        s1dss: u8,
        eats: u8,
        vm: u8,
        record: bool,
    },
    /// S1DSS or EATS of an STE, in place, between two accesses through the ATC.
    Word1 {
        device: u8,
        s1dss: Option<u8>,
        eats: u8,
        page: u8,
    },
    /// An STE becomes invalid.
    Break {
        device: u8,
    },
    /// The same for an L1STD.
    L1Std {
        device: u8,
        how: u8,
    },
    /// A space gets another ASID, in all its CDs.
    Rollover {
        space: u8,
    },
    /// EPD0 or EPD1 of all CDs of a space.
    Epd {
        space: u8,
        upper: bool,
    },
    /// Issues what the next stage of one change asks for.
    Invalidate {
        nth: u8,
        style: u8,
        queue: u8,
    },
    /// CMD_SYNC.
    Sync {
        queue: u8,
    },
    /// Every change is followed to its end.
    Settle {
        style: u8,
        queue: u8,
    },
    /// Any command; it invalidates more than was asked for.
    Command {
        opcode: u8,
        who: u8,
        page: u8,
        style: u8,
        queue: u8,
    },
    /// A command that no queue accepts.
    Illegal {
        what: u8,
        queue: u8,
    },
    /// Devices do not answer CMD_ATC_INV in time.
    Timeout {
        nth: u8,
        queue: u8,
    },
    /// Software does not read events until the queue has overflowed.
    Overflow {
        device: u8,
    },
    /// Devices access memory.
    Access(Access),
    /// The accesses that have reached something most recently, once more.
    Again,
    /// A device accesses every page of a half.
    Sweep {
        device: u8,
        slot: u8,
        upper: bool,
        ats: bool,
    },
    /// A guest writes anything where its tables are.
    Garbage {
        vm: u8,
        page: u8,
        word: u16,
        what: u8,
        page_of: u8,
    },
}

/// An access: of which device, with which SubstreamID, to which page and how far into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub device: u8,
    pub slot: u8,
    pub page: u8,
    pub upper: bool,
    pub offset: u16,
    /// Bits: write, execute, privileged.
    pub kind: u8,
    pub ats: bool,
}

type Six = (u8, u8, u8, u8, u8, u8);

fn six() -> impl Strategy<Value = Six> {
    any::<Six>()
}

/// One of few, so that operations meet.
fn page() -> impl Strategy<Value = u8> {
    0u8..24
}

fn access() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![4 => Just(0u8), 1 => Just(1), 2 => 0u8..8];
    let parts = (
        0u8..9,
        0u8..12,
        page(),
        prop::bool::weighted(0.3),
        any::<u16>(),
        kind,
        prop::bool::weighted(0.3),
    );
    parts.prop_map(|(device, slot, page, upper, offset, kind, ats)| {
        Operation::Access(Access {
            device,
            slot,
            page,
            upper,
            offset,
            kind,
            ats,
        })
    })
}

impl Operation {
    /// Any operation of a guest that knows what it does.
    pub fn honest() -> impl Strategy<Value = Operation> {
        let device = 0u8..8;
        let half = 0u8..9;
        prop_oneof![
            14 => (half.clone(), page(), six()).prop_map(|(half, page, (level, output, attributes, limits, ..))| {
                Operation::Map { half, page, level, output, attributes, limits }
            }),
            6 => (half.clone(), any::<u8>(), any::<u8>()).prop_map(|(half, level, output)| Operation::Fill { half, level, output }),
            6 => any::<(u8, u8)>().prop_map(|(vm, level)| Operation::Fill2 { vm, level }),
            7 => (half.clone(), page(), any::<u8>(), any::<u8>()).prop_map(|(half, page, level, junk)| Operation::Unmap { half, page, level, junk }),
            4 => (half.clone(), page(), any::<u8>()).prop_map(|(half, page, attributes)| Operation::Protect { half, page, attributes }),
            2 => (half.clone(), page(), any::<u8>(), any::<u8>()).prop_map(|(half, page, level, limits)| Operation::Limit { half, page, level, limits }),
            1 => (half, page(), any::<u8>()).prop_map(|(half, page, level)| Operation::Nowhere { half, page, level }),
            10 => (any::<u8>(), page(), any::<u8>(), any::<u8>()).prop_map(|(vm, page, level, attributes)| Operation::Map2 { vm, page, level, attributes }),
            5 => (any::<u8>(), page(), any::<u8>()).prop_map(|(vm, page, level)| Operation::Unmap2 { vm, page, level }),
            3 => (any::<u8>(), page(), any::<u8>()).prop_map(|(vm, page, attributes)| Operation::Protect2 { vm, page, attributes }),
            1 => (any::<u8>(), page(), any::<u8>()).prop_map(|(vm, page, level)| Operation::Nowhere2 { vm, page, level }),
            2 => (any::<u8>(), any::<u8>(), 0u8..6).prop_map(|(vm, page, how)| Operation::Pool { vm, page, how }),
            5 => (device.clone(), 0u8..8, any::<u8>(), any::<u8>()).prop_map(|(device, slot, space, flags)| Operation::Cd { device, slot, space, flags }),
            2 => (device.clone(), 0u8..8, any::<u8>()).prop_map(|(device, slot, how)| Operation::L1Cd { device, slot, how }),
            5 => (device.clone(), any::<(u8, u8, u8, u8)>(), any::<bool>()).prop_map(|(device, (config, s1dss, eats, vm), record)| {
                Operation::Ste { device, config, s1dss, eats, vm, record }
            }),
            3 => (device.clone(), prop::option::of(any::<u8>()), any::<u8>(), page())
                .prop_map(|(device, s1dss, eats, page)| Operation::Word1 { device, s1dss, eats, page }),
            1 => device.clone().prop_map(|device| Operation::Break { device }),
            1 => (device.clone(), any::<u8>()).prop_map(|(device, how)| Operation::L1Std { device, how }),
            2 => any::<u8>().prop_map(|space| Operation::Rollover { space }),
            2 => any::<(u8, bool)>().prop_map(|(space, upper)| Operation::Epd { space, upper }),
            12 => (0u8..8, any::<u8>(), 0u8..3).prop_map(|(nth, style, queue)| Operation::Invalidate { nth, style, queue }),
            8 => (0u8..3).prop_map(|queue| Operation::Sync { queue }),
            3 => (any::<u8>(), 0u8..3).prop_map(|(style, queue)| Operation::Settle { style, queue }),
            3 => (0u8..16, any::<u8>(), page(), any::<u8>(), 0u8..3).prop_map(|(opcode, who, page, style, queue)| {
                Operation::Command { opcode, who, page, style, queue }
            }),
            2 => (any::<u8>(), 0u8..3).prop_map(|(what, queue)| Operation::Illegal { what, queue }),
            1 => (any::<u8>(), 0u8..3).prop_map(|(nth, queue)| Operation::Timeout { nth, queue }),
            1 => device.clone().prop_map(|device| Operation::Overflow { device }),
            8 => Just(Operation::Again),
            40 => access(),
            8 => (device, 0u8..12, any::<bool>(), any::<bool>()).prop_map(|(device, slot, upper, ats)| Operation::Sweep { device, slot, upper, ats }),
        ]
    }

    /// Any operation, of guests too that write where they should not.
    pub fn hostile() -> impl Strategy<Value = Operation> {
        let garbage =
            (1u8..3, any::<(u8, u16, u8, u8)>()).prop_map(|(vm, (page, word, what, page_of))| {
                Operation::Garbage {
                    vm,
                    page,
                    word,
                    what,
                    page_of,
                }
            });
        prop_oneof![6 => Operation::honest(), 1 => garbage]
    }
}
