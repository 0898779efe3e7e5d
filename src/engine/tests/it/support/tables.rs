//! A builder of translation tables for either stage.

use std::collections::HashMap;

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// Page size, input size and start level of a set of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a page: 4, 16 or 64 KiB.
    pub page: u64,
    /// Bits of input addresses.
    pub input_bits: u8,
    /// The level of the start table.
    pub start: u8,
}

impl Shape {
    /// Bytes that an entry at `level` maps.
    pub fn covers(&self, level: u8) -> u64 {
        (level..3).fold(self.page, |bytes, _| bytes * (self.page / 8))
    }

    /// Entries of the start table (or tables, concatenated).
    pub fn start_entries(&self) -> u64 {
        let space = 1u128 << self.input_bits;
        u64::try_from(space / u128::from(self.covers(self.start))).expect("a start table is small")
    }

    /// A stage-1 shape: the start level is the first that resolves no more than one table's worth.
    pub fn stage1(page: u64, input_bits: u8) -> Self {
        let lowest = if page == 0x1_0000 { 1 } else { 0 };
        let start = (lowest..=3)
            .find(|&start| {
                let shape = Shape {
                    page,
                    input_bits,
                    start,
                };
                1u128 << input_bits > u128::from(shape.covers(start))
            })
            .expect("some level resolves bits");
        Shape {
            page,
            input_bits,
            start,
        }
    }
}

/// Tables in memory, and what they were meant to say.
#[derive(Debug)]
pub struct Tree {
    pub shape: Shape,
    /// Address of the start table, as hardware is told.
    pub root: u64,
    /// Table descriptors' permission bits by (level, input / covers(level)).
    table_bits: HashMap<(u8, u64), u64>,
    leaves: Vec<Leaf>,
}

/// A mapping as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub input: u64,
    pub output: u64,
    pub bytes: u64,
    pub level: u8,
    /// The descriptor's bits other than type and address.
    pub attributes: u64,
}

/// Where pages for tables come from: hardware's address and ours.
pub trait Pages {
    /// A zeroed area of `bytes`, aligned to them, as hardware addresses it.
    fn area(&mut self, bytes: u64) -> u64;
    /// Where we write what hardware calls `address`.
    fn physical(&self, address: u64) -> u64;
    fn memory(&self) -> &GuestMemoryMmap<()>;

    fn write(&self, address: u64, word: u64) {
        self.memory()
            .write_obj(word, GuestAddress(self.physical(address)))
            .expect("tables lie in memory");
    }

    fn read(&self, address: u64) -> u64 {
        self.memory()
            .read_obj(GuestAddress(self.physical(address)))
            .expect("tables lie in memory")
    }
}

impl Tree {
    pub fn new(shape: Shape, pages: &mut impl Pages) -> Self {
        let root = pages.area((shape.start_entries() * 8).max(64));
        Tree {
            shape,
            root,
            table_bits: HashMap::new(),
            leaves: Vec::new(),
        }
    }

    fn slot(&self, table: u64, level: u8, input: u64) -> u64 {
        let entries = if level == self.shape.start {
            self.shape.start_entries()
        } else {
            self.shape.page / 8
        };
        table + input / self.shape.covers(level) % entries * 8
    }

    /// Maps a block or page at `level`; new tables get `table_bits`. `false` if something is mapped there already.
    pub fn map(
        &mut self,
        pages: &mut impl Pages,
        input: u64,
        output: u64,
        level: u8,
        attributes: u64,
        table_bits: u64,
    ) -> bool {
        let bytes = self.shape.covers(level);
        assert!(
            input.is_multiple_of(bytes)
                && output.is_multiple_of(bytes)
                && level >= self.shape.start,
            "the test maps what cannot be mapped"
        );
        let mut table = self.root;
        for above in self.shape.start..level {
            let slot = self.slot(table, above, input);
            match pages.read(slot) {
                0 => {
                    let next = pages.area(self.shape.page);
                    pages.write(slot, fold52(next, self.shape.page) | 0b11 | table_bits);
                    let at = (above, input / self.shape.covers(above));
                    self.table_bits.insert(at, table_bits);
                    table = next;
                }
                block if block & 2 == 0 => return false,
                word => table = unfold52(word, self.shape.page),
            }
        }
        let slot = self.slot(table, level, input);
        if pages.read(slot) != 0 {
            return false;
        }
        let kind = if level == 3 { 0b11 } else { 0b01 };
        pages.write(slot, fold52(output, self.shape.page) | kind | attributes);
        self.leaves.push(Leaf {
            input,
            output,
            bytes,
            level,
            attributes,
        });
        true
    }

    /// The address of the leaf descriptor that maps `input`, as hardware knows it.
    pub fn leaf_slot(&self, pages: &impl Pages, leaf: &Leaf) -> u64 {
        let mut table = self.root;
        for above in self.shape.start..leaf.level {
            table = unfold52(
                pages.read(self.slot(table, above, leaf.input)),
                self.shape.page,
            );
        }
        self.slot(table, leaf.level, leaf.input)
    }

    /// Takes a mapping away.
    pub fn unmap(&mut self, pages: &impl Pages, leaf: &Leaf) {
        pages.write(self.leaf_slot(pages, leaf), 0);
        self.leaves.retain(|kept| kept != leaf);
    }

    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    pub fn find(&self, input: u64) -> Option<&Leaf> {
        self.leaves
            .iter()
            .find(|leaf| leaf.input <= input && input - leaf.input < leaf.bytes)
    }

    /// All permission bits of tables above a leaf.
    pub fn bits_above(&self, leaf: &Leaf) -> u64 {
        (self.shape.start..leaf.level).fold(0, |bits, level| {
            let at = (level, leaf.input / self.shape.covers(level));
            bits | self.table_bits.get(&at).copied().unwrap_or(0)
        })
    }
}

/// With 64 KiB pages, address bits 51:48 lie in descriptor bits 15:12.
fn fold52(address: u64, page: u64) -> u64 {
    if page == 0x1_0000 {
        (address % (1 << 48)) | (address / (1 << 48) % 16 * 0x1000)
    } else {
        address
    }
}

fn unfold52(word: u64, page: u64) -> u64 {
    let low = word % (1 << 48) / page * page;
    if page == 0x1_0000 {
        low | (word / 0x1000 % 16 * (1 << 48))
    } else {
        low
    }
}
