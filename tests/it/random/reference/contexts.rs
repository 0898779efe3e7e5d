//! From an STE to a CD, and from there to stage 1.

use super::super::answer::{Answer, Class, Fault, Kind};
use super::super::config::{Cd, Link, Ste};
use super::super::world::{Device, RAM};
use super::{Judge, READ};

impl Judge<'_> {
    /// Which CD: STE.S1CDMax, STE.S1DSS. `None`: stage 1 is bypassed.
    pub(super) fn cd_index(&self, device: &Device, ste: &Ste) -> Result<Option<u32>, Fault> {
        match (self.asked.ssid, device.cdmax) {
            (None, 0) => Ok(Some(0)),
            (Some(_), 0) => Err(Fault::BadSubstreamId),
            (None, _) => match ste.s1dss {
                0 => Err(Fault::StreamDisabled),
                1 => Ok(None),
                _ => Ok(Some(0)),
            },
            (Some(ssid), cdmax) if ssid >> cdmax != 0 => Err(Fault::BadSubstreamId),
            (Some(0), _) if ste.s1dss == 2 => Err(Fault::StreamDisabled),
            (Some(ssid), _) => Ok(Some(ssid)),
        }
    }

    pub(super) fn contexts(
        &self,
        device: &Device,
        ste: &Ste,
        index: u32,
        split_stage: bool,
        answers: &mut Vec<Answer>,
    ) {
        let pending = &self.world.pending;
        let slot = device.slots.iter().find(|slot| slot.ssid == index);
        match device.cd_split() {
            None => {
                self.cd_fetch(ste, device.table + u64::from(index) * 64, answers);
            }
            Some(split) => {
                let l1 = index >> split;
                let within = u64::from(index & ((1 << split) - 1)) * 64;
                self.cd_fetch(ste, device.table + u64::from(l1) * 8, answers);
                let Some(l1cd) = device.l1cds.get(&l1) else {
                    answers.push(self.fault(Fault::BadSubstreamId, Some(ste), None));
                    return;
                };
                let mut there = false;
                for link in l1cd.seen(pending, self.view) {
                    match link {
                        Link::There => {
                            self.cd_fetch(ste, device.leaves[&l1] + within, answers);
                            there = true;
                        }
                        Link::Invalid => {
                            answers.push(self.fault(Fault::BadSubstreamId, Some(ste), None))
                        }
                        Link::Astray => {
                            let can = self.cd_fetch(ste, device.astray() + within, answers);
                            assert!(!can, "nothing of ours lies there");
                        }
                    }
                }
                if !there {
                    return;
                }
            }
        }
        match slot {
            None => answers.push(self.fault(Fault::BadCd, None, None)),
            Some(slot) => {
                for cd in slot.cd.seen(pending, self.view) {
                    match cd.valid {
                        false => answers.push(self.fault(Fault::BadCd, None, None)),
                        true => self.context(ste, cd, split_stage, answers),
                    }
                }
            }
        }
    }

    /// Why a CD or L1CD cannot be fetched, through stage 2 if there is one; whether it can.
    pub(super) fn cd_fetch(&self, ste: &Ste, at: u64, answers: &mut Vec<Answer>) -> bool {
        let eabt = |at| self.fault(Fault::CdFetch(at), Some(ste), None);
        if !ste.stage2() {
            if at >= RAM {
                answers.push(eabt(at));
            }
            return at < RAM;
        }
        let mut can = false;
        for found in self.stage2(ste.vm, at) {
            match found {
                Ok(found) if found.rights & READ == 0 => {
                    answers.push(self.fault(
                        Fault::Stage2(Kind::Permission, Class::Cd, at),
                        Some(ste),
                        None,
                    ));
                }
                Ok(found) if found.output >= RAM => answers.push(eabt(found.output)),
                Ok(_) => can = true,
                Err(fault) => answers.push(self.stage2_fault(fault, Class::Cd, at, ste)),
            }
        }
        can
    }

    pub(super) fn context(&self, ste: &Ste, cd: &Cd, split_stage: bool, answers: &mut Vec<Answer>) {
        let space = &self.world.spaces[cd.space];
        let address = self.asked.address;
        let roots = [space.root, self.world.vms[space.vm].kernel];
        // Bits above the input are all equal: zeros for TTB0, ones for TTB1 (no TBI).
        let upper = address >> 63 == 1;
        let root = roots[usize::from(upper)];
        let input_bits = self.world.node(root).layout.input_bits;
        let sign = address as i64 >> input_bits;
        let translation = Fault::Stage1(Kind::Translation);
        if sign != if upper { -1 } else { 0 } {
            answers.push(self.fault(translation, Some(ste), Some(cd)));
            return;
        }
        let mut ends = Vec::new();
        let input = address & ((1 << input_bits) - 1);
        self.stage1(ste, cd, (root, input), (space.vm, 0), &mut ends);
        if cd.epd[usize::from(upper)] {
            answers.push(self.fault(translation, Some(ste), Some(cd)));
            ends.retain(|end| matches!(end, Ok(found) if found.global));
        }
        for end in ends {
            match end {
                Err((fault, cd)) => answers.push(self.fault(fault, Some(ste), cd.as_ref())),
                Ok(found) if self.asked.needs() & found.rights == 0 => {
                    answers.push(self.fault(Fault::Stage1(Kind::Permission), Some(ste), Some(cd)));
                }
                Ok(found) if ste.stage2() => {
                    let first = (found.output, found.rights, found.bits);
                    self.stage2_of(ste, first, split_stage, answers);
                }
                Ok(found) => answers.push(Answer::Reached {
                    pa: found.output,
                    rights: Some(found.rights),
                    bits: found.bits,
                }),
            }
        }
    }
}
