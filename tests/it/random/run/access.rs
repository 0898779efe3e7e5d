//! Accesses, and what is asked of their answers.

use super::super::answer::{self, Answer, Asked};
use super::super::config::Ste;
use super::super::geometry::PAGES;
use super::super::operation::Access;
use super::super::past::View;
use super::super::reference;
use super::super::shape::{STREAM_BITS, STREAMS};
use super::super::table::{Entry, Owner};
use super::{RECENT, Run};

impl Run<'_, '_> {
    /// The transaction that operands describe.
    pub(super) fn asked(&self, access: Access) -> Asked {
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

    pub(super) fn sweep(
        &mut self,
        device: u8,
        slot: u8,
        upper: bool,
        ats: bool,
    ) -> Result<(), String> {
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
    pub(super) fn access(&mut self, access: Access) -> Result<(), String> {
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
    pub(super) fn ask(&mut self, unit: usize, asked: Asked, ats: bool) -> Result<Answer, String> {
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

    pub(super) fn is_hostile(&self, device: u8) -> bool {
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
    pub(super) fn isolated(&mut self, device: u8, said: &Answer) -> Result<(), String> {
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
            let of = stes.iter().any(|ste| node.owner == Owner::Stage2(ste.vm));
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
    pub(super) fn overflow(&mut self, device: u8) -> Result<(), String> {
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
}
