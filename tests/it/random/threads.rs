//! Devices that translate while software changes tables and invalidates, each on a thread of its own.
//!
//! A page is unmapped, invalidated and mapped again, to an address that says how often this was done. When the CMD_SYNC behind an
//! invalidation has returned, software notes in `gone` what no device may use any longer. A device reads `gone` before it translates,
//! and once more when it has finished using what it got: both times its translation must be a later one. The second holds because a
//! CMD_SYNC waits for whoever uses a translation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use engine::cache::{Caches, Exact, Fast, NoCaches, Preset};
use engine::layout::{Command, SyncSignal};
use engine::{
    Access, Atc, AtcInvalidation, CommandQueue, Endpoints, Features, Iova, Registers, Smmu,
    Stopped, StreamId, TimedOut, Transaction,
};
use vm_memory::{Bytes, GuestAddress};

use super::need::{Need, Span};
use super::shape::{SPACES, STREAM_BITS, STREAMS, Shape, VMIDS};
use super::table::{Entry, NodeId, bits};
use super::words;
use super::world::{Memory, World};

/// Pages of stage 1 of the host; as many of stage 2 of a guest, whose stage 1 stays as it is.
const EACH: u8 = 6;
const PAGES: usize = 2 * EACH as usize;
/// Log2 of the part of an address that does not count.
const VERSION: u8 = 20;
const QUEUE: u64 = 0x1000;

#[derive(Default)]
struct Shared {
    /// By page: the last version that no device may use.
    gone: [AtomicU64; PAGES],
    /// By page: the last version that was mapped.
    made: [AtomicU64; PAGES],
    stop: AtomicBool,
    used: AtomicU64,
    /// Wrong uses without an ATC, and through one.
    stale: [AtomicU64; 2],
}

impl Shared {
    /// Lets every device go over its pages a few times.
    fn wait_for_devices(&self) {
        let enough = self.used.load(SeqCst) + 8 * PAGES as u64;
        let began = Instant::now();
        while self.used.load(SeqCst) < enough && began.elapsed() < Duration::from_millis(20) {
            std::thread::yield_now();
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Pages that were unmapped and mapped again.
    pub changes: u64,
    /// Translations that were used.
    pub used: u64,
    /// Those that should not have been: without an ATC, and through one.
    pub stale: [u64; 2],
}

/// Runs for a time. With `early`, software notes what is gone before its CMD_SYNC: a mistake, which has to be seen.
pub fn run(shape: &Shape, time: Duration, early: bool) -> Outcome {
    let mut world = World::new(shape);
    let smmu = Smmu::new(world.memory.clone(), Features::all());
    smmu.configure(Registers {
        smmuen: true,
        atschk: true,
        cmdqen: true,
        strtab_base: world.stream_table,
        strtab_log2size: STREAM_BITS,
        ..Registers::RESET
    });
    let pages: Vec<Page> = (0..2 * EACH)
        .map(|page| Page::new(&mut world, page))
        .collect();
    let addresses: Vec<u64> = pages.iter().map(|page| page.address).collect();
    let mut distinct = addresses[..EACH.into()].to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        usize::from(EACH),
        "this shape is too small for so many pages"
    );
    let shared = Shared::default();
    // Devices 0 and 3 are the host's, 1 and 4 the guest's.
    let atcs = [0, 3, 1, 4].map(|device| Atc::new(StreamId(STREAMS[device]), 64));
    let mut software = Software {
        queue: CommandQueue::new(QUEUE, 6),
        prod: 0,
        smmu: &smmu,
        atcs: &atcs,
    };
    pages.iter().for_each(|page| page.map(&mut world, &shared));
    let mut changes = 0;
    std::thread::scope(|scope| {
        let (smmu, shared, addresses) = (&smmu, &shared, &addresses[..]);
        scope.spawn(|| {
            device(
                smmu,
                Fast::default(),
                None,
                STREAMS[0],
                host(addresses),
                shared,
            )
        });
        scope.spawn(|| {
            device(
                smmu,
                Exact::new(Preset::GEM5),
                Some(&atcs[1]),
                STREAMS[3],
                host(addresses),
                shared,
            )
        });
        scope.spawn(|| device(smmu, NoCaches, None, STREAMS[1], guest(addresses), shared));
        scope.spawn(|| {
            device(
                smmu,
                Fast::new(2, 2, 2),
                Some(&atcs[3]),
                STREAMS[4],
                guest(addresses),
                shared,
            )
        });
        let began = Instant::now();
        while began.elapsed() < time {
            for page in &pages {
                page.unmap(&mut world);
                let gone = shared.made[page.number].load(SeqCst);
                if early {
                    shared.gone[page.number].store(gone, SeqCst);
                    shared.wait_for_devices();
                }
                page.stages
                    .iter()
                    .for_each(|stage| software.invalidate(stage));
                shared.gone[page.number].store(gone, SeqCst);
                page.map(&mut world, shared);
                changes += 1;
            }
            shared.wait_for_devices();
        }
        shared.stop.store(true, SeqCst);
    });
    Outcome {
        changes,
        used: shared.used.into_inner(),
        stale: shared.stale.map(AtomicU64::into_inner),
    }
}

fn host(addresses: &[u64]) -> impl Iterator<Item = (usize, u64)> + Clone {
    addresses.iter().copied().enumerate().take(EACH.into())
}

fn guest(addresses: &[u64]) -> impl Iterator<Item = (usize, u64)> + Clone {
    addresses.iter().copied().enumerate().skip(EACH.into())
}

/// A page that comes and goes.
struct Page {
    number: usize,
    /// Where devices find it.
    address: u64,
    /// The entry that changes.
    entry: (NodeId, u64),
    attributes: u64,
    /// What is to be forgotten of it, in this order.
    stages: Vec<Vec<Need>>,
}

impl Page {
    fn new(world: &mut World, number: u8) -> Self {
        let vm = usize::from(number >= EACH);
        let root = world.spaces[vm * SPACES].root;
        let layout = world.node(root).layout;
        let address = layout.page(number);
        let (node, index) = world
            .descend(root, address, 3, 0)
            .expect("nothing is mapped yet");
        let stage1 = bits::AF | bits::NG | bits::AP1;
        let vmid = VMIDS[vm];
        let span = |from, granule| Span {
            from,
            bits: granule,
            level: 3,
            leaf: true,
            granule,
        };
        if vm == 0 {
            let asid = Some(world.spaces[0].asid);
            let atcs = [0, 3].map(|device| Need::Atc {
                sid: STREAMS[device],
                ssid: None,
                from: address,
                bits: layout.granule,
            });
            return Page {
                number: number.into(),
                address,
                entry: (node, index),
                attributes: stage1,
                stages: vec![
                    vec![Need::Va {
                        vmid,
                        asid,
                        span: span(address, layout.granule),
                    }],
                    atcs.to_vec(),
                ],
            };
        }
        let stage2 = world.vms[vm].stage2.expect("guests have stage 2");
        let outer = world.node(stage2).layout;
        let ipa = outer.page(number);
        world.set_entry(
            node,
            index,
            Entry::Leaf {
                output: ipa,
                attributes: stage1,
            },
            None,
        );
        let entry = world
            .descend(stage2, ipa, 3, 0)
            .expect("nothing is mapped yet");
        let atcs = [1, 4].map(|device| Need::Atc {
            sid: STREAMS[device],
            ssid: None,
            from: 0,
            bits: 64,
        });
        Page {
            number: number.into(),
            address,
            entry,
            attributes: bits::AF | bits::S2_READ | bits::S2_WRITE,
            stages: vec![
                vec![Need::Ipa {
                    vmid,
                    span: span(ipa, outer.granule),
                }],
                vec![Need::Combined { vmid }],
                atcs.to_vec(),
            ],
        }
    }

