//! What was done to the board, byte by byte, in the manual's words.

use engine::layout::{
    CdWord0, CdWord1, Command, Descriptor, SteWord0, SteWord1, SteWord2, SteWord3,
};
use model::{Machine, limit};
use vocab::{Device, Ipa, Page, Slot, Space, Viommu, Vm};

use super::fields::{fields, leaf};
use super::{encode, map};

/// A store or a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// 64 bits were stored.
    Store {
        /// Physical address.
        at: u64,
        /// What.
        word: u64,
    },
    /// A command was put into a queue.
    Command {
        /// Physical address of its first word.
        at: u64,
        /// Which queue.
        queue: u8,
        /// Its two words.
        words: [u64; 2],
    },
}

impl Line {
    /// In one line: where, the bytes, what they are and their fields that are not zero.
    pub fn tell(&self, machine: &Machine) -> String {
        match *self {
            Line::Store { at, word } => {
                let (what, fields) = stored(machine, at, word);
                format!("{at:#010x} = {word:#018x}  {what}{fields}")
            }
            Line::Command { at, queue, words } => {
                let what = match Command::decode(words) {
                    Ok(command) => command.to_string(),
                    Err(_) => "an opcode that is reserved".to_owned(),
                };
                let [word0, word1] = words;
                format!("{at:#010x} = {word0:#018x} {word1:#018x}  command queue {queue}: {what}")
            }
        }
    }
}

/// What lies at an address, and the fields of its new word.
fn stored(machine: &Machine, at: u64, word: u64) -> (String, String) {
    for device in (0..machine.bounds.devices).map(Device) {
        if let Some(offset @ 0..64) = at.checked_sub(map::ste(device)) {
            let fields = match offset / 8 {
                0 => fields(&SteWord0::from_bits(word)),
                1 => fields(&SteWord1::from_bits(word)),
                2 => fields(&SteWord2::from_bits(word)),
                _ => fields(&SteWord3::from_bits(word)),
            };
            return (format!("STE of {device}, word {}", offset / 8), fields);
        }
    }
    for viommu in (0..machine.bounds.viommus).map(Viommu) {
        let vm = machine.vm_of(viommu);
        for slot in (0..machine.slots()).map(Slot) {
            let device = machine.device_of(slot);
            let index = u64::from(encode::index(machine, slot).0);
            let cd = map::physical(vm, map::cd_table(viommu, device) + index * 64);
            if let Some(offset @ 0..64) = at.checked_sub(cd) {
                let fields = match offset / 8 {
                    0 => fields(&CdWord0::from_bits(word)),
                    _ => fields(&CdWord1::from_bits(word)),
                };
                let what = format!("CD {index} of {device}, word {}", offset / 8);
                return (what, fields);
            }
        }
    }
    for space in (0..machine.bounds.spaces).map(Space) {
        let vm = machine.vm_of(machine.viommu_of(space));
        for page in (0..machine.bounds.pages).map(Page) {
            if at == map::physical(vm, map::stage_1_entry(space, page)) {
                let fields = leaf(Descriptor::from_bits(word), ["AttrIndx", "AP[2:1]"]);
                return (format!("stage-1 leaf of {space}, {page}"), fields);
            }
        }
    }
    for vm in (0..machine.bounds.vms).map(Vm) {
        for ipa in (0..limit::IPAS as u8).map(Ipa) {
            if at == map::stage_2_entry(vm, ipa) {
                let fields = leaf(Descriptor::from_bits(word), ["MemAttr", "S2AP"]);
                return (format!("stage-2 leaf of {vm}, {ipa}"), fields);
            }
        }
    }
    (String::new(), String::new())
}
