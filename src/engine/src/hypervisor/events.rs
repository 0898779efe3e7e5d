//! Events for a guest: `IOMMU_VEVENTQ_ALLOC`, the queue from which a VMM takes what it puts into the guest's event queue.
//!
//! Source    Linux, `arm_smmu_handle_event` (which events a guest is told of), `arm_vmaster_report_event` (the StreamID becomes the
//!           guest's), `drivers/iommu/iommufd/eventq.c` and `struct iommufd_vevent_header` in `iommufd.h` (sequence and loss).
//! Loss      is the host's, and not an overflow of the guest's own queue: whether that one has space is between the VMM and the guest.

use std::collections::VecDeque;

use super::Vdevices;
use crate::ids::StreamId;
use crate::layout::{Event, EventId};

/// One entry as the VMM reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualEvent {
    /// Numbers every event, also lost ones: where it leaps, as many were lost as it left out. Behind 2^31 - 1 comes 0.
    pub sequence: u32,
    /// The record; `None` is IOMMU_VEVENTQ_FLAG_LOST_EVENTS: events up to this one were lost, and none has come since.
    pub record: Option<Event>,
}

/// A bounded queue of a guest's events.
#[derive(Clone, Debug)]
pub struct VirtualEvents {
    depth: usize,
    sequence: u32,
    entries: VecDeque<VirtualEvent>,
}

impl VirtualEvents {
    /// An empty queue of at most `depth` records.
    pub const fn new(depth: usize) -> Self {
        VirtualEvents {
            depth,
            sequence: 0,
            entries: VecDeque::new(),
        }
    }

    /// Takes a record of the physical event queue, if it is for this guest: of a device that it has, of a kind that its own stage 1 or
    /// configuration causes, not stage 2's, and not stalled (there is no way to answer). Says whether it is, even if it is lost.
    pub fn report(&mut self, devices: &Vdevices, event: &Event) -> bool {
        if !is_guests(event) {
            return false;
        }
        let sid = StreamId(event.word0.streamid());
        let Some(StreamId(vsid)) = devices.virtual_of(sid) else {
            return false;
        };
        // A mark of loss stays at the end only: what comes now has a number that tells the same.
        if self.is_marked() {
            self.entries.pop_back();
        }
        let record = Event {
            word0: event.word0.with_streamid(vsid),
            ..*event
        };
        self.entries.push_back(VirtualEvent {
            sequence: self.sequence,
            record: (self.entries.len() < self.depth).then_some(record),
        });
        self.sequence = self.sequence.wrapping_add(1) & i32::MAX as u32;
        true
    }

    /// What the VMM reads next.
    pub fn read(&mut self) -> Option<VirtualEvent> {
        self.entries.pop_front()
    }

    fn is_marked(&self) -> bool {
        let last = self.entries.back();
        last.is_some_and(|entry| entry.record.is_none())
    }
}

/// The kinds that a guest is told of.
fn is_guests(event: &Event) -> bool {
    const KINDS: [EventId; 8] = [
        EventId::C_BAD_STE,
        EventId::F_STREAM_DISABLED,
        EventId::C_BAD_SUBSTREAMID,
        EventId::C_BAD_CD,
        EventId::F_TRANSLATION,
        EventId::F_ADDR_SIZE,
        EventId::F_ACCESS,
        EventId::F_PERMISSION,
    ];
    let known = KINDS.iter().any(|&kind| kind as u8 == event.word0.id());
    known && !event.word1.s2() && !event.word1.stall()
}
