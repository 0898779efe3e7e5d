//! Everything that software made, as it means it: tables, STEs, CDs; and the same as words in memory.

mod build;
mod structures;

use std::collections::BTreeMap;

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::config::{Cd, Link, Ste};
use super::geometry::Layout;
use super::past::{Past, Pending, RecordId};
use super::shape::{SPACES, STREAMS, Shape, VMS};
use super::table::{Entry, Node, NodeId, Owner, bits};

/// Guest memory. What lies above [`RAM`] is only ever a translation's result.
pub type Memory = GuestMemoryMmap<()>;
pub const RAM: u64 = 1 << 30;
/// Queues lie below.
pub const FREE: u64 = 0x20_0000;
/// Intermediate addresses of guests' tables.
const POOL: u64 = 0x1000_0000;
/// An address without memory, for tables that lead nowhere.
pub const NOWHERE: u64 = 0x3_0000_0000;

pub struct Vm {
    pub stage2: Option<NodeId>,
    /// TTB1 of all its spaces: where global entries may be, for they are the same under every ASID.
    pub kernel: NodeId,
    next: u64,
    /// Where the pages of its tables are.
    pub pool: BTreeMap<u64, u64>,
    /// It has written garbage: only isolation is asked for.
    pub hostile: bool,
}

pub struct Space {
    pub vm: usize,
    pub root: NodeId,
    pub asid: u16,
    /// ASIDs that it had, of which there may be entries.
    pub old: Vec<(u16, RecordId)>,
    pub epd: [bool; 2],
}

pub struct Slot {
    pub ssid: u32,
    /// Where its CD lies.
    pub at: u64,
    pub cd: Past<Cd>,
}

pub struct Device {
    pub sid: u32,
    pub vm: usize,
    pub fmt: u8,
    pub cdmax: u8,
    /// The CD table, and where each L1CD leads.
    pub table: u64,
    pub leaves: BTreeMap<u32, u64>,
    pub l1cds: BTreeMap<u32, Past<Link>>,
    pub ste: Past<Ste>,
    pub slots: Vec<Slot>,
}

impl Device {
    /// Where CDs are looked for whose L1CD has gone astray: for a guest in memory that may be mapped, for its devices.
    pub fn astray(&self) -> u64 {
        if self.vm == 0 { NOWHERE } else { 0 }
    }

    /// Log2 of the SubstreamIDs of an L1CD.
    pub fn cd_split(&self) -> Option<u8> {
        [None, Some(6), Some(10)][usize::from(self.fmt)]
    }
}

pub struct World {
    pub shape: Shape,
    pub memory: Memory,
    next: u64,
    pub pending: Pending,
    pub nodes: Vec<Node>,
    pub vms: Vec<Vm>,
    pub spaces: Vec<Space>,
    pub devices: Vec<Device>,
    pub stream_table: u64,
    /// Level-2 arrays, by StreamID divided by 2^split; where their L1STDs lead.
    pub l1stds: BTreeMap<u32, (u64, Past<Link>)>,
    outputs: u64,
}

impl World {
    /// Spaces with a page each, CDs that use them, and streams that are on.
    pub fn new(shape: &Shape) -> Self {
        let memory = Memory::from_ranges(&[(GuestAddress(0), RAM as usize)])
            .expect("memory that nobody touches costs nothing");
        let mut world = World {
            shape: shape.clone(),
            memory,
            next: FREE,
            pending: Pending::default(),
            nodes: Vec::new(),
            vms: Vec::new(),
            spaces: Vec::new(),
            devices: Vec::new(),
            stream_table: 0,
            l1stds: BTreeMap::new(),
            outputs: 0,
        };
        (0..VMS).for_each(|vm| world.add_vm(vm));
        (0..STREAMS.len()).for_each(|device| world.add_device(device));
        world.write_stream_table();
        world
    }

    pub fn node(&self, NodeId(node): NodeId) -> &Node {
        &self.nodes[node]
    }

    pub fn node_mut(&mut self, NodeId(node): NodeId) -> &mut Node {
        &mut self.nodes[node]
    }

    /// In whose intermediate addresses an owner's tables lie: 0 for physical ones.
    pub fn lies_in(&self, owner: Owner) -> usize {
        match owner {
            Owner::Space(space) => self
                .spaces
                .get(space)
                .map_or(space / SPACES, |space| space.vm),
            Owner::Kernel(vm) => vm,
            Owner::Stage2(_) => 0,
        }
    }

    fn add_root(&mut self, owner: Owner, layout: Layout) -> NodeId {
        self.add_node(owner, layout, layout.start, 0)
    }

