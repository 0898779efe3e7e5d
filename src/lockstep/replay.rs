//! A concrete trace executed: the steps of software as stores and commands, and what hardware caches and when its commands take effect
//! exactly as the trace says.
//!
//! What the trace says that hardware caches, the engine is made to cache at that moment: translations in its TLB and in devices' ATCs. It
//! fetches STEs, CDs and descriptors with each word as the trace has read it ([`super::latched`]), so that an entry that is read word by
//! word, or a walk whose stages are read at different times, is what the trace says it is. Commands are consumed when they are issued
//! and take effect when the trace says so ([`super::chosen`]).

use engine::Access;
use engine::layout::Command as Bytes;
use model::caches::GLOBAL;
use model::state::pte;
use model::trace::{self, Deed};
use model::{Machine, State, Step};
use vocab::{Asid, Command, Frame, Ipa, Opcode, Page, Slot, Space, Threat, Vm, Vmid};

use super::answer::Answer;
use super::board::{Board, Pace, Unexpected, smmu};
use super::fill::{Fill, fill};
use super::latched::{Entry, Words};
use super::log::Line;
use super::{encode, map, unit};

/// What happens next in a trace.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    /// A step of software.
    Software(Step),
    /// Hardware caches an entry, by its name.
    Fill(u8, u8),
    /// The n-th issued command takes effect.
    Effect(usize),
}

/// The board at the end of a trace.
pub struct Replay<'s> {
    machine: &'s Machine,
    board: Board<'s>,
    issued: Vec<Issued>,
    stage_1: Vec<Walk>,
    /// Leaves of stage 2 that were read.
    stage_2: Vec<((Vmid, Ipa, Frame), u64)>,
    log: Vec<Vec<Line>>,
}

/// A stage-1 result, and what it may have been walked with.
struct Walk {
    tag: (Vmid, Asid, Page),
    ipa: Ipa,
    /// By which slot, through whose stage 2, with which words.
    with: Vec<(Slot, Vm, Words)>,
}

/// A command that was put into a queue.
#[derive(Clone, Copy)]
struct Issued {
    command: Bytes,
    /// Of a CMD_ATC_INV, which of the requests that devices were sent.
    request: Option<usize>,
}

/// The unit whose caches are told what to keep, and the one that keeps nothing.
const CHOSEN: usize = 0;
/// See [`CHOSEN`].
const FRESH: usize = 1;

