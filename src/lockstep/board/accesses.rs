//! Accesses of devices, and what was recorded of them.

use engine::layout::Event;
use engine::{Access, AtcMiss, EventQueue, Iova, Rights, SubstreamId, Translation};
use vocab::{Frame, Ipa, Page, Slot};

use super::Board;
use crate::lockstep::answer::{self, Answer, Asked};
use crate::lockstep::{encode, map};

impl Board<'_> {
    /// An untranslated access of a slot, through one of the units.
    pub fn access(&mut self, unit: usize, slot: Slot, page: Page, how: Access) -> Answer {
        let asked = self.asked(slot, page, how);
        let device = self.machine.device_of(slot);
        let result = self.units[unit].access(device, ssid(asked), Iova(asked.address), how);
        let rights = match self.machine.bypasses_stage_1(slot) {
            true => answer::STAGE_2_RIGHTS,
            false => answer::NESTED_RIGHTS,
        };
        match result {
            Ok(translation) => self.reached(&translation, rights),
            Err(refusal) => {
                let recorded = self.recorded();
                answer::of_refusal(&refusal, &recorded, asked, &[])
            }
        }
    }

    /// An access of a slot through its device's ATC.
    pub fn through_atc(&mut self, unit: usize, slot: Slot, page: Page, how: Access) -> Answer {
        let mut asked = self.asked(slot, page, how);
        let device = self.machine.device_of(slot);
        let result = self.units[unit].through_atc(device, ssid(asked), Iova(asked.address), how);
        let miss = match result {
            Ok(translation) => return self.reached(&translation, Rights::ALL),
            Err(miss) => miss,
        };
        let recorded = self.recorded();
        match miss {
            AtcMiss::NoTranslation if recorded.is_empty() => Answer::NoTranslation,
            AtcMiss::CompleterAbort if recorded.is_empty() => Answer::CompleterAbort,
            AtcMiss::UnsupportedRequest if recorded.is_empty() => {
                Answer::Unsupported { recorded: false }
            }
            AtcMiss::UnsupportedRequest
                if recorded.len() == 1 && answer::is_bad_ats_request(&recorded[0], asked) =>
            {
                Answer::Unsupported { recorded: true }
            }
            AtcMiss::Refused(refusal) => {
                // The record of a translated access has the address that it came with, and no PASID: Arm IHI 0070, 3.9.1.3, for
                // SMMU_IDR3.PASIDTT = 0.
                let frame = refusal.event.and_then(|event| self.frame(event.input_addr));
                if let Some(event) = refusal.event {
                    asked.address = event.input_addr;
                }
                asked.ssid = None;
                asked.how = Access {
                    write: how.write,
                    ..Access::READ
                };
                answer::of_refusal(&refusal, &recorded, asked, frame.as_slice())
            }
            miss => Answer::Strange(format!("{miss:x?}, recorded {recorded:x?}")),
        }
    }

    /// Where a page begins. What bypasses stage 1 comes with an intermediate address.
    pub(super) fn address(&self, slot: Slot, page: Page) -> u64 {
        match self.machine.bypasses_stage_1(slot) {
            true => map::ipa(Ipa(page.0)),
            false => map::iova(page),
        }
    }

    fn asked(&self, slot: Slot, page: Page, how: Access) -> Asked {
        Asked {
            sid: encode::sid(self.machine.device_of(slot)).0,
            ssid: encode::ssid(self.machine, slot).map(|ssid| ssid.0),
            address: self.address(slot, page) + 8,
            how,
        }
    }

    fn reached(&mut self, translation: &Translation, rights: Rights) -> Answer {
        let recorded = self.recorded();
        match recorded.is_empty() {
            true => answer::of_translation(translation, rights, |physical| self.frame(physical)),
            false => Answer::Strange(format!("{translation:x?}, recorded {recorded:x?}")),
        }
    }

    fn frame(&self, physical: u64) -> Option<Frame> {
        let (vm, ipa) = map::frame_at(physical)?;
        Some(self.machine.frame(vm, ipa))
    }

    /// What was recorded since this was last asked.
    fn recorded(&mut self) -> Vec<Event> {
        let prod = self.smmu.event_queue(EventQueue::prod);
        let mut events = Vec::new();
        while self.events_read != prod {
            let place = self.events_read % (1 << map::EVENTS_LOG2);
            let at = map::EVENTS + u64::from(place) * Event::SIZE;
            let words = [0, 8, 16, 24].map(|offset| self.load(at + offset));
            events.push(Event::from_words(words));
            self.events_read = (self.events_read + 1) % (2 << map::EVENTS_LOG2);
        }
        if !events.is_empty() {
            self.smmu.set_event_queue_cons(prod);
        }
        events
    }
}

fn ssid(asked: Asked) -> Option<SubstreamId> {
    asked.ssid.map(SubstreamId)
}
