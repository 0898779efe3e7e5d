//! Memory that Linux's driver wrote: see `tests/data/README.md`.

use std::path::{Path, PathBuf};

use engine::{
    Features, Iova, Registers, Rights, Smmu, StreamId, StreamTableFormat, Transaction, cache,
};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::support::guest::{READ, WRITE};

fn rows(folder: &Path, file: &str) -> Vec<Vec<String>> {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn number(text: &str) -> u64 {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The machine as it was paused.
fn machine(folder: &Path) -> Smmu<GuestMemoryMmap<()>> {
    let ram = [(GuestAddress(0x4000_0000), 0x4000_0000)];
    let memory = GuestMemoryMmap::from_ranges(&ram).expect("a GiB of lazily allocated memory");
    let bytes = std::fs::read(folder.join("mem.bin")).expect("mem.bin");
    for piece in rows(folder, "mem.idx") {
        let [physical, length, offset] = [0, 1, 2].map(|column| number(&piece[column]));
        let piece = &bytes[offset as usize..(offset + length) as usize];
        memory
            .write_slice(piece, GuestAddress(physical))
            .expect("the piece lies in RAM");
    }
    let registers = rows(folder, "regs.txt");
    let register = |name: &str| {
        let row = registers.iter().find(|row| row[2] == name);
        number(&row.expect("every register was read")[3])
    };
    let config = register("STRTAB_BASE_CFG");
    let smmu = Smmu::new(memory, Features::qemu_10_0());
    smmu.configure(Registers {
        smmuen: register("CR0") % 2 == 1,
        recinvsid: true,
        strtab_base: register("STRTAB_BASE") & 0x000f_ffff_ffff_ffc0,
        strtab_log2size: (config & 63) as u8,
        strtab_format: match config >> 16 & 3 {
            0 => StreamTableFormat::Linear,
            _ => StreamTableFormat::TwoLevel {
                split: (config >> 6 & 31) as u8,
            },
        },
        ..Registers::RESET
    });
    smmu
}

/// What was reproduced.
#[derive(Debug, Default)]
struct Reproduced {
    /// Translations by stage and rights.
    by: [[usize; 4]; 3],
    /// Pages that were mapped anew to the same address with other rights between QEMU's answer and the pause.
    other_rights: usize,
}

/// Holds every translation against what QEMU answered.
fn reproduce(folder: &Path) -> Reproduced {
    let smmu = machine(folder);
    let mut uncached = smmu.tbu_with(cache::NoCaches).unwrap();
    let mut cached = smmu.tbu().unwrap();
    let mut seen = Reproduced::default();
    for row in rows(folder, "translations.tsv") {
        if row.len() > 6 && row[6] != "live" {
            continue;
        }
        let [sid, iova, pa, permission, stage] = [0, 1, 2, 3, 4].map(|column| number(&row[column]));
        let access = if permission & 1 == 1 { READ } else { WRITE };
        let transaction = Transaction::new(StreamId(sid as u32), None, Iova(iova), access);
        let answer = uncached
            .burst()
            .translate(&transaction)
            .unwrap_or_else(|refusal| panic!("{row:?}: {refusal:?}"));
        assert_eq!(answer.pa.0, pa, "{row:?}");
        let rights = [
            (answer.rights.contains(Rights::UNPRIVILEGED_READ), 1),
            (answer.rights.contains(Rights::UNPRIVILEGED_WRITE), 2),
        ];
        let rights = rights
            .iter()
            .fold(0, |sum, &(has, bit)| sum + if has { bit } else { 0 });
        seen.other_rights += usize::from(rights != permission);
        for _ in 0..2 {
            assert_eq!(
                cached.burst().translate(&transaction),
                Ok(answer),
                "{row:?}"
            );
        }
        seen.by[stage as usize][permission as usize] += 1;
    }
    seen
}

#[test]
fn every_live_translation_of_linux_is_reproduced_from_the_raw_bytes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/linux-6.1-mixed");
    let Reproduced {
        by: seen,
        other_rights,
    } = reproduce(&folder);
    assert_eq!(other_rights, 0);
    // Both stages, and every combination of rights that occurs: stage 1 cannot express write-only.
    assert!(seen[1][3] > 1000 && seen[1][1] > 0, "{seen:?}");
    assert!(
        seen[2][3] > 0 && seen[2][2] > 0 && seen[2][1] > 0,
        "{seen:?}"
    );
}

/// Set ENGINE_DUMPS to a folder of such folders to hold the engine against all of them.
#[test]
fn every_other_dump_that_is_at_hand() {
    let Some(folder) = std::env::var_os("ENGINE_DUMPS") else {
        eprintln!("ENGINE_DUMPS is not set: only the dump in tests/data is checked");
        return;
    };
    let mut dumps = 0;
    let (mut rows, mut other_rights) = (0, 0);
    for run in std::fs::read_dir(folder).expect("ENGINE_DUMPS names a folder") {
        let run = run.expect("readable").path();
        if !run.is_dir() {
            continue;
        }
        for dump in std::fs::read_dir(&run).expect("readable").flatten() {
            if dump.path().join("mem.idx").exists() {
                dumps += 1;
                let seen = reproduce(&dump.path());
                rows += seen.by.iter().flatten().sum::<usize>();
                other_rights += seen.other_rights;
            }
        }
    }
    assert!(dumps > 0, "ENGINE_DUMPS has no dumps");
    eprintln!(
        "{rows} translations of {dumps} dumps reproduced, of which {other_rights} have other rights by now"
    );
}
