//! What happens in a run, one step at a time.
//!
//! Operands are small numbers that name places (a half of a space, a page, a slot), never what earlier operations made; whatever is
//! there is what an operation works on, and one that makes no sense there does nothing. So any list of operations is a run, and any part
//! of it too: it can be shrunk by leaving out, and read from a file.

mod draw;

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
