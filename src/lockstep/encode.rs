//! Abstract values as the words that software writes: STEs, CDs, descriptors and commands, by the manual's fields.
//!
//! Streams are nested; both stages have 4 KiB pages and 25 bits of input, so that a walk has two levels each. The model's word 2 of an
//! STE, {S2VMID, S2TTB}, is words 2 and 3 here: what can be torn between those two is not modelled.

use engine::layout::{
    CdWord0, CdWord1, Command as Bytes, Descriptor, RangeHint, SteWord0, SteWord1, SteWord2,
    SteWord3,
};
use engine::{Asid, Iova, Ipa as IpaAddress, StreamId, SubstreamId, Vmid};
use model::caches::{cd0, cd1, ste0, ste1, ste2};
use model::state::pte;
use model::{Machine, S1dss, limit};
use vocab::{Command, Device, Ipa, Slot, Space, Vm};

use super::map;

/// 64 minus the bits of addresses that either stage translates.
const TXSZ: u8 = 39;
/// 40 bits of output: STE.S2PS, CD.IPS.
const PS: u8 = 2;
/// A valid page or table descriptor.
const VALID: u64 = 3;

/// A device's StreamID.
pub const fn sid(device: Device) -> StreamId {
    StreamId(device.0 as u32)
}

/// The SubstreamID that comes with a slot's traffic; none where CD 0 is for traffic without.
pub fn ssid(machine: &Machine, slot: Slot) -> Option<SubstreamId> {
    (!machine.is_without_ssid(slot)).then(|| index(machine, slot))
}

/// The place of a slot's CD in its table.
pub fn index(machine: &Machine, slot: Slot) -> SubstreamId {
    SubstreamId(u32::from(slot.0 % machine.bounds.ssids))
}

/// A VMID as hardware has it. 0 is the one that guests write, who do not know their own.
const fn vmid(vocab::Vmid(vmid): vocab::Vmid) -> Vmid {
    if (vmid as usize) < limit::VMIDS {
        Vmid(vmid as u16 + 1)
    } else {
        Vmid(0)
    }
}

const fn asid(vocab::Asid(asid): vocab::Asid) -> Asid {
    Asid(asid as u16 + 1)
}

/// Word 0 of an STE: abort, stage 2 alone, or nested with the CD table of a vIOMMU.
pub fn ste_word0(device: Device, word: u8) -> u64 {
    let ste = SteWord0::new().with_v(true);
    match ste0::table(word) {
        None if word == ste0::S2_TRANS => ste.with_config(6),
        None => ste.with_config(0),
        Some(viommu) => {
            let table = map::cd_table(viommu, device);
            ste.with_config(7)
                .with_s1contextptr_55_6(table >> 6)
                // Two CDs at least: with S1CDMax = 0 there are no substreams.
                .with_s1cdmax(2)
        }
    }
    .into_bits()
}

/// Word 1 of an STE.
pub fn ste_word1(machine: &Machine, word: u8) -> u64 {
    let (eats, bypass) = ste1::decode(word);
    let dss = match machine.axes.s1dss {
        S1dss::Terminate => 0,
        S1dss::Ssid0 => 2,
        S1dss::Bypass => u8::from(bypass),
    };
    SteWord1::new()
        .with_s1dss(dss)
        .with_eats(u8::from(eats))
        .into_bits()
}

/// Words 2 and 3 of an STE: zeros while nothing was written, which is ILLEGAL with stage 2.
pub fn ste_words2(word: u8) -> [u64; 2] {
    let Some((of, vm)) = ste2::decode(word) else {
        return [0, 0];
    };
    let word2 = SteWord2::new()
        .with_s2vmid(vmid(of).0)
        .with_s2t0sz(TXSZ)
        .with_s2sl0(0)
        .with_s2ps(PS)
        .with_s2aa64(true)
        .with_s2r(true);
    let word3 = SteWord3::new().with_s2ttb_51_4(map::stage_2(vm) >> 4);
    [word2.into_bits(), word3.into_bits()]
}

