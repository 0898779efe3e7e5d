//! Commands as 16 bytes, written out by hand from Arm IHI 0070, chapter 4; and some that no queue of this SMMU accepts.

use engine::layout::{Command, RangeHint, SyncSignal};

/// The two words of a command.
pub fn command(command: &Command) -> [u64; 2] {
    let stream = |opcode: u64, sid: u32| opcode | u64::from(sid) << 32;
    let sub = |ssid: u32| u64::from(ssid) << 12;
    let with = |ssid: Option<u32>| ssid.map_or(0, |ssid| 1 << 11 | sub(ssid));
    let vm = |opcode: u64, vmid: u16| opcode | u64::from(vmid) << 32;
    let tag = |asid: u16| u64::from(asid) << 48;
    let range = |hint: RangeHint| u64::from(hint.num) << 12 | u64::from(hint.scale) << 20;
    let at = |address: u64, leaf: bool, hint: RangeHint| {
        address >> 12 << 12 | u64::from(hint.tg) << 10 | u64::from(hint.ttl) << 8 | u64::from(leaf)
    };
    match *command {
        Command::PrefetchConfig { sid, ssid } => {
            [stream(0x01, sid.0) | with(ssid.map(|ssid| ssid.0)), 0]
        }
        Command::PrefetchAddr { sid, ssid } => {
            [stream(0x02, sid.0) | with(ssid.map(|ssid| ssid.0)), 0]
        }
        Command::CfgiSte { sid, leaf } => [stream(0x03, sid.0), u64::from(leaf)],
        Command::CfgiSteRange { sid, range } => [stream(0x04, sid.0), u64::from(range)],
        Command::CfgiCd { sid, ssid, leaf } => [stream(0x05, sid.0) | sub(ssid.0), u64::from(leaf)],
        Command::CfgiCdAll { sid } => [stream(0x06, sid.0), 0],
        Command::TlbiNhAll { vmid } => [vm(0x10, vmid.0), 0],
        Command::TlbiNhAsid { vmid, asid } => [vm(0x11, vmid.0) | tag(asid.0), 0],
        Command::TlbiNhVa {
            vmid,
            asid,
            address,
            leaf,
            hint,
        } => [
            vm(0x12, vmid.0) | tag(asid.0) | range(hint),
            at(address.0, leaf, hint),
        ],
        Command::TlbiNhVaa {
            vmid,
            address,
            leaf,
            hint,
        } => [vm(0x13, vmid.0) | range(hint), at(address.0, leaf, hint)],
        Command::TlbiS12Vmall { vmid } => [vm(0x28, vmid.0), 0],
        Command::TlbiS2Ipa {
            vmid,
            address,
            leaf,
            hint,
        } => [vm(0x2a, vmid.0) | range(hint), at(address.0, leaf, hint)],
        Command::TlbiNsnhAll => [0x30, 0],
        Command::AtcInv {
            sid,
            ssid,
            global,
            address,
            size,
        } => [
            stream(0x40, sid.0) | with(ssid.map(|ssid| ssid.0)) | u64::from(global) << 9,
            address.0 >> 12 << 12 | u64::from(size),
        ],
        Command::Resume { sid, stag, .. } => [stream(0x44, sid.0) | 1 << 13, u64::from(stag.0)],
        Command::StallTerm { sid } => [stream(0x45, sid.0), 0],
        Command::Sync(SyncSignal::Irq { address, data }) => {
            [0x46 | 1 << 12 | u64::from(data) << 32, address]
        }
        Command::Sync(SyncSignal::Sev) => [0x46 | 2 << 12, 0],
        Command::Sync(SyncSignal::None) => [0x46, 0],
        Command::PriResp { .. } => panic!("without PRI software does not answer page requests"),
    }
}

/// Commands that are CERROR_ILL on an SMMU without PRI, EL2, Secure state, VMS and DPT.
pub fn illegal(what: u8) -> [u64; 2] {
    const SSEC: u64 = 1 << 10;
    const CS: u64 = 3 << 12;
    const TG: u64 = 1 << 10;
    // 4.1.6: those that have SSec have it for the Secure queue alone; CMD_ATC_INV has none (4.5.1). 4.4.1: TG without NUM, SCALE and TTL is reserved.
    const ALL: [[u64; 2]; 22] = [
        [0x01 | SSEC, 0],
        [0x02 | SSEC, 0],
        [0x03 | SSEC, 0],
        [0x04 | SSEC, 31],
        [0x05 | SSEC, 0],
        [0x06 | SSEC, 0],
        [0x12, 0x1000 | TG],
        [0x13, 0x1000 | TG],
        [0x2a, 0x1000 | TG],
        [0x20, 0],
        [0x21, 0],
        [0x22, 0],
        [0x23, 0],
        [0x40, 63],
        [0x40, 53],
        [0x41, 0],
        [0x44 | SSEC, 0],
        [0x45 | SSEC, 0],
        [0x46 | CS, 0],
        [0x00, 0],
        [0x07, 0],
        [0xff, 0],
    ];
    ALL[usize::from(what) % ALL.len()]
}
