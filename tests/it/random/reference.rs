//! What an access may come to, from what the world means.
//!
//! The rule: every time a location is read it may yield its value, or one that it had before a change that is not yet followed
//! ([`super::past`]). Whatever caches hold of STEs, CDs, tables and whole translations was read from locations, at times when these had
//! one of those values; so the set of all such walks holds every answer that a cache may lead to, and once all changes are followed it
//! holds one. What no cache may keep (invalid descriptors, AF = 0) has no past, so that new mappings must work at once.
//!
//! Two things may be seen for longer. A CD that was fetched may be used although stage 2 no longer maps where it lies: TLBI commands do not
//! reach configuration caches (Arm IHI 0070, 3.21.3). And a global entry matches in every space of its VM, also where EPD1 forbids walks.

mod contexts;
mod walk;

use std::cell::RefCell;

use super::answer::{Answer, Asked, Fault, Kind};
use super::config::{Cd, Link, Ste};
use super::past::View;
use super::shape::STREAM_BITS;
use super::world::{Device, NOWHERE, World};

/// Who is judged, and through whose eyes.
pub struct Judge<'w> {
    world: &'w World,
    asked: Asked,
    view: View,
    /// Stage, granule and level of leaves on the way, for coverage.
    leaves: RefCell<Vec<(u8, u8, u8)>>,
}

const READ: u8 = 0b001001;
const ALL: u8 = 0b111111;

/// The answers that an untranslated access may get.
pub fn untranslated(world: &World, asked: Asked) -> (Vec<Answer>, Vec<(u8, u8, u8)>) {
    let (mut answers, mut leaves) = (Vec::new(), Vec::new());
    for ste in stes(world, asked.sid, View::Smmu) {
        let alone = matches!(ste, Ok((_, ste)) if ste.valid && ste.config == 6);
        let view = if alone { View::Stage2 } else { View::Smmu };
        let judge = Judge::new(world, asked, view);
        match ste {
            Err(fault) => answers.push(judge.fault(fault, None, None)),
            Ok((device, ste)) => judge.stream(device, &ste, false, &mut answers),
        }
        leaves.append(&mut judge.leaves.into_inner());
    }
    (answers, leaves)
}

/// The answers that an access through an ATC may get: what the device has or is given, as a translated access.
pub fn through_atc(world: &World, asked: Asked) -> Vec<Answer> {
    let asked = match asked.ssid {
        Some(_) => asked,
        None => asked.without_pasid(),
    };
    let mut given = Vec::new();
    let judge = Judge::new(world, asked, View::Atc);
    for ste in stes(world, asked.sid, View::Atc) {
        match ste {
            Err(_) => given.push(Answer::NoTranslation { record: None }),
            Ok((device, ste)) => judge.request(device, &ste, &mut given),
        }
    }
    let mut answers = Vec::new();
    for given in given {
        let Answer::Reached { pa, .. } = given else {
            answers.push(given);
            continue;
        };
        // 3.9.1.3: it comes back without a PASID (SMMU_IDR3.PASIDTT = 0).
        let asked = Asked {
            address: pa,
            ssid: None,
            ..asked.without_pasid()
        };
        for ste in stes(world, asked.sid, View::Smmu) {
            let judge = Judge::new(world, asked, View::Smmu);
            judge.translated(ste.map(|(_, ste)| ste), given, &mut answers);
        }
    }
    answers
}

/// From StreamID to STE.
fn stes(world: &World, sid: u32, view: View) -> Vec<Result<(&Device, Ste), Fault>> {
    if sid >> STREAM_BITS != 0 {
        return vec![Err(Fault::BadStreamId)];
    }
    let device = world.devices.iter().find(|device| device.sid == sid);
    let mut results = Vec::new();
    if let Some(split) = world.shape.split() {
        let l1std = world.l1stds.get(&(sid >> split));
        let Some((_, l1std)) = l1std else {
            return vec![Err(Fault::BadStreamId)];
        };
        let mut there = false;
        for link in l1std.seen(&world.pending, view) {
            match link {
                Link::There => there = true,
                Link::Invalid => results.push(Err(Fault::BadStreamId)),
                Link::Astray => {
                    let within = u64::from(sid & ((1 << split) - 1)) * 64;
                    results.push(Err(Fault::SteFetch(NOWHERE + within)));
                }
            }
        }
        if !there {
            return results;
        }
    }
    match device {
        None => results.push(Err(Fault::BadSte)),
        Some(device) => {
            let stes = device.ste.seen(&world.pending, view);
            results.extend(stes.map(|ste| Ok((device, *ste))));
        }
    }
    results
}

