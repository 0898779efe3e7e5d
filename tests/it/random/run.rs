//! A run: a world, the operations on it, and every answer compared.

use std::collections::VecDeque;

use engine::layout::{Command, RangeHint, Response};
use engine::{Asid, Features, Iova, Ipa, Smmu, Stag, StreamId, SubstreamId, Vmid};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::alter::Alteration;
use super::answer::{self, Answer, Asked};
use super::board::{Board, QUEUES};
use super::config::Ste;
use super::coverage::Coverage;
use super::geometry::PAGES;
use super::need::Need;
use super::operation::{Access, Operation};
use super::past::View;
use super::reference;
use super::shape::{STREAM_BITS, STREAMS, Shape, VMIDS, VMS};
use super::table::Entry;
use super::words;
use super::world::World;

/// Changes that are open at a time; one more waits until all are followed.
const OPEN: usize = 6;
/// Accesses that are made again.
const RECENT: usize = 12;

/// A world and what happens to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    pub shape: Shape,
    pub operations: Vec<Operation>,
}

impl Case {
    pub fn any(hostile: bool) -> BoxedStrategy<Case> {
        let operation = match hostile {
            true => Operation::hostile().boxed(),
            false => Operation::honest().boxed(),
        };
        let parts = (Shape::any(), prop::collection::vec(operation, 1..120));
        parts
            .prop_map(|(shape, operations)| Case { shape, operations })
            .boxed()
    }
}

/// Runs a case; says where the engine and the reference differ.
pub fn run(
    case: &Case,
    alteration: Option<Alteration>,
    coverage: &mut Coverage,
) -> Result<(), String> {
    let mut world = World::new(&case.shape);
    if case.shape.full {
        world.fill();
    }
    let smmu = Smmu::new(world.memory.clone(), Features::all());
    let board = Board::new(&smmu, &world, alteration);
    let mut run = Run {
        world,
        board,
        coverage,
        present: None,
        recent: VecDeque::new(),
    };
    run.coverage.runs += 1;
    for (nth, operation) in case.operations.iter().enumerate() {
        run.coverage.operations += 1;
        run.perform(*operation)
            .map_err(|what| format!("operation {nth}, {operation:?}: {what}"))?;
    }
    // Whatever was left open is followed, and then there is one answer to everything.
    let end = |what| format!("at the end: {what}");
    run.settle(0, 0).map_err(end)?;
    for device in 0..STREAMS.len() as u8 {
        for ats in [false, true] {
            run.sweep(device, device, device % 2 == 1, ats)
                .map_err(end)?;
        }
    }
    for unit in &run.board.units {
        run.coverage.cached(unit.counts());
    }
    Ok(())
}

struct Run<'s, 'c> {
    world: World,
    board: Board<'s>,
    coverage: &'c mut Coverage,
    /// What the unit without caches has just said.
    present: Option<Answer>,
    /// The last accesses that reached something.
    recent: VecDeque<Access>,
}

