//! What the model lets an access come to: the set of answers, over everything that may be cached now and everything that may be fetched.
//!
//! The model's own [`Machine::reach`] says which frames; here faults are told too, because an engine that aborts where the manual
//! promises a translation is as wrong as one that reaches too far. [`untranslated`] is derived from the caches anew, and a test holds its frames against `reach`.

use std::collections::BTreeSet;

use model::caches::{GLOBAL, atc_tag, cd0, cd1, s1_ipas, s2_tag, ste0, ste1, ste2, tag, values};
use model::state::{descriptor, leaf, pte};
use model::{Machine, State, TableMemory, limit};
use vocab::{Asid, Device, Frame, Ipa, Page, Slot, Space, Threat, Viommu, Vm, Vmid};

use super::answer::Answer;

/// A set of answers.
pub type Answers = BTreeSet<Answer>;

/// What an untranslated access of a slot may come to.
pub fn untranslated(machine: &Machine, state: &State, slot: Slot, page: Page) -> Answers {
    let mut answers = Answers::new();
    let device = machine.device_of(slot);
    for stream in streams(state, device) {
        match stream {
            Stream::Abort => {
                answers.insert(Answer::Abort);
            }
            Stream::Bad => {
                answers.insert(Answer::BadSte);
            }
            Stream::Translates { table, vmid, vm } => {
                let access = Access {
                    machine,
                    state,
                    slot,
                    page,
                    vmid,
                    vm,
                };
                match (table, machine.bypasses_stage_1(slot)) {
                    (None, true) => access.stage_2(Ipa(page.0), &mut answers),
                    (Some(_), true) => access.bypasses(&mut answers),
                    // Without a stage 1 there are no substreams.
                    (None, false) => {
                        answers.insert(Answer::BadSubstream);
                    }
                    (Some(table), false) => access.nested(table, &mut answers),
                }
            }
        }
    }
    answers
}

/// What an access through a device's ATC may come to: with a translation that it has, or one that it asks for.
pub fn through_atc(machine: &Machine, state: &State, slot: Slot, page: Page) -> Answers {
    let device = machine.device_of(slot);
    let eats = both(
        state.caches.ste1[device.index()],
        state.memory.ste1[device.index()],
    );
    let (on, off) = (eats & ste1::EATS != 0, eats & !ste1::EATS != 0);
    let mut kept: BTreeSet<Frame> = values(state.caches.atc[atc_tag(slot, page)])
        .map(Frame)
        .collect();
    let mut answers = Answers::new();
    // The request.
    for answer in untranslated(machine, state, slot, page) {
        let requested = match answer {
            Answer::Abort => Answer::Unsupported { recorded: false },
            Answer::BadSte => Answer::CompleterAbort,
            Answer::BadCd | Answer::BadSubstream | Answer::Disabled if on => Answer::CompleterAbort,
            Answer::Frame(frame) if on => {
                kept.insert(frame);
                continue;
            }
            _ if on => Answer::NoTranslation,
            _ => continue,
        };
        answers.insert(requested);
    }
    let mut translates = false;
    for stream in streams(state, device) {
        translates |= matches!(stream, Stream::Translates { .. });
        // A translated access to a stream that aborts, or has a broken STE: an abort without a record (5.2, STE.V).
        if !kept.is_empty() && !matches!(stream, Stream::Translates { .. }) {
            answers.insert(Answer::Abort);
        }
    }
    if translates && off {
        answers.insert(Answer::Unsupported { recorded: true });
        answers.extend(kept.iter().map(|&frame| Answer::Forbidden(frame)));
    }
    if translates && on {
        answers.extend(kept.into_iter().map(Answer::Frame));
    }
    answers
}

/// What a stream may be configured as.
enum Stream {
    Abort,
    /// With a stage 2, before words 2 and 3 were written.
    Bad,
    /// With a stage 2, and with a stage 1 if there is a table.
    Translates {
        table: Option<Viommu>,
        vmid: Vmid,
        vm: Vm,
    },
}

/// What may be cached, and what memory holds: as a set of values.
const fn both(cached: u8, word: u8) -> u8 {
    cached | 1 << word
}

fn streams(state: &State, device: Device) -> Vec<Stream> {
    let place = device.index();
    let mut streams = Vec::new();
    for word0 in values(both(state.caches.ste0[place], state.memory.ste0[place])) {
        if word0 == ste0::ABORT {
            streams.push(Stream::Abort);
            continue;
        }
        for word2 in values(both(state.caches.ste2[place], state.memory.ste2[place])) {
            streams.push(match ste2::decode(word2) {
                None => Stream::Bad,
                Some((vmid, vm)) => Stream::Translates {
                    table: ste0::table(word0),
                    vmid,
                    vm,
                },
            });
        }
    }
    streams
}

