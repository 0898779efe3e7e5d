//! A device writes through an SMMU: memory, one page of tables, an STE and a CD, an unmap with its invalidation.
//!
//! `cargo run -p engine --example dma`

use engine::layout::{
    Cd, CdWord0, CdWord1, Command, Descriptor, RangeHint, Ste, SteWord0, SyncSignal,
};
use engine::{Asid, CommandQueue, Features, Iova, Registers, Smmu, Stopped, StreamId, Vmid};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const STREAM_TABLE: u64 = 0x1000;
const CONTEXT: u64 = 0x2000;
const TABLE: u64 = 0x3000;
const QUEUE: u64 = 0x4000;
const BUFFER: u64 = 0x8000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), 0x10000)])?;
    let write = |at: u64, words: &[u64]| {
        words
            .iter()
            .zip((at..).step_by(8))
            .try_for_each(|(&word, at)| memory.write_obj(word, GuestAddress(at)))
    };

    // An address space of 25 bits, 4 KiB pages: one level-2 table, of which entry 0 leads to the page's table.
    let leaf = Descriptor::new().with_ap(1).with_af(true).with_ng(true);
    let page_table = TABLE + 0x2000;
    write(TABLE, &[page_table | 3])?;
    write(page_table + 5 * 8, &[BUFFER | leaf.into_bits() | 3])?;

    let context = Cd {
        word0: CdWord0::new()
            .with_v(true)
            .with_aa64(true)
            .with_t0sz(39)
            .with_epd1(true)
            .with_ips(2)
            .with_a(true)
            .with_r(true)
            .with_asid(1),
        word1: CdWord1::new().with_ttb0_51_4(TABLE >> 4),
        ..Cd::from_words([0; 8])
    };
    write(CONTEXT, &context.words())?;
    let stream = Ste {
        word0: SteWord0::new()
            .with_v(true)
            .with_config(5)
            .with_s1contextptr_55_6(CONTEXT >> 6),
        ..Ste::from_words([0; 8])
    };
    write(STREAM_TABLE, &stream.words())?;

    let smmu = Smmu::new(memory.clone(), Features::all());
    smmu.configure(Registers {
        smmuen: true,
        cmdqen: true,
        strtab_base: STREAM_TABLE,
        ..Registers::RESET
    });

    // The device: page 5 of its address space is BUFFER.
    let mut tbu = smmu.tbu()?;
    let device = StreamId(0);
    tbu.burst()
        .write(device, None, Iova(0x5123), b"through two tables")
        .map_err(|refusal| format!("{refusal:?}"))?;
    let mut there = [0; 18];
    memory.read_slice(&mut there, GuestAddress(BUFFER + 0x123))?;
    println!("{}", std::str::from_utf8(&there)?);

    // The guest unmaps the page, says so, and waits.
    write(page_table + 5 * 8, &[0])?;
    let commands = [
        Command::TlbiNhVa {
            vmid: Vmid(0),
            asid: Asid(1),
            address: Iova(0x5000),
            leaf: true,
            hint: RangeHint::default(),
        },
        Command::Sync(SyncSignal::None),
    ];
    let mut queue = CommandQueue::new(QUEUE, 4);
    write(QUEUE, &commands.map(Command::encode).concat())?;
    queue.set_prod(2);
    assert_eq!(smmu.consume_all(&mut queue, &()), Stopped::Empty);

    let refusal = tbu
        .burst()
        .write(device, None, Iova(0x5123), b"again")
        .expect_err("the page is gone");
    println!(
        "{:?}, event {:#04x}",
        refusal.outcome,
        refusal.event.map_or(0, |event| event.word0.id())
    );
    Ok(())
}