impl Run<'_, '_> {
    fn perform(&mut self, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::Access(access) => self.access(access),
            Operation::Sweep {
                device,
                slot,
                upper,
                ats,
            } => self.sweep(device, slot, upper, ats),
            Operation::Invalidate { nth, style, queue } => {
                let due = self.world.pending.due(Some(nth.into()));
                self.issue(&due, style, queue)
            }
            Operation::Sync { queue } => self.sync(queue, false),
            Operation::Settle { style, queue } => {
                self.settle(style, queue)?;
                self.again()
            }
            Operation::Again => self.again(),
            Operation::Command {
                opcode,
                who,
                page,
                style,
                queue,
            } => {
                let command = self.any_command(opcode, who, page, style);
                self.command(queue, command)
            }
            Operation::Illegal { what, queue } => {
                let queue = usize::from(queue) % QUEUES;
                self.board
                    .illegal(queue, words::illegal(what), self.coverage)
            }
            Operation::Timeout { nth, queue } => {
                let queue = usize::from(queue) % QUEUES;
                let sid = STREAMS[usize::from(nth) % STREAMS.len()];
                let everything = Need::Atc {
                    sid,
                    ssid: None,
                    from: 0,
                    bits: 64,
                };
                self.board
                    .time_out(queue, everything.commands(0)[0], self.coverage)?;
                self.world.pending.timed_out(queue);
                self.world.pending.synced(queue);
                Ok(())
            }
            Operation::Overflow { device } => self.overflow(device),
            Operation::Garbage {
                vm,
                page,
                word,
                what,
                page_of,
            } => {
                self.garbage(vm, page, word, what, page_of);
                Ok(())
            }
            Operation::Ste {
                device,
                config,
                s1dss,
                eats,
                vm,
                record,
            } => {
                let device = usize::from(device) % STREAMS.len();
                let ste = self.world.ste_of(device, [config, s1dss, eats, vm], record);
                self.change_ste(device, ste)
            }
            Operation::Word1 {
                device,
                s1dss,
                eats,
                page,
            } => {
                const NO_SUBSTREAM: u8 = 11;
                let access = Access {
                    device: device % STREAMS.len() as u8,
                    slot: NO_SUBSTREAM,
                    page,
                    upper: page % 4 == 3,
                    offset: 0,
                    kind: 0,
                    ats: true,
                };
                self.access(access)?;
                let device = usize::from(access.device);
                let ste = self.world.ste_with(device, s1dss, eats);
                self.change_ste(device, ste)?;
                self.access(access)
            }
            change => {
                if self.world.pending.len() >= OPEN {
                    self.settle(0, 0)?;
                }
                // What was in the way is followed; a CD that had to be broken first is made again.
                for _ in 0..3 {
                    if self.world.change(change).is_ok() {
                        break;
                    }
                    self.settle(0x10, 1)?;
                }
                Ok(())
            }
        }
    }

    /// The accesses that have reached something most recently, once more.
    fn again(&mut self) -> Result<(), String> {
        let recent = self.recent.clone();
        recent
            .into_iter()
            .try_for_each(|access| self.access(access))
    }

    /// One store where one word changes; else V = 0, CFGI, CMD_SYNC, the other words, V = 1.
    fn change_ste(&mut self, device: usize, ste: Ste) -> Result<(), String> {
        if self.world.pending.len() >= OPEN {
            self.settle(0, 0)?;
        }
        if !self.world.in_one_word(device, &ste) {
            let old = self.world.devices[device].ste.now;
            self.world.set_ste(
                device,
                Ste {
                    valid: false,
                    ..old
                },
            );
            self.settle(0, 0)?;
        }
        self.world.set_ste(device, ste);
        Ok(())
    }

    fn command(&mut self, queue: u8, command: Command) -> Result<(), String> {
        let queue = usize::from(queue) % QUEUES;
        self.board.command(queue, command, self.coverage)?;
        self.world.pending.command(queue, &command);
        Ok(())
    }

    fn sync(&mut self, queue: u8, mute: bool) -> Result<(), String> {
        let queue = usize::from(queue) % QUEUES;
        self.board.sync(queue, mute, self.coverage)?;
        self.world.pending.synced(queue);
        Ok(())
    }

    /// Commands for needs, as few as reach them in this style.
    fn issue(&mut self, needs: &[Need], style: u8, queue: u8) -> Result<(), String> {
        let mut issued: Vec<Command> = Vec::new();
        for need in needs {
            if issued.iter().any(|command| need.covered_by(command)) {
                continue;
            }
            for command in need.commands(style) {
                issued.push(command);
                self.command(queue, command)?;
            }
        }
        Ok(())
    }

    /// Stage by stage, until nothing is open.
    fn settle(&mut self, style: u8, queue: u8) -> Result<(), String> {
        for round in 0.. {
            if self.world.pending.is_empty() {
                break;
            }
            assert!(round < 24, "software does not come to an end");
            let due = self.world.pending.due(None);
            // A style that does not reach everything is given up.
            let style = if round < 12 { style } else { 7 };
            self.issue(&due, style, queue)?;
            (0..QUEUES as u8).try_for_each(|queue| self.sync(queue, false))?;
        }
        Ok(())
    }

    fn any_command(&self, opcode: u8, who: u8, page: u8, style: u8) -> Command {
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

    /// The transaction that operands describe.
    fn asked(&self, access: Access) -> Asked {
        let Access {
            device,
            slot,
            page,
            upper,
            offset,
            kind,
            ..
        } = access;
        let (write, execute, privileged) = (kind & 1 != 0, kind & 2 != 0, kind & 4 != 0);
        let offset = match offset & 1 {
            0 => u64::from(offset) % 0x1000,
            _ => u64::from(offset) * 0x311,
        };
        let Some(it) = self.world.devices.get(usize::from(device)) else {
            // Strangers: beside a device, and beyond the table.
            let sid = if upper {
                1 << STREAM_BITS
            } else {
                0x002 + u32::from(slot) * 0x41
            };
            return Asked {
                sid,
                ssid: None,
                address: offset,
                write,
                execute,
                privileged,
            };
        };
        let ssid = match usize::from(slot) {
            slot if slot < it.slots.len() => Some(it.slots[slot].ssid),
            9 => Some(1 << it.cdmax),
            10 => Some(5),
            _ => None,
        };
        let place = it.slots.iter().find(|slot| slot.ssid == ssid.unwrap_or(0));
        let space = place.map_or(it.vm * 2, |place| place.cd.now.space);
        let ste = it.ste.now;
        let address = match (ste.config, upper) {
            (5 | 7, true) => {
                let layout = self.world.node(self.world.vms[it.vm].kernel).layout;
                let within = (1 << layout.input_bits) - 1;
                (layout.page(page).wrapping_add(offset) & within) | u64::MAX << layout.input_bits
            }
            (5 | 7, false) => {
                self.world
                    .node(self.world.spaces[space].root)
                    .layout
                    .page(page)
                    + offset
            }
            _ => self.world.shape.stage2_layout(ste.vm).page(page) + offset,
        };
        Asked {
            sid: it.sid,
            ssid,
            address,
            write,
            execute,
            privileged,
        }
    }

    fn sweep(&mut self, device: u8, slot: u8, upper: bool, ats: bool) -> Result<(), String> {
        for page in 0..PAGES as u8 {
            self.access(Access {
                device: device % STREAMS.len() as u8,
                slot,
                page,
                upper,
                offset: 0,
                kind: 0,
                ats,
            })?;
        }
        Ok(())
    }

    /// One access, by every unit.
    fn access(&mut self, access: Access) -> Result<(), String> {
        let asked = self.asked(access);
        let ats = access.ats && usize::from(access.device) < STREAMS.len();
        let hostile = self.is_hostile(access.device);
        let (allowed, leaves) = match (hostile, ats) {
            (true, _) => (Vec::new(), Vec::new()),
            (false, true) => (reference::through_atc(&self.world, asked), Vec::new()),
            (false, false) => reference::untranslated(&self.world, asked),
        };
        for unit in 0..self.board.units.len() {
            let said = self.ask(unit, asked, ats)?;
            self.coverage.accesses += 1;
            if hostile {
                self.isolated(access.device, &said)?;
                continue;
            }
            if !allowed.iter().any(|may| may.allows(&said)) {
                let allowed: Vec<_> = allowed.iter().map(Answer::to_string).collect();
                let name = self.board.units[unit].name();
                return Err(format!(
                    "{asked:x?}{} (caches: {name}) comes to {said}; allowed: {}",
                    if ats { " through the ATC" } else { "" },
                    allowed.join(" | ")
                ));
            }
            let certain = allowed.iter().all(|may| may.allows(&allowed[0]));
            if certain {
                leaves
                    .iter()
                    .for_each(|&(stage, granule, level)| self.coverage.used(stage, granule, level));
            } else {
                self.coverage.open += 1;
                // What fetches everything anew has answered first.
                self.coverage.stale += u64::from(unit > 0 && self.present.as_ref() != Some(&said));
            }
            if unit == 0 {
                if matches!(said, Answer::Reached { .. }) {
                    self.recent.push_front(access);
                    self.recent.truncate(RECENT);
                }
                self.present = Some(said);
            }
        }
        Ok(())
    }

    /// What a unit says, with the records that it has written compared with what it says of them.
    fn ask(&mut self, unit: usize, asked: Asked, ats: bool) -> Result<Answer, String> {
        if ats {
            let said = self.board.units[unit].through_atc(asked);
            let records = self.board.recorded();
            records
                .iter()
                .for_each(|record| self.coverage.recorded(record));
            return Ok(answer::of_atc(&said, &records));
        }
        let said = self.board.units[unit].access(asked);
        let records = self.board.recorded();
        records
            .iter()
            .for_each(|record| self.coverage.recorded(record));
        let refusal = said.as_ref().err().and_then(|refusal| refusal.event);
        let expected: Vec<_> = refusal.iter().map(|event| event.words()).collect();
        match records == expected {
            true => Ok(answer::of_access(&said)),
            false => Err(format!(
                "{asked:x?}: recorded {records:x?}, said {expected:x?}"
            )),
        }
    }

    fn is_hostile(&self, device: u8) -> bool {
        let device = self.world.devices.get(usize::from(device));
        device.is_some_and(|device| {
            self.world.vms[device.vm].hostile
                && device
                    .ste
                    .seen(&self.world.pending, View::Atc)
                    .any(Ste::stage1)
        })
    }

    /// What a hostile guest's device reaches, its stage 2 leads to; or the STE says that nothing is translated.
    fn isolated(&mut self, device: u8, said: &Answer) -> Result<(), String> {
        self.coverage.isolated += 1;
        let Answer::Reached { pa, .. } = *said else {
            return Ok(());
        };
        self.coverage.reached += 1;
        let device = &self.world.devices[usize::from(device)];
        let stes: Vec<_> = device.ste.seen(&self.world.pending, View::Atc).collect();
        if stes.iter().any(|ste| ste.config == 4) {
            return Ok(());
        }
        let within = self.world.nodes.iter().any(|node| {
            let of = stes
                .iter()
                .any(|ste| node.owner == super::table::Owner::Stage2(ste.vm));
            of && node.entries.values().any(|entry| {
                entry
                    .seen(&self.world.pending, View::Atc)
                    .any(|entry| match entry {
                        Entry::Leaf { output, .. } => {
                            output >> node.layout.entry_bits(node.level)
                                == pa >> node.layout.entry_bits(node.level)
                        }
                        _ => false,
                    })
            })
        });
        match within {
            true => Ok(()),
            false => Err(format!(
                "a hostile guest's device reaches {pa:#x}, which its stage 2 never mapped"
            )),
        }
    }

    /// More records than there is space for: the first stay, the rest are lost, and one bit says so.
    fn overflow(&mut self, device: u8) -> Result<(), String> {
        let (space, _) = self.board.event_queue();
        let asked = Asked {
            sid: 1 << STREAM_BITS | u32::from(device),
            ssid: None,
            address: 0,
            write: false,
            execute: false,
            privileged: false,
        };
        for _ in 0..space + 3 {
            let _ = self.board.units[0].access(asked);
        }
        let (_, overflowed) = self.board.event_queue();
        let records = self.board.recorded();
        let bad = asked.record(answer::Fault::BadStreamId);
        if !overflowed || records != vec![bad; space] {
            return Err(format!(
                "{} records of {space}, overflowed {overflowed}",
                records.len()
            ));
        }
        self.coverage.overflows += 1;
        let (_, overflowed) = self.board.event_queue();
        match overflowed {
            false => Ok(()),
            true => Err("an acknowledged overflow stays".into()),
        }
    }

    fn garbage(&mut self, vm: u8, page: u8, word: u16, what: u8, page_of: u8) {
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
