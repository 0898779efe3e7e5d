//! A guest of the nested interface: its STE, its memory and its commands are the bytes. It must not leave what stage 2 gives it.
//!
//! ```text
//! STE (16), contract and silence as flags, then
//!     0: store  word number (2), word (8)      1: access  flags, SubstreamID (4), address (8)      2: the same through the ATC
//!     3: commands  how many, each 16           4: the host unmaps a page  its number (1)
//! ```
//!
//! Memory holds what the host owns, what the guest owns, and pages that are nobody's: no structure of the guest's may make the SMMU
//! look at those, and no translation may lead there or to the host's; nor to a page that was unmapped. Events reach the guest under its
//! own StreamID.

use engine::hypervisor::{
    Contract, Host, HostQueue, Issued, NestParent, SteStore, Stuck, Viommu, VirtualEvents,
    VirtualSte,
};
use engine::layout::Ste;
use engine::{
    Access, Atc, AtcInvalidation, Endpoints, EventQueue, Features, Iova, Ipa, Registers, Smmu,
    StreamId, SubstreamId, TimedOut, Transaction, Translation, cache,
};

use super::input::Input;
use super::watched::Watched;

const BASE: u64 = 0x4000_0000;
const SIZE: u64 = 0x4_0000;
/// The host's: stream table, tables of stage 2, queues.
const HOST: std::ops::Range<u64> = BASE..BASE + 0x8000;
/// The guest's: IPA 0 and up. All else is nobody's.
const GUEST: std::ops::Range<u64> = BASE + 0x1_0000..BASE + 0x2_0000;
/// Stage 2's level-3 table.
const LEVEL3: u64 = BASE + 0x5000;
const SID: StreamId = StreamId(5);
const VSID: StreamId = StreamId(0x21);
const VMID: u64 = 3;

struct Device {
    atc: Atc,
    silent: bool,
}

impl Endpoints for Device {
    fn atc_invalidate(&self, invalidation: &AtcInvalidation) -> Result<(), TimedOut> {
        assert_eq!(invalidation.sid, SID, "another device is asked to forget");
        if self.silent {
            return Err(TimedOut);
        }
        self.atc.invalidate(invalidation);
        Ok(())
    }
}

/// The physical queue; what it is given names this guest and nobody else.
struct Checked<H>(H);

