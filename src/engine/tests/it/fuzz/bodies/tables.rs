//! STEs, CDs, descriptors, registers and transactions, all as the bytes say.
//!
//! ```text
//! features  1 byte of flags      registers  flags, STRTAB_BASE (8), LOG2SIZE, FMT and SPLIT
//! device    StreamID (4), flag and SubstreamID (4)
//! then      0: store  word number (2), word (8)      1: access  flags, address (8)      2: ATS request  the same
//! ```
//!
//! Memory does not change between two accesses unless caches are emptied, so that every policy must answer as the one without caches,
//! whatever the tables say. One device with one SubstreamID: two CDs of one ASID and different tables may be mixed up, says the manual.

use engine::{
    Access, AddressType, EventQueue, Features, Iova, Registers, Smmu, StallModel, StreamId,
    StreamTableFormat, SubstreamId, Transaction,
};

use super::compare::Ways;
use super::input::Input;
use super::watched::Watched;

/// Where memory begins, and how much there is.
pub const BASE: u64 = 0x4000_0000;
pub const SIZE: u64 = 0x4_0000;
/// No structure can point here, nor lies anything here: events are lost, and change nothing.
const NOWHERE: u64 = 1 << 60;

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let smmu = Smmu::new(Watched::new(BASE, SIZE), features(&mut input));
    smmu.set_event_queue(EventQueue::new(NOWHERE, 4));
    let registers = registers(&mut input);
    let sid = StreamId(input.number());
    let [present] = input.flags();
    let ssid = SubstreamId(input.number() & 0xf_ffff);
    let ssid = present.then_some(ssid);
    smmu.configure(registers);
    let mut ways = Ways::new(&smmu);
    let mut stored = false;
    while !input.is_empty() {
        match input.byte() % 4 {
            0 | 3 => {
                let at = u64::from(input.half()) * 8 % SIZE;
                smmu.memory().put(BASE + at, &[input.word()]);
                stored = true;
            }
            kind => {
                if std::mem::take(&mut stored) {
                    // Empties the caches.
                    smmu.configure(registers);
                }
                let [write, instruction, privileged, translated] = input.flags();
                let access = Access {
                    write,
                    instruction,
                    privileged,
                };
                let mut transaction = Transaction::new(sid, ssid, Iova(input.word()), access);
                if kind == 2 {
                    ways.agree_on_ats(&transaction);
                    continue;
                }
                if translated {
                    transaction.address_type = AddressType::Translated;
                }
                let _ = ways.agree(&transaction);
            }
        }
    }
}

fn features(input: &mut Input<'_>) -> Features {
    let [
        small,
        no_substreams,
        linear,
        stall_only,
        terminate,
        term_model,
        no_vax,
        no_ats,
    ] = input.flags();
    let all = Features::all();
    Features {
        oas: if small { 44 } else { all.oas },
        sidsize: if small { 16 } else { all.sidsize },
        ssidsize: if no_substreams { 0 } else { all.ssidsize },
        st_level2: !linear,
        cd2l: !linear,
        stall_model: match (stall_only, terminate) {
            (true, _) => StallModel::StallOnly,
            (_, true) => StallModel::TerminateOnly,
            _ => StallModel::Both,
        },
        term_model,
        vax: !no_vax,
        ats: !no_ats,
        ..all
    }
}

fn registers(input: &mut Input<'_>) -> Registers {
    let [disabled, no_atschk, gbpa_abort, recinvsid, rec_cfg_ats] = input.flags();
    Registers {
        smmuen: !disabled,
        atschk: !no_atschk,
        cmdqen: true,
        eventqen: true,
        recinvsid,
        rec_cfg_ats,
        gbpa_abort,
        strtab_base: input.word(),
        strtab_log2size: input.byte(),
        strtab_format: match input.byte() {
            0 => StreamTableFormat::Linear,
            split => StreamTableFormat::TwoLevel { split },
        },
    }
}
