//! Commands that nobody asked for, and what hostile guests write.

use engine::layout::{Command, RangeHint, Response};
use engine::{Asid, Iova, Ipa, Stag, StreamId, SubstreamId, Vmid};

use super::super::shape::{STREAMS, VMIDS, VMS};
use super::Run;

impl Run<'_, '_> {
    pub(super) fn any_command(&self, opcode: u8, who: u8, page: u8, style: u8) -> Command {
        let sid = StreamId(STREAMS[usize::from(who) % STREAMS.len()]);
        let ssid = SubstreamId(u32::from(style) * 5);
        let vmid = Vmid(VMIDS[usize::from(who) % VMS]);
        let asid = Asid(u16::from(style % 5));
        let root = self.world.spaces[usize::from(who) % self.world.spaces.len()].root;
        let layout = self.world.node(root).layout;
        let address = layout.page(page);
        let leaf = style & 1 == 1;
        let hint = match style & 2 {
            0 => RangeHint::default(),
            _ => RangeHint {
                tg: style % 3 + 1,
                ttl: style >> 2 & 3,
                num: style >> 3,
                scale: 1 + style % 7,
            },
        };
        match opcode % 16 {
            0 => Command::PrefetchConfig {
                sid,
                ssid: leaf.then_some(ssid),
            },
            1 => Command::PrefetchAddr { sid, ssid: None },
            2 => Command::CfgiSte { sid, leaf },
            3 => Command::CfgiSteRange {
                sid,
                range: style % 32,
            },
            4 => Command::CfgiCd { sid, ssid, leaf },
            5 => Command::CfgiCdAll { sid },
            6 => Command::TlbiNhAll { vmid },
            7 => Command::TlbiNhAsid { vmid, asid },
            8 => Command::TlbiNhVa {
                vmid,
                asid,
                address: Iova(address),
                leaf,
                hint,
            },
            9 => Command::TlbiNhVaa {
                vmid,
                address: Iova(address),
                leaf,
                hint,
            },
            10 => Command::TlbiS12Vmall { vmid },
            11 => Command::TlbiS2Ipa {
                vmid,
                address: Ipa(address & 0xf_ffff_ffff_ffff),
                leaf,
                hint,
            },
            12 => Command::TlbiNsnhAll,
            13 => Command::AtcInv {
                sid,
                ssid: leaf.then_some(ssid),
                global: false,
                address: Iova(address),
                size: style % 53,
            },
            14 => Command::Resume {
                sid,
                stag: Stag(style.into()),
                response: Response::Abort,
            },
            _ if leaf => Command::StallTerm { sid },
            _ => Command::TlbiS2Ipa {
                vmid,
                address: Ipa(address & 0xf_ffff_ffff_ffff),
                leaf,
                hint: RangeHint::default(),
            },
        }
    }

    pub(super) fn garbage(&mut self, vm: u8, page: u8, word: u16, what: u8, page_of: u8) {
        let vm = 1 + usize::from(vm) % (VMS - 1);
        let layout = self.world.shape.stage2_layout(vm);
        let pool = &self.world.vms[vm].pool;
        let bytes = 1u64 << layout.granule;
        let nth = |nth: u8| {
            pool.iter()
                .nth(usize::from(nth) % pool.len())
                .map(|(page, physical)| (page << layout.granule, *physical))
        };
        let (Some((_, physical)), Some((other, elsewhere))) = (nth(page), nth(page_of)) else {
            return;
        };
        let noise = (u64::from(word) << 40 | u64::from(what) << 21 | u64::from(page_of))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = match what % 8 {
            0 => noise,
            1 => layout.page(page_of) | 0x743,
            2 => other | 3,
            // Where a guest may not go: physical addresses, its own and others'.
            3 => elsewhere | 0x743,
            4 => elsewhere | 3,
            // A CD, more or less.
            5 => 0x0001_6205_8000_0019 ^ noise & 0x0000_0700_00ff_00ff,
            6 => noise | 0x743,
            _ => 0,
        };
        // The first words of tables matter most.
        let word = match what & 8 {
            0 => u64::from(word) % 16,
            _ => u64::from(word),
        };
        self.world.vms[vm].hostile = true;
        let at = physical + word * 8 % bytes;
        self.world.write(0, at, value);
    }
}
