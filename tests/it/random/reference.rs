//! What an access may come to, from what the world means.
//!
//! The rule: every time a location is read it may yield its value, or one that it had before a change that is not yet followed
//! ([`super::past`]). Whatever caches hold of STEs, CDs, tables and whole translations was read from locations, at times when these had
//! one of those values; so the set of all such walks holds every answer that a cache may lead to, and once all changes are followed it
//! holds one. What no cache may keep (invalid descriptors, AF = 0) has no past, so that new mappings must work at once.
//!
//! Two things may be seen for longer. A CD that was fetched may be used although stage 2 no longer maps where it lies: TLBI commands do not
//! reach configuration caches (Arm IHI 0070, 3.21.3). And a global entry matches in every space of its VM, also where EPD1 forbids walks.

use std::cell::RefCell;

use super::answer::{Answer, Asked, Class, Fault, Kind};
use super::config::{Cd, Link, Ste};
use super::past::View;
use super::shape::STREAM_BITS;
use super::table::{Entry, NodeId, bits};
use super::world::{Device, NOWHERE, RAM, World};

/// Who is judged, and through whose eyes.
pub struct Judge<'w> {
    world: &'w World,
    asked: Asked,
    view: View,
    /// Stage, granule and level of leaves on the way, for coverage.
    leaves: RefCell<Vec<(u8, u8, u8)>>,
}

/// A leaf that a walk found.
#[derive(Clone, Copy, Debug)]
struct Found {
    output: u64,
    bits: u8,
    rights: u8,
    global: bool,
}

/// Why stage 2 yields nothing.
#[derive(Clone, Copy, Debug)]
enum Stage2Fault {
    Kind(Kind),
    Eabt(u64),
}

/// A fault, and whether the CD says something of it.
type Ended = (Fault, Option<Cd>);

