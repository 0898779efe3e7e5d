//! A run: a world, the operations on it, and every answer compared.

mod access;
mod anything;

use std::collections::VecDeque;

use engine::layout::Command;
use engine::{Features, Smmu};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::alter::Alteration;
use super::answer::Answer;
use super::board::{Board, QUEUES};
use super::config::Ste;
use super::coverage::Coverage;
use super::need::Need;
use super::operation::{Access, Operation};
use super::shape::{STREAMS, Shape};
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
}
