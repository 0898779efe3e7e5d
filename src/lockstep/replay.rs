//! A concrete trace executed: the steps of software as stores and commands, and what hardware caches and when its commands take effect
//! exactly as the trace says.
//!
//! What the trace says that hardware fetches, the engine is made to fetch at that moment: STEs and CDs into its configuration caches,
//! translations into its TLB and into devices' ATCs. An entry that is read word by word, or a walk whose two stages are read at
//! different times, is fetched with each word as it was when the trace reads it ([`Latched`]). Commands are consumed when they are
//! issued and take effect when the trace says so ([`super::chosen`]).

use engine::layout::Command as Bytes;
use model::caches::{GLOBAL, cd0, cd1, ste0, ste2, values};
use model::state::pte;
use model::trace::{self, Deed};
use model::{Machine, State, Step};
use vocab::{Asid, Command, Device, Frame, Ipa, Page, Slot, Space, Threat, Viommu, Vm, Vmid};

use super::answer::Answer;
use super::board::{Board, Pace, Unexpected, smmu};
use super::entry::{Entry, entry};
use super::log::Line;
use super::unit;
use super::{encode, map};

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
    stes: Vec<[Option<Latched>; 3]>,
    cds: Vec<[Option<Latched>; 2]>,
    stage_1: Vec<Walk>,
    stage_2: Vec<((Vmid, Ipa, Frame), Latched)>,
    /// What was stored and put into queues, event by event.
    log: Vec<Vec<Line>>,
}

/// Words as they were when they were read.
type Latched = Vec<(u64, u64)>;

/// Where a device's STE in use leads to.
struct Found {
    /// Whose CD table.
    table: Viommu,
    /// Through whose stage 2, by the STE.
    vm: Vm,
    /// Through whose stage 2, by what is cached under the VMID too.
    readers: u8,
}

/// A stage-1 result, and what it was walked with.
struct Walk {
    tag: (Vmid, Asid, Page),
    ipa: Ipa,
    slot: Slot,
    words: Latched,
}

/// A command that was put into a queue.
#[derive(Clone, Copy)]
struct Issued {
    command: Bytes,
    /// Of a CMD_ATC_INV, which of the requests that devices were sent.
    request: Option<usize>,
}