const READ: u8 = 0b001001;
const WRITE: u8 = 0b010010;
const EXECUTE: u8 = 0b100100;
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
        let asked = Asked {
            address: pa,
            ..asked
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
            6 => self.stage2_alone(ste, answers),
            _ => match self.cd_index(device, ste) {
                Err(fault) => answers.push(self.fault(fault, Some(ste), None)),
                Ok(None) if ste.config == 5 => answers.push(self.identity(ste)),
                Ok(None) => self.stage2_alone(ste, answers),
                Ok(Some(index)) => self.contexts(device, ste, index, split_stage, answers),
            },
        }
    }

    /// Without stage 1 the address is an IPA, if it fits the IAS: 3.4.
    fn stage2_alone(&self, ste: &Ste, answers: &mut Vec<Answer>) {
        match self.asked.address >> 52 {
            0 => self.stage2_of(ste, self.asked.address, ALL, 64, answers),
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

    /// Which CD: STE.S1CDMax, STE.S1DSS. `None`: stage 1 is bypassed.
    fn cd_index(&self, device: &Device, ste: &Ste) -> Result<Option<u32>, Fault> {
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

    fn contexts(
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
    fn cd_fetch(&self, ste: &Ste, at: u64, answers: &mut Vec<Answer>) -> bool {
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

    fn context(&self, ste: &Ste, cd: &Cd, split_stage: bool, answers: &mut Vec<Answer>) {
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
                Ok(found) if ste.stage2() && !split_stage => {
                    self.stage2_of(ste, found.output, found.rights, found.bits, answers);
                }
                Ok(found) => answers.push(Answer::Reached {
                    pa: found.output,
                    rights: Some(found.rights),
                    bits: found.bits,
                }),
            }
        }
    }

    /// A walk of stage 1 from a table on; `limits` are those of the tables above.
    fn stage1(
        &self,
        ste: &Ste,
        cd: &Cd,
        (at, input): (NodeId, u64),
        (vm, limits): (usize, u64),
        ends: &mut Vec<Result<Found, Ended>>,
    ) {
        let node = self.world.node(at);
        let index = node.layout.index(node.level, input);
        if !self.fetched(ste, node.at + index * 8, ends) {
            return;
        }
        let entries = node.entries.get(&index);
        let none = [Entry::Invalid(0)];
        let entries: Vec<_> = match entries {
            None => none.iter().collect(),
            Some(entries) => entries.seen(&self.world.pending, self.view).collect(),
        };
        let stage1 = |kind| Err((Fault::Stage1(kind), Some(*cd)));
        for entry in entries {
            match *entry {
                Entry::Invalid(_) => ends.push(stage1(Kind::Translation)),
                Entry::Table { node, limits: more } => {
                    self.stage1(ste, cd, (node, input), (vm, limits | more), ends)
                }
                // A table beyond the output size is a fault of its own.
                Entry::Nowhere(to) if to >> self.world.shape.ips(vm).1 != 0 => {
                    ends.push(stage1(Kind::AddrSize))
                }
                Entry::Nowhere(to) => {
                    let next = node.level + 1;
                    self.fetched(ste, to + node.layout.index(next, input) * 8, ends);
                }
                Entry::Leaf { output, attributes } => {
                    let entry_bits = node.layout.entry_bits(node.level);
                    let most = self.world.shape.ips(vm).1;
                    self.leaves
                        .borrow_mut()
                        .push((1, node.layout.granule, node.level));
                    ends.push(if output >> most != 0 {
                        stage1(Kind::AddrSize)
                    } else if attributes & bits::AF == 0 {
                        stage1(Kind::Access)
                    } else {
                        Ok(Found {
                            output: output | input & ((1 << entry_bits) - 1),
                            bits: entry_bits,
                            rights: stage1_rights(attributes, limits),
                            global: attributes & bits::NG == 0,
                        })
                    });
                }
            }
        }
    }

    /// Whether a descriptor of stage 1 can be fetched; notes why not.
    fn fetched(&self, ste: &Ste, at: u64, ends: &mut Vec<Result<Found, Ended>>) -> bool {
        let mut can = false;
        // 7.3.12: a walk of stage 1 is of class TT, whether or not there is stage 2.
        let eabt = |fetch| {
            Err((
                Fault::WalkEabt {
                    stage2: false,
                    class: Class::Tt,
                    fetch,
                },
                None,
            ))
        };
        if !ste.stage2() {
            if at >= RAM {
                ends.push(eabt(at));
            }
            return at < RAM;
        }
        for found in self.stage2(ste.vm, at) {
            match found {
                Ok(found) if found.rights & READ == 0 => {
                    ends.push(Err((Fault::Stage2(Kind::Permission, Class::Tt, at), None)));
                }
                Ok(found) if found.output >= RAM => ends.push(eabt(found.output)),
                Ok(_) => can = true,
                Err(Stage2Fault::Kind(kind)) => {
                    ends.push(Err((Fault::Stage2(kind, Class::Tt, at), None)))
                }
                Err(Stage2Fault::Eabt(fetch)) => {
                    let fault = Fault::WalkEabt {
                        stage2: true,
                        class: Class::Tt,
                        fetch,
                    };
                    ends.push(Err((fault, None)));
                }
            }
        }
        can
    }

    /// What stage 2 makes of an access's own address.
    fn stage2_of(&self, ste: &Ste, ipa: u64, rights: u8, bits: u8, answers: &mut Vec<Answer>) {
        for found in self.stage2(ste.vm, ipa) {
            answers.push(match found {
                Err(fault) => self.stage2_fault(fault, Class::In, ipa, ste),
                Ok(found) if self.asked.needs() & found.rights == 0 => self.fault(
                    Fault::Stage2(Kind::Permission, Class::In, ipa),
                    Some(ste),
                    None,
                ),
                Ok(found) => Answer::Reached {
                    pa: found.output,
                    rights: Some(found.rights & rights),
                    bits: found.bits.min(bits),
                },
            });
        }
    }

    fn stage2_fault(&self, fault: Stage2Fault, class: Class, ipa: u64, ste: &Ste) -> Answer {
        let fault = match fault {
            Stage2Fault::Kind(kind) => Fault::Stage2(kind, class, ipa),
            Stage2Fault::Eabt(fetch) => Fault::WalkEabt {
                stage2: true,
                class,
                fetch,
            },
        };
        self.fault(fault, Some(ste), None)
    }

    fn stage2(&self, vm: usize, ipa: u64) -> Vec<Result<Found, Stage2Fault>> {
        let root = self.world.vms[vm]
            .stage2
            .expect("the STE says that there is one");
        let mut found = Vec::new();
        match ipa >> self.world.node(root).layout.input_bits {
            0 => self.stage2_from(root, ipa, self.world.shape.s2ps(vm).1, &mut found),
            _ => found.push(Err(Stage2Fault::Kind(Kind::Translation))),
        }
        found
    }

    fn stage2_from(
        &self,
        at: NodeId,
        ipa: u64,
        most: u8,
        found: &mut Vec<Result<Found, Stage2Fault>>,
    ) {
        let node = self.world.node(at);
        let index = node.layout.index(node.level, ipa);
        let Some(entries) = node.entries.get(&index) else {
            found.push(Err(Stage2Fault::Kind(Kind::Translation)));
            return;
        };
        for entry in entries.seen(&self.world.pending, self.view) {
            match *entry {
                Entry::Invalid(_) => found.push(Err(Stage2Fault::Kind(Kind::Translation))),
                Entry::Table { node, .. } => self.stage2_from(node, ipa, most, found),
                Entry::Nowhere(to) => {
                    let fetch = to + node.layout.index(node.level + 1, ipa) * 8;
                    found.push(Err(Stage2Fault::Eabt(fetch)));
                }
                Entry::Leaf { output, attributes } => {
                    let entry_bits = node.layout.entry_bits(node.level);
                    self.leaves
                        .borrow_mut()
                        .push((2, node.layout.granule, node.level));
                    found.push(if output >> most != 0 {
                        Err(Stage2Fault::Kind(Kind::AddrSize))
                    } else if attributes & bits::AF == 0 {
                        Err(Stage2Fault::Kind(Kind::Access))
                    } else {
                        Ok(Found {
                            output: output | ipa & ((1 << entry_bits) - 1),
                            bits: entry_bits,
                            rights: stage2_rights(attributes),
                            global: false,
                        })
                    });
                }
            }
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
        if ste.eats == 2 {
            // An SMMU may spare a device the IPAs that stage 2 will not let it use.
            let mut both = Vec::new();
            self.stream(device, ste, false, &mut both);
            answers.extend(
                both.into_iter()
                    .filter(|answer| !matches!(answer, Answer::Reached { .. })),
            );
        }
        given.extend(answers.into_iter().map(|answer| match answer {
            Answer::Reached { .. } => answer,
            _ => Answer::NoTranslation { record: None },
        }));
    }

    /// A translated access, where ATSCHK is on: 3.9.1, 13.6.3.
    fn translated(&self, ste: Result<Ste, Fault>, given: Answer, answers: &mut Vec<Answer>) {
        match ste {
            Ok(ste) if ste.valid && ste.config != 0 => match ste.eats {
                0 => answers.push(self.fault(Fault::Forbidden, None, None)),
                2 => self.stage2_of(&ste, self.asked.address, ALL, 64, answers),
                _ => answers.push(given),
            },
            // 5.2, STE.V: no record; and the same where there is no STE to be found.
            _ => answers.push(Answer::Refused {
                razwi: false,
                record: None,
            }),
        }
    }
}

/// Who may do what: Arm DDI 0487, D8.4, for EL1&0, with what the tables above limit.
fn stage1_rights(leaf: u64, limits: u64) -> u8 {
    let user = leaf & bits::AP1 != 0 && limits & bits::NO_USER_TABLE == 0;
    let writable = leaf & bits::AP2 == 0 && limits & bits::READ_ONLY_TABLE == 0;
    let user_executes = leaf & bits::XN == 0 && limits & bits::XN_TABLE == 0;
    let never = leaf & bits::PXN != 0 || limits & bits::PXN_TABLE != 0;
    let mut rights = 1 << 3;
    if user {
        rights |= 1;
    }
    if writable {
        rights |= 2 << 3;
    }
    if user && writable {
        rights |= 2;
    }
    if user_executes {
        rights |= 4;
    }
    // What unprivileged software can write is never executed by privileged software.
    let user_writes = user && writable;
    if !(never || user_writes) {
        rights |= 4 << 3;
    }
    rights
}

/// Stage 2 knows no privilege; and unlike VMSAv8-32 (G5), VMSAv8-64 lets be executed what cannot be read.
fn stage2_rights(leaf: u64) -> u8 {
    let mut rights = 0;
    if leaf & bits::S2_READ != 0 {
        rights |= READ;
    }
    if leaf & bits::XN == 0 {
        rights |= EXECUTE;
    }
    if leaf & bits::S2_WRITE != 0 {
        rights |= WRITE;
    }
    rights
}