    fn map(&self, world: &mut World, shared: &Shared) {
        let version = shared.made[self.number].fetch_add(1, SeqCst) + 1;
        let leaf = Entry::Leaf {
            output: version << VERSION,
            attributes: self.attributes,
        };
        world.set_entry(self.entry.0, self.entry.1, leaf, None);
    }

    fn unmap(&self, world: &mut World) {
        world.set_entry(self.entry.0, self.entry.1, Entry::Invalid(0), None);
    }
}

/// Whoever writes commands.
struct Software<'s> {
    queue: CommandQueue,
    prod: u32,
    smmu: &'s Smmu<Memory>,
    atcs: &'s [Atc],
}

impl Software<'_> {
    fn invalidate(&mut self, stage: &[Need]) {
        for need in stage {
            need.commands(0)
                .iter()
                .for_each(|command| self.put(command));
        }
        self.put(&Command::Sync(SyncSignal::None));
        let stopped = self.smmu.consume_all(&mut self.queue, &Devices(self.atcs));
        assert_eq!(
            stopped,
            Stopped::Empty,
            "software writes commands as they should be"
        );
    }

    fn put(&mut self, command: &Command) {
        let at = QUEUE + u64::from(self.prod % 64) * 16;
        for (word, at) in words::command(command).into_iter().zip([at, at + 8]) {
            self.smmu
                .memory()
                .write_obj(word, GuestAddress(at))
                .expect("the queue lies in memory");
        }
        self.prod = (self.prod + 1) % 128;
        self.queue.set_prod(self.prod);
    }
}

struct Devices<'a>(&'a [Atc]);

impl Endpoints for Devices<'_> {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        self.0
            .iter()
            .filter(|atc| atc.sid() == invalidation.sid)
            .for_each(|atc| atc.invalidate(invalidation));
        Ok(())
    }
}

/// A device's thread.
fn device<C: Caches>(
    smmu: &Smmu<Memory>,
    caches: C,
    atc: Option<&Atc>,
    sid: u32,
    pages: impl Iterator<Item = (usize, u64)> + Clone,
    shared: &Shared,
) {
    let mut tbu = smmu.tbu_with(caches).expect("an SMMU has seats for four");
    while !shared.stop.load(SeqCst) {
        let mut burst = tbu.burst();
        for (page, address) in pages.clone() {
            let before = shared.gone[page].load(SeqCst);
            let pa = match atc {
                Some(atc) => atc
                    .translate(&mut burst, None, Iova(address), Access::READ)
                    .ok(),
                None => {
                    let transaction =
                        Transaction::new(StreamId(sid), None, Iova(address), Access::READ);
                    burst.translate(&transaction).ok()
                }
            };
            let Some(pa) = pa.map(|translation| translation.pa.0) else {
                continue;
            };
            // Whatever a device does with it takes a while.
            (0..64).for_each(|_| std::hint::spin_loop());
            let after = shared.gone[page].load(SeqCst);
            let version = pa >> VERSION;
            let wrong =
                version <= before || version <= after || version > shared.made[page].load(SeqCst);
            if wrong && std::env::var("DBG").is_ok() {
                eprintln!(
                    "sid {sid:x} page {page} atc {} version {version} before {before} after {after} made {}",
                    atc.is_some(),
                    shared.made[page].load(SeqCst)
                );
            }
            shared.stale[usize::from(atc.is_some())].fetch_add(wrong.into(), SeqCst);
            shared.used.fetch_add(1, SeqCst);
        }
        // Who sleeps in a burst keeps CMD_SYNC waiting.
        drop(burst);
        std::thread::yield_now();
    }
}
