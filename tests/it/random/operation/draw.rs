//! How operations are drawn: from ranges as small as keeps them apart, so that traces can be read.

use proptest::prelude::*;

use super::{Access, Operation};

/// One kind of operation, each operand below a limit.
macro_rules! below {
    ($kind:ident { $($operand:ident: $limit:expr),* }) => {
        [$(0u8..$limit),*].prop_map(|[$($operand),*]| Operation::$kind { $($operand),* }).boxed()
    };
}

impl Operation {
    /// Any operation of guests that know what they do.
    pub fn honest() -> impl Strategy<Value = Operation> {
        let pages = prop_oneof![
            14 => below!(Map { half: 9, page: 24, level: 12, output: 255, attributes: 255, limits: 255 }),
            6 => below!(Fill { half: 9, level: 12, output: 255 }),
            6 => below!(Fill2 { vm: 2, level: 12 }),
            7 => below!(Unmap { half: 9, page: 24, level: 12, junk: 255 }),
            4 => below!(Protect { half: 9, page: 24, attributes: 255 }),
            2 => below!(Limit { half: 9, page: 24, level: 12, limits: 255 }),
            1 => below!(Nowhere { half: 9, page: 24, level: 12 }),
            10 => below!(Map2 { vm: 2, page: 24, level: 12, attributes: 255 }),
            5 => below!(Unmap2 { vm: 2, page: 24, level: 12 }),
            3 => below!(Protect2 { vm: 2, page: 24, attributes: 255 }),
            1 => below!(Nowhere2 { vm: 2, page: 24, level: 12 }),
            2 => below!(Pool { vm: 2, page: 255, how: 6 }),
        ];
        let configuration = prop_oneof![
            5 => below!(Cd { device: 8, slot: 8, space: 2, flags: 128 }),
            2 => below!(L1Cd { device: 8, slot: 8, how: 3 }),
            1 => below!(Break { device: 8 }),
            1 => below!(L1Std { device: 8, how: 3 }),
            2 => below!(Rollover { space: 6 }),
            5 => ste(),
            3 => word1(),
            2 => (0u8..6, any::<bool>()).prop_map(|(space, upper)| Operation::Epd { space, upper }),
        ];
        let commands = prop_oneof![
            12 => below!(Invalidate { nth: 8, style: 64, queue: 3 }),
            8 => below!(Sync { queue: 3 }),
            3 => below!(Settle { style: 64, queue: 3 }),
            3 => below!(Command { opcode: 16, who: 24, page: 24, style: 255, queue: 3 }),
            2 => below!(Illegal { what: 22, queue: 3 }),
            1 => below!(Timeout { nth: 8, queue: 3 }),
        ];
        let devices = prop_oneof![
            1 => below!(Overflow { device: 8 }),
            8 => Just(Operation::Again),
            40 => access(),
            8 => (0u8..8, 0u8..12, any::<[bool; 2]>()).prop_map(|(device, slot, [upper, ats])| {
                Operation::Sweep { device, slot, upper, ats }
            }),
        ];
        prop_oneof![61 => pages, 21 => configuration, 29 => commands, 57 => devices]
    }

    /// Any operation, of guests too that write where they should not.
    pub fn hostile() -> impl Strategy<Value = Operation> {
        let garbage = (0u8..2, any::<(u8, u16, u8, u8)>());
        let garbage = garbage.prop_map(|(vm, (page, word, what, page_of))| Operation::Garbage {
            vm,
            page,
            word,
            what,
            page_of,
        });
        prop_oneof![6 => Operation::honest(), 1 => garbage]
    }
}

fn ste() -> impl Strategy<Value = Operation> {
    let parts = (0u8..8, 0u8..8, 0u8..3, 0u8..4, 0u8..2, any::<bool>());
    parts.prop_map(|(device, config, s1dss, eats, vm, record)| Operation::Ste {
        device,
        config,
        s1dss,
        eats,
        vm,
        record,
    })
}

fn word1() -> impl Strategy<Value = Operation> {
    let parts = (0u8..8, prop::option::of(0u8..3), 0u8..4, 0u8..24);
    parts.prop_map(|(device, s1dss, eats, page)| Operation::Word1 {
        device,
        s1dss,
        eats,
        page,
    })
}

/// Mostly reads, of the eight devices and of strangers.
fn access() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![4 => Just(0u8), 1 => Just(1), 2 => 0u8..8];
    let seldom = || prop::bool::weighted(0.3);
    let place = (0u8..9, 0u8..12, 0u8..24, seldom(), any::<u16>());
    (place, kind, seldom()).prop_map(|((device, slot, page, upper, offset), kind, ats)| {
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