/// The unit whose caches are told what to keep, and the one that keeps nothing.
pub const CHOSEN: usize = 0;
/// See [`CHOSEN`].
pub const FRESH: usize = 1;

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
        stes: vec![[const { None }; 3]; machine.bounds.devices as usize],
        cds: vec![[const { None }; 2]; machine.slots() as usize],
        stage_1: Vec::new(),
        stage_2: Vec::new(),
        log: Vec::new(),
    };
    let mut last = machine.initial();
    for (happening, before, after) in happenings {
        match happening {
            Happening::Software(step) => replay.software(step, &before, &after)?,
            Happening::Fill(byte, bit) => replay.fill(entry(byte, bit), &after)?,
            Happening::Effect(nth) => replay.take_effect(nth, &after)?,
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
                vocab::Opcode::AtcInv => self.board.requests().checked_sub(1),
                _ => None,
            };
            self.issued.push(Issued {
                command: encode::command(self.machine, command),
                request,
            });
        }
        Ok(())
    }

    fn take_effect(&mut self, nth: usize, after: &State) -> Result<(), Unexpected> {
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
        self.forget(after);
        Ok(())
    }

    /// Forgets what was latched and is cached no more.
    fn forget(&mut self, state: &State) {
        let caches = &state.caches;
        for (device, words) in self.stes.iter_mut().enumerate() {
            let kept = [
                caches.ste0[device],
                caches.ste1[device],
                caches.ste2[device],
            ];
            clear(words, &kept);
        }
        for (slot, words) in self.cds.iter_mut().enumerate() {
            clear(words, &[caches.cd0[slot], caches.cd1[slot]]);
        }
    }

    fn fill(&mut self, entry: Entry, after: &State) -> Result<(), Unexpected> {
        match entry {
            Entry::Ste(device, word, value) => {
                let at = map::ste(device);
                let words = match word {
                    0 => vec![(at, encode::ste_word0(device, value))],
                    1 => vec![(at + 8, encode::ste_word1(self.machine, value))],
                    _ => {
                        let [word2, word3] = encode::ste_words2(value);
                        vec![(at + 16, word2), (at + 24, word3)]
                    }
                };
                self.read(&words, false)?;
                self.stes[device.index()][word] = Some(words);
                self.configure(device)
            }
            Entry::Cd(slot, word, value) => {
                let device = self.machine.device_of(slot);
                let found = self.found_by(after, device)?;
                let index = u64::from(encode::index(self.machine, slot).0);
                let table = map::cd_table(found.table, device);
                let raw = match word {
                    0 => encode::cd_word0(value),
                    _ => encode::cd_word1(value),
                };
                let at = table + index * 64 + 8 * word as u64;
                let anything = self.machine.cds_are_anything();
                let words = self.read_table(&found, found.table, at, raw, anything)?;
                self.cds[slot.index()][word] = Some(words);
                self.configure(device)
            }
            Entry::Stage1 { tag, space, ipa } => self.walk_stage_1(tag, space, ipa, after),
            Entry::Stage2 { vmid, ipa, frame } => {
                let vm = Vm(frame.0 / self.machine.bounds.ipas);
                let leaf = encode::stage_2_leaf(encode::frame(vm, ipa));
                let words = vec![(map::stage_2_entry(vm, ipa), leaf)];
                self.read(&words, false)?;
                self.stage_2.push(((vmid, ipa, frame), words));
                Ok(())
            }
            // A walk of the engine reads tables through stage 2 as it comes to them.
            Entry::Tables(_) => Ok(()),
            Entry::Tlb { tag, frame } => self.combine(tag, frame),
            Entry::Atc { slot, page, frame } => self.request(slot, page, frame),
        }
    }

    /// Hardware reads words. They must be what memory holds; where memory may hold anything, a guest writes them there first.
    fn read(&mut self, words: &Latched, anything: bool) -> Result<(), Unexpected> {
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

    /// What a device's STE in use leads to.
    fn found_by(&self, state: &State, device: Device) -> Result<Found, Unexpected> {
        let caches = &state.caches;
        let table = values(caches.ste0[device.index()]).find_map(ste0::table);
        let pair = values(caches.ste2[device.index()]).find_map(ste2::decode);
        match (table, pair) {
            (Some(table), Some((vmid, vm))) => Ok(Found {
                table,
                vm,
                readers: caches.s2_tables[vmid.index()] | 1 << vm.0,
            }),
            _ => Err(Unexpected(format!(
                "no STE of {device} leads to a CD table"
            ))),
        }
    }

    /// Hardware reads a word of a table at an intermediate address. Where another VM's memory may be found there, by its stage 2 or by
    /// what is cached under the VMID, that VM has written the word, and the walk is led there.
    fn read_table(
        &mut self,
        found: &Found,
        owner: Viommu,
        ipa: u64,
        word: u64,
        anything: bool,
    ) -> Result<Latched, Unexpected> {
        let own = self.machine.vm_of(owner);
        let at = map::physical(own, ipa);
        let foreign = values(found.readers & !(1 << own.0)).next().map(Vm);
        if found.readers >> own.0 & 1 == 1 && (self.board.load(at) == word || foreign.is_none()) {
            let words = vec![(at, word)];
            self.read(&words, anything)?;
            return Ok(words);
        }
        let Some(foreign) = foreign else {
            return Err(Unexpected(format!(
                "no stage 2 in use maps a table of {owner}"
            )));
        };
        let there = map::physical(foreign, ipa);
        self.read(&vec![(there, word)], true)?;
        let leads = encode::stage_2_leaf(map::physical(foreign, ipa / map::PAGE * map::PAGE));
        let leaf = map::stage_2(found.vm) + map::PAGE + ipa / map::PAGE * 8;
        Ok(vec![(there, word), (leaf, leads)])
    }

    /// The words of a device's STE and of a slot's CD, as far as they were latched.
    fn configuration(&self, device: Device, slot: Option<Slot>) -> Latched {
        let ste = self.stes[device.index()].iter().flatten();
        let cd = slot
            .into_iter()
            .flat_map(|slot| self.cds[slot.index()].iter().flatten());
        ste.chain(cd).flatten().copied().collect()
    }

    /// Fetches a device's STE and CDs anew, each word as it was latched.
    fn configure(&mut self, device: Device) -> Result<(), Unexpected> {
        let drop = encode::command(self.machine, Command::CfgiSte(device));
        self.board.chosen(CHOSEN).evict(&drop);
        for slot in self.machine.slots_of(device) {
            if self.cds[slot.index()].iter().any(Option::is_some) {
                let words = self.configuration(device, Some(slot));
                self.board
                    .with_words(&words, |board| board.fetch(CHOSEN, slot));
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
        let (_, asid, page) = tag;
        let walks = |slot: &Slot| {
            let words = state.caches.cd0[slot.index()];
            let with_asid = values(words)
                .filter_map(cd0::decode)
                .any(|(other, walks)| walks && (asid == GLOBAL || other == asid));
            with_asid && state.caches.cd1[slot.index()] >> cd1::ttb(space) & 1 == 1
        };
        let Some(slot) = (0..self.machine.slots()).map(Slot).find(walks) else {
            return Err(Unexpected(format!(
                "no CD in use leads to the tables of {space}"
            )));
        };
        let device = self.machine.device_of(slot);
        let found = self.found_by(state, device)?;
        let owner = self.machine.viommu_of(space);
        let root = encode::table(map::stage_1(space) + map::PAGE);
        let leaf = encode::leaf(pte::new(ipa, asid == GLOBAL));
        let anything = self.machine.threat != Threat::Honest;
        let mut words = self.configuration(device, Some(slot));
        for (at, raw) in [
            (map::stage_1(space), root),
            (map::stage_1_entry(space, page), leaf),
        ] {
            words.extend(self.read_table(&found, owner, at, raw, anything)?);
        }
        self.stage_1.push(Walk {
            tag,
            ipa,
            slot,
            words,
        });
        Ok(())
    }

    /// A walk of both stages, each word as it was latched; its result is in the TLB.
    fn combine(&mut self, tag: (Vmid, Asid, Page), frame: Frame) -> Result<(), Unexpected> {
        let (vmid, _, page) = tag;
        let candidates = self.stage_1.iter().rev().filter(|walk| walk.tag == tag);
        let found = candidates
            .filter_map(|walk| {
                let key = (vmid, walk.ipa, frame);
                let second = self.stage_2.iter().rev().find(|(of, _)| *of == key)?;
                Some((walk, second))
            })
            .next();
        let Some((walk, (_, second))) = found else {
            return Err(Unexpected(format!(
                "no walk of both stages yields {frame} for {page}"
            )));
        };
        let (slot, ipa) = (walk.slot, walk.ipa);
        let words: Latched = walk.words.iter().chain(second).copied().collect();
        let device = self.machine.device_of(slot);
        let drops = [
            Command::CfgiSte(device),
            Command::TlbiNhVaa(vmid, page),
            Command::TlbiS2Ipa(vmid, ipa),
        ];
        for drop in drops {
            let drop = encode::command(self.machine, drop);
            self.board.chosen(CHOSEN).evict(&drop);
        }
        let answer = self
            .board
            .with_words(&words, |board| board.access(CHOSEN, slot, page));
        self.configure(device)?;
        expect(answer, frame, "a walk")
    }

    /// An ATS request of a device, which keeps the answer.
    fn request(&mut self, slot: Slot, page: Page, frame: Frame) -> Result<(), Unexpected> {
        self.board.forget_in_atc(CHOSEN, slot, page);
        let answer = self.access(slot, page, true);
        expect(answer, frame, "an ATS request")
    }

    /// What was stored and put into queues, event by event, in words.
    pub fn told(&self) -> Vec<Vec<String>> {
        let events = self.log.iter();
        let tell = |line: &Line| line.tell(self.machine);
        events
            .map(|lines| lines.iter().map(tell).collect())
            .collect()
    }

    /// An access of a slot through the caches as the trace has left them.
    pub fn access(&mut self, slot: Slot, page: Page, through_atc: bool) -> Answer {
        // What the engine has not cached it fetches as it was when the trace cached it: a descriptor with V=0 most of all, which the
        // manual lets an SMMU cache (3.21) and this engine never does.
        let words = self.configuration(self.machine.device_of(slot), Some(slot));
        self.board.with_words(&words, |board| match through_atc {
            false => board.access(CHOSEN, slot, page),
            true => board.through_atc(CHOSEN, slot, page),
        })
    }

    /// The same access through an SMMU without caches.
    pub fn access_afresh(&mut self, slot: Slot, page: Page) -> Answer {
        self.board.access(FRESH, slot, page)
    }
}

fn expect(answer: Answer, frame: Frame, what: &str) -> Result<(), Unexpected> {
    match answer == Answer::Frame(frame) {
        true => Ok(()),
        false => Err(Unexpected(format!(
            "{what} that the trace needs to yield {frame} comes to {answer}"
        ))),
    }
}

fn clear<const N: usize>(words: &mut [Option<Latched>; N], kept: &[u8; N]) {
    for (word, kept) in words.iter_mut().zip(kept) {
        if *kept == 0 {
            *word = None;
        }
    }
}