impl<H: Host> Host for Checked<H> {
    fn issue(&mut self, commands: &[[u64; 2]]) -> Result<Issued, Stuck> {
        for [word0, _] in commands {
            match word0 & 0xff {
                0x10..=0x13 => assert_eq!(word0 >> 32 & 0xffff, VMID, "{word0:x}"),
                // The host's own, when stage 2 changes.
                0x2a => assert_eq!(word0 >> 32, VMID, "{word0:x}"),
                0x03 | 0x05 | 0x06 | 0x40 => assert_eq!(word0 >> 32, u64::from(SID.0), "{word0:x}"),
                _ => panic!("no guest may say {word0:x}"),
            }
        }
        self.0.issue(commands)
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let smmu = Smmu::new(Watched::new(BASE, SIZE), Features::all());
    smmu.set_event_queue(EventQueue::new(BASE + 0x7000, 4));
    smmu.configure(Registers {
        smmuen: true,
        atschk: true,
        cmdqen: true,
        eventqen: true,
        strtab_base: BASE,
        strtab_log2size: 3,
        ..Registers::RESET
    });
    let parent = stage2(smmu.memory());
    let mut viommu = Viommu::new(parent).expect("stage 2 alone");
    viommu.devices.add(VSID, SID).expect("the first device");
    let vste = [input.word(), input.word()];
    let Ok(vste) = VirtualSte::validate(vste) else {
        return;
    };
    let ste = viommu.attach(SID, &vste, true).expect("it has a vDEVICE");
    let [exact, silent] = input.flags();
    let contract = [Contract::Linux, Contract::Exact][usize::from(exact)];
    let device = Device {
        atc: Atc::new(SID, 8),
        silent,
    };
    let mut host = Checked(HostQueue::new(&smmu, &device, BASE + 0x6000, 7));
    let mut parent = NestParent::new();
    parent
        .attach(&mut host, SID, viommu.vmid(), vste.ats(), &mut |store| {
            let (at, words) = (BASE + u64::from(SID.0) * 64, ste.words());
            match store {
                SteStore::Rest => smmu.memory().put(at + 8, &words[1..]),
                SteStore::First => smmu.memory().put(at, &words[..1]),
            }
        })
        .expect("the queue works");
    let mut events = VirtualEvents::new(4);
    let mut guest = Pages([true; PAGES]);
    let mut fast = smmu.tbu_with(cache::Fast::new(6, 4, 4)).expect("a seat");
    let mut none = smmu.tbu_with(cache::NoCaches).expect("a seat");
    while !input.is_empty() {
        match input.byte() % 5 {
            0 => {
                let at = u64::from(input.half()) * 8 % (GUEST.end - GUEST.start);
                smmu.memory().put(GUEST.start + at, &[input.word()]);
            }
            1 => {
                let transaction = transaction(&mut input);
                for answer in [
                    fast.burst().translate(&transaction),
                    none.burst().translate(&transaction),
                ] {
                    match answer {
                        Ok(translation) => guest.hold_all_of(&translation),
                        Err(refusal) => {
                            let event = refusal.event.iter();
                            event.for_each(|event| _ = events.report(&viommu.devices, event));
                        }
                    }
                }
            }
            2 => {
                let Transaction {
                    ssid,
                    address,
                    access,
                    ..
                } = transaction(&mut input);
                let answer = device
                    .atc
                    .translate(&mut fast.burst(), ssid, address, access);
                if let Ok(Translation { pa, .. }) = answer {
                    assert!(guest.has(pa.0), "the device reaches {pa:x?}");
                }
            }
            3 => {
                let count = input.byte() % 8;
                let commands: Vec<_> = (0..count).map(|_| [input.word(), input.word()]).collect();
                let invalidated = viommu.invalidate(&mut host, contract, &commands);
                assert!(invalidated.entry_num <= commands.len());
            }
            _ => {
                guest.check(smmu.memory());
                let page = usize::from(input.byte()) % PAGES;
                let clear = &mut || smmu.memory().put(LEVEL3 + page as u64 * 8, &[0]);
                let first = Ipa(page as u64 * 0x1000);
                let unmapped = parent.unmap(&mut host, first, 1, clear);
                // With a device that does not answer, the page stays its own.
                guest.0[page] &= unmapped.is_err();
                // The TLB is told when the next access begins.
                let _ = fast
                    .burst()
                    .translate(&Transaction::new(SID, None, Iova(0), Access::READ));
                smmu.memory().forget();
            }
        }
    }
    guest.check(smmu.memory());
    while let Some(told) = events.read() {
        assert!(
            told.record
                .is_none_or(|record| record.word0.streamid() == VSID.0)
        );
    }
}

const PAGES: usize = 16;

/// Which pages are the guest's.
struct Pages([bool; PAGES]);

impl Pages {
    fn has(&self, address: u64) -> bool {
        GUEST.contains(&address) && self.0[((address - GUEST.start) / 0x1000) as usize]
    }

    /// Panics if the page that is promised is not the guest's, all of it.
    fn hold_all_of(&self, translation: &Translation) {
        let size = 1u64.checked_shl(translation.page_bits.into());
        let size = size.filter(|&size| size <= GUEST.end - GUEST.start);
        let size = size.unwrap_or_else(|| panic!("it reaches {translation:x?}"));
        let first = translation.pa.0 & !(size - 1);
        for page in (first..first + size).step_by(0x1000) {
            assert!(self.has(page), "it reaches {translation:x?}");
        }
    }

    /// Panics if the SMMU looked at what is not the guest's nor the host's.
    fn check(&self, memory: &Watched) {
        for page in memory.touched() {
            assert!(
                HOST.contains(&page) || self.has(page),
                "the SMMU looked at {page:x}"
            );
        }
    }
}

fn transaction(input: &mut Input<'_>) -> Transaction {
    let [write, instruction, privileged, present] = input.flags();
    let access = Access {
        write,
        instruction,
        privileged,
    };
    let ssid = SubstreamId(input.number() & 0xf_ffff);
    let ssid = present.then_some(ssid);
    Transaction::new(SID, ssid, Iova(input.word()), access)
}

/// Stage 2, 40 bits from level 1: IPA 0 to 0x10000 are the guest's pages, of all kinds of rights; one is missing.
fn stage2(memory: &Watched) -> Ste {
    let (level1, level2) = (BASE + 0x2000, BASE + 0x4000);
    memory.put(level1, &[level2 | 3]);
    memory.put(level2, &[LEVEL3 | 3]);
    for page in 0..16 {
        // Read and write, but for one page each that is read-only, write-only, not accessed yet, and missing.
        let (s2ap, af) = [(1, 1), (2, 1), (3, 0), (3, 1)][usize::min(page, 3)];
        let word = (GUEST.start + page as u64 * 0x1000) | s2ap << 6 | af << 10 | 3;
        memory.put(
            LEVEL3 + page as u64 * 8,
            &[if page == 4 { 0 } else { word }],
        );
    }
    let word2 = VMID | 24 << 32 | 1 << 38 | 6 << 48 | 1 << 51 | 1 << 58;
    Ste::from_words([1 | 6 << 1, 0, word2, level1, 0, 0, 0, 0])
}
