//! What a world looks like: the choices that stay the same during a run. Each is a small number that picks from a table, so that a
//! shrunk world is one of zeros.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::geometry::{GRANULES, Layout};

/// VM 0 is the host, whose streams have no stage 2; the others are guests.
pub const VMS: usize = 3;
/// Spaces of each VM.
pub const SPACES: usize = 2;
/// StreamIDs: neighbours and strangers in stream tables of every split. VM n's are those whose index is n modulo 3.
pub const STREAMS: [u32; 8] = [0x000, 0x001, 0x03f, 0x040, 0x0ff, 0x100, 0x3ff, 0x5a5];
/// Log2 of the stream table's entries.
pub const STREAM_BITS: u8 = 11;
/// VMIDs, the host's first: some differ in one bit only.
pub const VMIDS: [u16; VMS] = [0, 1, 0x8001];

/// Granule, size and start level that STE.{S2TG,S2T0SZ,S2SL0} can say together; roots of one table and of up to sixteen.
const STAGE2: [(u8, u8, u8); 12] = [
    (12, 39, 1),
    (12, 42, 1),
    (12, 48, 0),
    (12, 34, 2),
    (14, 40, 2),
    (14, 47, 1),
    (14, 36, 2),
    (16, 42, 2),
    (16, 46, 2),
    (16, 48, 1),
    (16, 52, 1),
    (12, 32, 1),
];

/// Sizes of stage-1 inputs, with every granule: from one level to four.
const STAGE1: [u8; 8] = [39, 48, 25, 30, 36, 42, 47, 52];

/// CD tables: STE.S1Fmt and STE.S1CDMax.
const CD_TABLES: [(u8, u8); 8] = [
    (0, 2),
    (0, 0),
    (0, 7),
    (1, 7),
    (1, 12),
    (2, 11),
    (2, 12),
    (1, 3),
];

/// CD.IPS, STE.S2PS: encoding and bits.
const SIZES: [(u8, u8); 4] = [(5, 48), (2, 40), (4, 44), (6, 52)];

/// One world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// Linear, or two levels with a split of 6, 8 or 10.
    pub stream_table: u8,
    /// Commands are consumed as soon as they are in the queue, or when CMD_SYNC is.
    pub late: bool,
    /// Everything that can be mapped is, to begin with.
    pub full: bool,
    /// Stage 2 of each guest, and its output size.
    pub stage2: [(u8, u8); VMS],
    /// CD.IPS of each VM.
    pub ips: [u8; VMS],
    /// Granule and size of TTB0 of each space, and of TTB1 of each VM.
    pub stage1: [[(u8, u8); SPACES + 1]; VMS],
    /// CD tables by device.
    pub cd_tables: [u8; STREAMS.len()],
}

impl Shape {
    /// What shapes shrink to: 4 KiB granules, linear tables.
    pub const SMALLEST: Shape = Shape {
        stream_table: 0,
        late: false,
        full: false,
        stage2: [(0, 0); VMS],
        ips: [0; VMS],
        stage1: [[(0, 0); SPACES + 1]; VMS],
        cd_tables: [0; STREAMS.len()],
    };

    pub fn any() -> impl Strategy<Value = Shape> {
        let stage1 = any::<[[(u8, u8); SPACES + 1]; VMS]>();
        let parts = (
            any::<u8>(),
            any::<[bool; 2]>(),
            any::<[(u8, u8); VMS]>(),
            any::<[u8; VMS]>(),
            stage1,
            any::<[u8; 8]>(),
        );
        parts.prop_map(
            |(stream_table, [late, full], stage2, ips, stage1, cd_tables)| Shape {
                stream_table,
                late,
                full,
                stage2,
                ips,
                stage1,
                cd_tables,
            },
        )
    }

    /// SMMU_STRTAB_BASE_CFG.SPLIT, of a two-level stream table.
    pub fn split(&self) -> Option<u8> {
        [None, Some(6), Some(8), Some(10)][usize::from(self.stream_table % 4)]
    }

    pub fn stage2_layout(&self, vm: usize) -> Layout {
        let (granule, input_bits, start) = pick(&STAGE2, self.stage2[vm].0);
        Layout {
            granule,
            input_bits,
            start,
        }
    }

    /// STE.S2PS: encoding and bits.
    pub fn s2ps(&self, vm: usize) -> (u8, u8) {
        wide(
            pick(&SIZES, self.stage2[vm].1),
            self.stage2_layout(vm).granule,
        )
    }

    /// CD.IPS: encoding and bits.
    pub fn ips(&self, vm: usize) -> (u8, u8) {
        pick(&SIZES[..3], self.ips[vm])
    }

    /// TTB0 of one of a VM's spaces, or with `SPACES` TTB1.
    pub fn stage1_layout(&self, vm: usize, space: usize) -> Layout {
        let (granule, bits) = self.stage1[vm][space];
        let granule = pick(&GRANULES, granule);
        let bits = pick(&STAGE1, bits);
        // 52 bits need the 64 KiB granule: SMMU_IDR5.VAX.
        let most = if granule == 16 { 52 } else { 48 };
        Layout::stage1(granule, bits.min(most))
    }

    /// STE.S1Fmt and STE.S1CDMax.
    pub fn cd_table(&self, device: usize) -> (u8, u8) {
        pick(&CD_TABLES, self.cd_tables[device])
    }
}

/// 52 bits need the 64 KiB granule.
fn wide(size: (u8, u8), granule: u8) -> (u8, u8) {
    if granule == 16 {
        size
    } else {
        (size.0.min(5), size.1.min(48))
    }
}

fn pick<T: Copy>(from: &[T], pick: u8) -> T {
    from[usize::from(pick) % from.len()]
}