    /// A table, all of whose entries are invalid.
    pub fn add_node(&mut self, owner: Owner, layout: Layout, level: u8, base: u64) -> NodeId {
        let at = self.area(self.lies_in(owner), layout.table_bytes(level));
        self.nodes.push(Node {
            at,
            layout,
            level,
            owner,
            base,
            entries: BTreeMap::new(),
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Zeroed memory of `bytes`, a power of two, aligned to them.
    fn area(&mut self, vm: usize, bytes: u64) -> u64 {
        let bytes = bytes.next_power_of_two().max(64);
        let Some(root) = self.vms[vm].stage2 else {
            return self.physical_area(bytes);
        };
        let at = self.vms[vm].next.next_multiple_of(bytes);
        self.vms[vm].next = at + bytes;
        let granule = self.node(root).layout.granule;
        for page in (at >> granule)..=((at + bytes - 1) >> granule) {
            if !self.vms[vm].pool.contains_key(&page) {
                let physical = self.physical_area(1 << granule);
                self.vms[vm].pool.insert(page, physical);
                let leaf = Entry::Leaf {
                    output: physical,
                    attributes: bits::S2_READ | bits::S2_WRITE | bits::AF,
                };
                let (node, index) = self
                    .descend(root, page << granule, 3, 0)
                    .expect("nothing else is mapped among tables");
                self.set_entry(node, index, leaf, None);
            }
        }
        at
    }

    fn physical_area(&mut self, bytes: u64) -> u64 {
        let at = self.next.next_multiple_of(bytes);
        self.next = at + bytes;
        assert!(
            self.next <= RAM,
            "a run needs more tables than there is memory"
        );
        at
    }

    /// Where software writes what hardware calls `at`.
    pub fn physical(&self, vm: usize, at: u64) -> u64 {
        match self.vms[vm].stage2 {
            None => at,
            Some(root) => {
                let granule = self.node(root).layout.granule;
                self.vms[vm].pool[&(at >> granule)] | at & ((1 << granule) - 1)
            }
        }
    }

    pub fn write(&self, vm: usize, at: u64, word: u64) {
        let at = GuestAddress(self.physical(vm, at));
        self.memory
            .write_obj(word, at)
            .expect("tables lie in memory");
    }

    fn write_words(&self, vm: usize, at: u64, words: &[u64]) {
        for (&word, at) in words.iter().zip((at..).step_by(8)) {
            self.write(vm, at, word);
        }
    }

    /// The table at `level` that translates an input, and the entry's index; tables are made where nothing is. `None` if something
    /// else is in the way, or could still be seen there.
    pub fn descend(
        &mut self,
        root: NodeId,
        input: u64,
        level: u8,
        limits: u64,
    ) -> Option<(NodeId, u64)> {
        let mut at = root;
        loop {
            let node = self.node(at);
            let (layout, here) = (node.layout, node.level);
            let index = layout.index(here, input);
            if here == level {
                return Some((at, index));
            }
            let entry = node.entries.get(&index);
            at = match entry.map_or(Entry::Invalid(0), |entry| entry.now) {
                Entry::Table { node, .. } => node,
                Entry::Invalid(_) => {
                    if entry.is_some_and(|entry| !entry.settled(&self.pending)) {
                        return None;
                    }
                    let covers = layout.entry_bits(here);
                    let owner = node.owner;
                    let next = self.add_node(owner, layout, here + 1, input >> covers << covers);
                    let entry = Entry::Table { node: next, limits };
                    self.set_entry(at, index, entry, None);
                    next
                }
                Entry::Leaf { .. } | Entry::Nowhere(_) => return None,
            };
        }
    }

    /// The deepest entry that there is for an input, down to `level`.
    pub fn find(&self, root: NodeId, input: u64, level: u8) -> (NodeId, u64, Entry) {
        let mut at = root;
        loop {
            let node = self.node(at);
            let index = node.layout.index(node.level, input);
            let entry = node.entries.get(&index);
            let entry = entry.map_or(Entry::Invalid(0), |entry| entry.now);
            match entry {
                Entry::Table { node: next, .. } if node.level < level => at = next,
                entry => return (at, index, entry),
            }
        }
    }

    /// Writes an entry, with one 64-bit store.
    pub fn set_entry(&mut self, at: NodeId, index: u64, entry: Entry, record: Option<RecordId>) {
        let node = self.node(at);
        let word = node.encode(entry, |node| self.node(node).at);
        self.write(self.lies_in(node.owner), node.at + index * 8, word);
        self.node_mut(at)
            .entries
            .entry(index)
            .or_insert_with(|| Past::new(Entry::Invalid(0)))
            .set(entry, record);
    }

    /// An address that is seldom used twice, aligned to 2^entry, of `most` bits if that is possible, and never where memory is.
    pub fn fresh_output(&mut self, entry: u8, most: u8) -> u64 {
        const ABOVE: u8 = 36;
        self.outputs += 1;
        if entry >= most {
            return 1 << entry;
        }
        let unit = entry.max(ABOVE);
        let high = 1 + self.outputs % ((1 << (most - unit)) - 1);
        let low = self.outputs % (1 << (unit - entry));
        high << unit | low << entry
    }

    /// The ASIDs of a VM that there may be entries of, in the spaces that use a table.
    pub fn tags(&self, owner: Owner) -> Vec<u16> {
        let uses = |index: usize, space: &Space| match owner {
            Owner::Space(of) => index == of,
            Owner::Kernel(vm) => space.vm == vm,
            Owner::Stage2(_) => false,
        };
        let spaces = self.spaces.iter().enumerate();
        spaces
            .filter(|(index, space)| uses(*index, space))
            .flat_map(|(_, space)| {
                let old = space.old.iter();
                let old =
                    old.filter(|(_, record)| self.pending.shows(*record, super::past::View::Atc));
                std::iter::once(space.asid).chain(old.map(|(asid, _)| *asid))
            })
            .collect()
    }
}