impl<'w> Judge<'w> {
    fn new(world: &'w World, asked: Asked, view: View) -> Self {
        let leaves = RefCell::default();
        Judge {
            world,
            asked,
            view,
            leaves,
        }
    }

    /// How a fault ends: 3.12, 5.5. CD.{A,R} are for the four of stage 1, STE.S2R for the four of stage 2.
    fn fault(&self, fault: Fault, ste: Option<&Ste>, cd: Option<&Cd>) -> Answer {
        let (record, razwi) = match fault {
            Fault::Stage1(_) => cd.map_or((true, false), |cd| (cd.record, !cd.abort)),
            Fault::Stage2(..) => (ste.is_none_or(|ste| ste.record), false),
            _ => (true, false),
        };
        Answer::Refused {
            razwi,
            record: record.then(|| self.asked.record(fault)),
        }
    }

    fn stream(&self, device: &Device, ste: &Ste, split_stage: bool, answers: &mut Vec<Answer>) {
        if !ste.valid {
            answers.push(self.fault(Fault::BadSte, None, None));
            return;
        }
        if ste.config == 0 {
            answers.push(Answer::Refused {
                razwi: false,
                record: None,
            });
            return;
        }
        // 3.3.1: a SubstreamID where stage 1 has none.
        if !ste.stage1() && self.asked.ssid.is_some() {
            answers.push(self.fault(Fault::BadSubstreamId, None, None));
            return;
        }
        match ste.config {
            4 => answers.push(self.identity(ste)),
            6 => self.stage2_alone(ste, false, answers),
            _ => match self.cd_index(device, ste) {
                Err(fault) => answers.push(self.fault(fault, Some(ste), None)),
                Ok(None) if ste.config == 5 => answers.push(self.identity(ste)),
                Ok(None) => self.stage2_alone(ste, split_stage, answers),
                Ok(Some(index)) => self.contexts(device, ste, index, split_stage, answers),
            },
        }
    }

    /// Without stage 1 the address is an IPA, if it fits the IAS: 3.4.
    fn stage2_alone(&self, ste: &Ste, split_stage: bool, answers: &mut Vec<Answer>) {
        match self.asked.address >> 52 {
            0 => self.stage2_of(ste, (self.asked.address, ALL, 64), split_stage, answers),
            _ => answers.push(self.fault(Fault::Stage1(Kind::AddrSize), Some(ste), None)),
        }
    }

    /// Addresses pass: 3.4.
    fn identity(&self, ste: &Ste) -> Answer {
        match self.asked.address >> 52 {
            0 => Answer::Reached {
                pa: self.asked.address,
                rights: None,
                bits: 64,
            },
            _ => self.fault(Fault::Stage1(Kind::AddrSize), Some(ste), None),
        }
    }

    /// What a translation request is answered with: 3.9.1, STE.EATS. The address is an IPA with split-stage ATS.
    fn request(&self, device: &Device, ste: &Ste, given: &mut Vec<Answer>) {
        if !ste.valid || ste.config == 0 {
            given.push(Answer::NoTranslation { record: None });
            return;
        }
        if ste.eats == 0 || ste.config == 4 {
            let record = Some(self.asked.bad_ats_request());
            given.push(Answer::NoTranslation { record });
            return;
        }
        let mut answers = Vec::new();
        self.stream(device, ste, ste.eats == 2, &mut answers);
        given.extend(answers.into_iter().map(|answer| match answer {
            Answer::Reached { rights, .. } if self.is_granted(rights) => answer,
            _ => Answer::NoTranslation { record: None },
        }));
    }

    /// 13.7: to execute is granted with the right to read only.
    fn is_granted(&self, rights: Option<u8>) -> bool {
        let reads = Asked {
            execute: false,
            ..self.asked
        };
        let executes = self.asked.execute && !self.asked.write;
        !executes || rights.is_none_or(|rights| rights & reads.needs() != 0)
    }

    /// A translated access, where ATSCHK is on: 3.9.1, 13.6.3.
    fn translated(&self, ste: Result<Ste, Fault>, given: Answer, answers: &mut Vec<Answer>) {
        match ste {
            Ok(ste) if ste.valid && ste.config != 0 => match ste.eats {
                0 => answers.push(self.fault(Fault::Forbidden, None, None)),
                2 => self.stage2_of(&ste, (self.asked.address, ALL, 64), false, answers),
                _ => answers.push(given),
            },
            // 3.9.1.3: no record without SMMU_CR2.REC_CFG_ATS, for an STE that is invalid or is not to be found.
            _ => answers.push(Answer::Refused {
                razwi: false,
                record: None,
            }),
        }
    }
}
