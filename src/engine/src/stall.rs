//! Stalled transactions: Arm IHI 0070, 3.12.2 "Stall model", 4.7.1 CMD_RESUME, 4.7.2 CMD_STALL_TERM.

use std::collections::HashMap;

use crate::ids::{Stag, StreamId};
use crate::layout::Response;
use crate::mutant::{Mutant, on};

/// Transactions that wait for software, by their STAG.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    held: HashMap<u16, Held>,
    next: u16,
}

#[derive(Debug)]
struct Held {
    sid: StreamId,
    answer: Option<Response>,
}

impl Stalls {
    /// Holds a transaction. `None` if all 65,536 tags are in use.
    pub(crate) fn hold(&mut self, sid: StreamId) -> Option<Stag> {
        if self.held.len() > usize::from(u16::MAX) {
            return None;
        }
        while self.held.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let stag = self.next;
        self.next = self.next.wrapping_add(1);
        self.held.insert(stag, Held { sid, answer: None });
        Some(Stag(stag))
    }

    /// CMD_RESUME: without effect unless tag and stream match a transaction that has no answer yet.
    pub(crate) fn resume(&mut self, sid: StreamId, Stag(stag): Stag, response: Response) {
        if let Some(held) = self.held.get_mut(&stag)
            && (held.sid == sid || on(Mutant::ResumeOfAnyStream))
        {
            held.answer.get_or_insert(response);
        }
    }

    /// CMD_STALL_TERM.
    pub(crate) fn terminate(&mut self, sid: StreamId) {
        for held in self
            .held
            .values_mut()
            .filter(|held| held.sid == sid || on(Mutant::StallTermOfAll))
        {
            held.answer.get_or_insert(Response::Abort);
        }
    }

    /// SMMUEN becomes 0.
    pub(crate) fn terminate_all(&mut self) {
        for held in self.held.values_mut() {
            held.answer.get_or_insert(Response::Abort);
        }
    }

    /// The answer, once there is one; the tag is free again.
    pub(crate) fn take(&mut self, Stag(stag): Stag) -> Option<Response> {
        let answer = self.held.get(&stag)?.answer?;
        self.held.remove(&stag);
        Some(answer)
    }
}