/// Executes a trace of a machine with scheduled caches, and hands the board to `end`.
pub fn replay<R>(
    machine: &Machine,
    happenings: impl IntoIterator<Item = (Happening, State, State)>,
    end: impl FnOnce(&mut Replay<'_>, &State) -> R,
) -> Result<R, Unexpected> {
    let smmu = smmu();
    let mut board = Board::new(machine, &smmu, Pace::AtOnce, unit::chosen(&smmu));
    board.obey();
    board.take_log();
    let mut replay = Replay {
        machine,
        board,
        issued: Vec::new(),
        stage_1: Vec::new(),
        stage_2: Vec::new(),
        log: Vec::new(),
    };
    let mut last = machine.initial();
    for (happening, before, after) in happenings {
        match happening {
            Happening::Software(step) => replay.software(step, &before, &after)?,
            Happening::Fill(byte, bit) => replay.fill(fill(byte, bit), &before)?,
            Happening::Effect(nth) => replay.take_effect(nth)?,
        }
        let lines = replay.board.take_log();
        replay.log.push(lines);
        last = after;
    }
    Ok(end(&mut replay, &last))
}

impl Replay<'_> {
    fn software(&mut self, step: Step, before: &State, after: &State) -> Result<(), Unexpected> {
        let deed = trace::deed(self.machine, before, step);
        self.board.step(deed, after)?;
        if let Some(Deed::Issue {
            command,
            legal: true,
            ..
        }) = deed
        {
            let request = match command.opcode() {
                Opcode::AtcInv => self.board.requests().checked_sub(1),
                _ => None,
            };
            self.issued.push(Issued {
                command: encode::command(self.machine, command),
                request,
            });
        }
        Ok(())
    }

    fn take_effect(&mut self, nth: usize) -> Result<(), Unexpected> {
        let Some(&Issued { command, request }) = self.issued.get(nth) else {
            return Err(Unexpected(format!("command {nth} was never issued")));
        };
        match request {
            Some(request) => self.board.deliver(CHOSEN, request),
            None if !self.board.chosen(CHOSEN).take_effect(&command) => {
                return Err(Unexpected(format!(
                    "{command:?} was not among the commands that were consumed"
                )));
            }
            None => {}
        }
        Ok(())
    }

    /// Hardware caches an entry, in a state.
    fn fill(&mut self, fill: Fill, state: &State) -> Result<(), Unexpected> {
        match fill {
            // Fetched with whatever needs them, as the trace has latched them. A walk comes to tables through stage 2 by itself.
            // The engine begins every walk at the CD: a stage-1 entry that another TTB0 leads to is refused below.
            Fill::Ste | Fill::Cd | Fill::Ttb | Fill::Tables => Ok(()),
            Fill::Stage1 { tag, space, ipa } => self.walk_stage_1(tag, space, ipa, state),
            Fill::Stage2 { vmid, ipa, frame } => {
                let vm = Vm(frame.0 / self.machine.bounds.ipas);
                let leaf = encode::stage_2_leaf(encode::frame(vm, ipa));
                let words = vec![(map::stage_2_entry(vm, ipa), leaf)];
                self.read(&words, false)?;
                self.stage_2.push(((vmid, ipa, frame), leaf));
                Ok(())
            }
            Fill::Tlb { tag, frame } => self.combine(tag, frame),
            Fill::Atc { slot, page, frame } => self.request(slot, page, frame, state),
        }
    }

    /// Hardware reads words. They must be what memory holds; where memory may hold anything, a guest writes them there first.
    fn read(&mut self, words: &Words, anything: bool) -> Result<(), Unexpected> {
        for &(at, word) in words {
            let there = self.board.load(at);
            if there != word && anything {
                self.board.store(at, word);
            } else if there != word {
                return Err(Unexpected(format!(
                    "hardware is to read {word:#018x} at {at:#x}, where {there:#018x} is"
                )));
            }
        }
        Ok(())
    }

    /// Notes what a walk of stage 1 reads now: the engine has no cache for its result alone.
    fn walk_stage_1(
        &mut self,
        tag: (Vmid, Asid, Page),
        space: Space,
        ipa: Ipa,
        state: &State,
    ) -> Result<(), Unexpected> {
        let (vmid, asid, page) = tag;
        let machine = self.machine;
        let leaf = encode::leaf(pte::new(ipa, asid == GLOBAL));
        let root = encode::table(map::stage_1(space) + map::PAGE);
        let tables = [
            (map::stage_1(space), root),
            (map::stage_1_entry(space, page), leaf),
        ];
        let mut with = Vec::new();
        let mut why = Unexpected(format!("no CD in use leads to the tables of {space}"));
        for slot in (0..machine.slots()).map(Slot) {
            for entry in Entry::all(machine, state, slot) {
                let (Some(reader), Some((_, vm))) = (entry.reader, entry.stage_2) else {
                    continue;
                };
                if !entry.walks(vmid, asid, space) {
                    continue;
                }
                let read = tables.map(|(at, word)| (map::physical(reader, at), word));
                let own = machine.vm_of(machine.viommu_of(space)) == reader;
                let anything = !own || machine.threat != Threat::Honest;
                match self.read(&read.to_vec(), anything) {
                    Err(wrong) => why = wrong,
                    Ok(()) => {
                        let leading = tables.iter().filter_map(|(at, _)| entry.leading(*at));
                        let leading: Words = leading.collect();
                        let mut words = entry.words;
                        words.extend(read);
                        words.extend(leading);
                        with.push((slot, vm, words));
                    }
                }
            }
        }
        if with.is_empty() {
            return Err(why);
        }
        self.stage_1.push(Walk { tag, ipa, with });
        Ok(())
    }

    /// A walk of both stages, each word as the trace has read it; its result is in the TLB.
    fn combine(&mut self, tag: (Vmid, Asid, Page), frame: Frame) -> Result<(), Unexpected> {
        let (vmid, _, page) = tag;
        let mut came_to = format!("no walk of both stages yields {frame} for {page}");
        let walks: Vec<_> = self
            .stage_1
            .iter()
            .rev()
            .filter(|walk| walk.tag == tag)
            .collect();
        let mut tries = Vec::new();
        for walk in walks {
            let key = (vmid, walk.ipa, frame);
            let second = self.stage_2.iter().rev().find(|(of, _)| *of == key);
            for (slot, vm, words) in &walk.with {
                // What is cached under the VMID need not be what the STE's own stage 2 says.
                let leaf = second.map(|(_, leaf)| (map::stage_2_entry(*vm, walk.ipa), *leaf));
                let words = words.iter().copied().chain(leaf);
                tries.push((*slot, walk.ipa, words.collect::<Words>()));
            }
        }
        for (slot, ipa, words) in tries {
            self.evict(Command::TlbiNhVaa(vmid, page));
            self.evict(Command::TlbiS2Ipa(vmid, ipa));
            let answer = self.ask(slot, page, false, &words);
            if answer == Answer::Frame(frame) {
                return Ok(());
            }
            came_to = format!("a walk that the trace needs to yield {frame} comes to {answer}");
        }
        Err(Unexpected(came_to))
    }

    /// An ATS request of a device, which is answered from the TLB and keeps the answer.
    fn request(
        &mut self,
        slot: Slot,
        page: Page,
        frame: Frame,
        state: &State,
    ) -> Result<(), Unexpected> {
        let mut came_to = format!("no STE and CD in use lead to {frame} by the TLB");
        for entry in Entry::all(self.machine, state, slot) {
            let bypasses = self.machine.bypasses_stage_1(slot);
            if !entry.eats || !(bypasses || entry.hits(state, page, frame)) {
                continue;
            }
            self.board.forget_in_atc(CHOSEN, slot, page);
            let answer = self.ask(slot, page, true, &entry.words);
            if answer == Answer::Frame(frame) {
                return Ok(());
            }
            came_to = format!("an ATS request that needs to yield {frame} comes to {answer}");
        }
        Err(Unexpected(came_to))
    }

    /// Drops what a command names, as hardware may.
    fn evict(&mut self, named: Command) {
        let named = encode::command(self.machine, named);
        self.board.chosen(CHOSEN).evict(&named);
    }

    /// An access with the STE and CD that some words of memory are.
    fn ask(&mut self, slot: Slot, page: Page, through_atc: bool, words: &Words) -> Answer {
        self.evict(Command::CfgiSte(self.machine.device_of(slot)));
        self.board.with_words(words, |board| match through_atc {
            false => board.access(CHOSEN, slot, page, Access::READ),
            true => board.through_atc(CHOSEN, slot, page, Access::READ),
        })
    }

    /// What an access comes to through what the trace has left in caches, with every STE and CD that may be in use; those first that
    /// lead to a frame in the TLB, if one is asked for.
    pub fn accesses(
        &mut self,
        state: &State,
        (slot, page, through_atc): (Slot, Page, bool),
        towards: Option<Frame>,
    ) -> Vec<Answer> {
        let mut entries = Entry::all(self.machine, state, slot);
        let leads = |entry: &Entry| towards.is_some_and(|frame| entry.hits(state, page, frame));
        entries.sort_by_key(|entry| !leads(entry));
        let mut answers = Vec::new();
        for entry in entries {
            answers.push(self.ask(slot, page, through_atc, &entry.words));
        }
        answers
    }

    /// The same access through an SMMU without caches.
    pub fn access_afresh(&mut self, slot: Slot, page: Page) -> Answer {
        self.board.access(FRESH, slot, page, Access::READ)
    }

    /// What was stored and put into queues, event by event, in words.
    pub fn told(&self) -> Vec<Vec<String>> {
        let events = self.log.iter();
        let tell = |line: &Line| line.tell(self.machine);
        events
            .map(|lines| lines.iter().map(tell).collect())
            .collect()
    }
}