/// Word 0 of a CD.
pub fn cd_word0(word: u8) -> u64 {
    let Some((of, walks)) = cd0::decode(word) else {
        return 0;
    };
    CdWord0::new()
        .with_v(true)
        .with_aa64(true)
        .with_t0sz(TXSZ)
        .with_epd0(!walks)
        .with_epd1(true)
        .with_ips(PS)
        .with_r(true)
        .with_a(true)
        .with_asid(asid(of).0)
        .into_bits()
}

/// Word 1 of a CD; without a table it points to where stage 2 maps nothing.
pub fn cd_word1(word: u8) -> u64 {
    let ttb = match word {
        cd1::NONE => 0,
        word => map::stage_1(Space(word - 1)),
    };
    CdWord1::new().with_ttb0_51_4(ttb >> 4).into_bits()
}

/// A stage-1 leaf.
pub fn leaf(entry: u8) -> u64 {
    pte::decode(entry).map_or(0, |(ipa, global)| {
        let attributes = Descriptor::new()
            .with_ap(1)
            .with_af(true)
            .with_ng(!global)
            .into_bits();
        map::ipa(ipa) | attributes | VALID
    })
}

/// A descriptor that leads to a table.
pub const fn table(at: u64) -> u64 {
    at | VALID
}

/// A stage-2 leaf: S2AP read and write, AF.
pub const fn stage_2_leaf(physical: u64) -> u64 {
    physical | 3 << 6 | 1 << 10 | VALID
}

/// A command as the hardware is given it.
///
/// Invalidations by address name one page and spare table descriptors (Leaf=1), which is the least that the manual lets a driver send
/// for a leaf.
pub fn command(machine: &Machine, command: Command) -> Bytes {
    let hint = RangeHint::default();
    let of = |device| sid(device);
    let page = |page| Iova(map::iova(page));
    let atc = |device, ssid, address, size| Bytes::AtcInv {
        sid: of(device),
        ssid,
        global: false,
        address,
        size,
    };
    let own = |slot| (machine.device_of(slot), Some(index(machine, slot)));
    match command {
        Command::CfgiSte(device) => Bytes::CfgiSte {
            sid: of(device),
            leaf: true,
        },
        Command::CfgiCd(slot) => Bytes::CfgiCd {
            sid: of(machine.device_of(slot)),
            ssid: index(machine, slot),
            leaf: true,
        },
        Command::CfgiCdAll(device) => Bytes::CfgiCdAll { sid: of(device) },
        Command::TlbiNhAll(of) => Bytes::TlbiNhAll { vmid: vmid(of) },
        Command::TlbiNhAsid(of, tag) => Bytes::TlbiNhAsid {
            vmid: vmid(of),
            asid: asid(tag),
        },
        Command::TlbiNhVa(of, tag, at) => Bytes::TlbiNhVa {
            vmid: vmid(of),
            asid: asid(tag),
            address: page(at),
            leaf: true,
            hint,
        },
        Command::TlbiNhVaa(of, at) => Bytes::TlbiNhVaa {
            vmid: vmid(of),
            address: page(at),
            leaf: true,
            hint,
        },
        Command::TlbiS2Ipa(of, at) => Bytes::TlbiS2Ipa {
            vmid: vmid(of),
            address: IpaAddress(map::ipa(at)),
            leaf: true,
            hint,
        },
        Command::TlbiS12Vmall(of) => Bytes::TlbiS12Vmall { vmid: vmid(of) },
        Command::TlbiNsnhAll => Bytes::TlbiNsnhAll,
        Command::AtcInv(slot, at) => atc(own(slot).0, own(slot).1, page(at), 0),
        Command::AtcInvSsid(slot) => atc(own(slot).0, own(slot).1, Iova(0), EVERYTHING),
        Command::AtcInvPage(device, at) => atc(device, None, page(at), 0),
        Command::AtcInvAll(device) => atc(device, None, Iova(0), EVERYTHING),
    }
}

/// ATC_INV.Size of all addresses.
const EVERYTHING: u8 = 52;

/// The physical address of a VM's intermediate page.
pub const fn frame(vm: Vm, ipa: Ipa) -> u64 {
    map::physical(vm, map::ipa(ipa))
}