/// An access through one way of reading the STE.
struct Access<'a> {
    machine: &'a Machine,
    state: &'a State,
    slot: Slot,
    page: Page,
    vmid: Vmid,
    vm: Vm,
}

impl Access<'_> {
    /// Traffic without a SubstreamID where S1DSS says that it bypasses stage 1, or does not say so yet.
    fn bypasses(&self, answers: &mut Answers) {
        let device = self.machine.device_of(self.slot).index();
        let words = both(
            self.state.caches.ste1[device],
            self.state.memory.ste1[device],
        );
        if words & ste1::BYPASSES != 0 {
            self.stage_2(Ipa(self.page.0), answers);
        }
        if words & !ste1::BYPASSES != 0 {
            answers.insert(Answer::Disabled);
        }
    }

    fn nested(&self, table: Viommu, answers: &mut Answers) {
        let (caches, memory) = (&self.state.caches, &self.state.memory);
        let place = descriptor(table, self.slot);
        let mut words0 = both(caches.cd0[self.slot.index()], memory.cd0[place]);
        let mut words1 = both(caches.cd1[self.slot.index()], memory.cd1[place]);
        if self.descriptors_are_anything(table) {
            words0 |= ((1u16 << (1 + 2 * limit::ASIDS)) - 1) as u8;
            words1 |= ((1u16 << (1 + self.machine.bounds.spaces)) - 1) as u8;
        }
        for word0 in values(words0) {
            let Some((asid, walks)) = cd0::decode(word0) else {
                answers.insert(Answer::BadCd);
                continue;
            };
            self.hits(asid, answers);
            match walks {
                true => values(words1).for_each(|word1| self.walk(asid, word1, answers)),
                false => {
                    answers.insert(Answer::NoLeaf);
                }
            }
        }
    }

    /// What the TLB may say at once.
    fn hits(&self, asid: Asid, answers: &mut Answers) {
        for asid in [asid, GLOBAL] {
            let frames = self.state.caches.tlb[tag(self.vmid, asid, self.page)];
            answers.extend(values(frames).map(|frame| Answer::Frame(Frame(frame))));
        }
    }

    fn walk(&self, asid: Asid, word1: u8, answers: &mut Answers) {
        // Stage-1 entries that are cached make the table unimportant.
        for asid in [asid, GLOBAL] {
            let cached = s1_ipas(self.state.caches.s1[tag(self.vmid, asid, self.page)]);
            values(cached).for_each(|ipa| self.stage_2(Ipa(ipa), answers));
        }
        if word1 == cd1::NONE {
            answers.insert(Answer::NoTable);
            return;
        }
        let space = Space(word1 - 1);
        if self.tables_are_anything(space) {
            answers.insert(Answer::NoLeaf);
            (0..self.machine.bounds.ipas).for_each(|ipa| self.stage_2(Ipa(ipa), answers));
        }
        match pte::decode(self.state.memory.pte[leaf(space, self.page)]) {
            None => {
                answers.insert(Answer::NoLeaf);
            }
            Some((ipa, _)) => self.stage_2(ipa, answers),
        }
    }

    fn stage_2(&self, ipa: Ipa, answers: &mut Answers) {
        if ipa.0 >= self.machine.bounds.ipas {
            answers.insert(Answer::NoStage2(ipa));
            return;
        }
        let cached = self.state.caches.s2[s2_tag(self.vmid, ipa)];
        answers.extend(values(cached).map(|frame| Answer::Frame(Frame(frame))));
        answers.insert(match self.state.memory.s2[self.vm.index()] >> ipa.0 & 1 {
            1 => Answer::Frame(self.machine.frame(self.vm, ipa)),
            _ => Answer::NoStage2(ipa),
        });
    }

    /// Whether CDs may hold anything: a scribbler's, or what lies in another VM's memory where the table is in its owner's.
    fn descriptors_are_anything(&self, table: Viommu) -> bool {
        let scribbled = self.machine.threat != Threat::Honest
            && self.machine.axes.cd_table == TableMemory::Guest;
        scribbled || self.is_foreign(table)
    }

    fn tables_are_anything(&self, space: Space) -> bool {
        self.machine.threat != Threat::Honest || self.is_foreign(self.machine.viommu_of(space))
    }

    /// Whether an intermediate address of a vIOMMU may be looked for in another VM's memory: by the STE's stage 2, or by what is cached
    /// under the VMID.
    fn is_foreign(&self, owner: Viommu) -> bool {
        let cached = self.state.caches.s2_tables[self.vmid.index()];
        both(cached, self.vm.0) & !(1 << self.machine.vm_of(owner).0) != 0
    }
}
