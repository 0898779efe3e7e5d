//! Translation table walks, both stages: Arm ARM, D8.2 "Translation process"; Arm IHI 0070, 3.4 "Address sizes".

use vm_memory::GuestMemoryBackend;

use crate::access::Rights;
use crate::cache::{Leaf, Pages, Table};
use crate::context::{Context, Inherited, Region};
use crate::fault::{Fault, Origin, TranslationFault, stage1};
use crate::layout::{Class, Descriptor};
use crate::memory::Words;
use crate::mutant::{Mutant, on};
use crate::stream::Stage2;
use crate::tables::Entry;

/// What a walk reads and remembers.
pub(crate) struct Walker<'a, 'm, M: GuestMemoryBackend, P> {
    pub(crate) memory: &'a mut Words<'m, M>,
    pub(crate) pages: P,
}

/// What stage 1 alone says of an address.
pub(crate) struct Stage1Leaf {
    /// The intermediate address of the input itself, not of its page.
    pub(crate) ipa: u64,
    pub(crate) page_bits: u8,
    pub(crate) rights: Rights,
    pub(crate) global: bool,
}

impl<M: GuestMemoryBackend, P: Pages> Walker<'_, '_, M, P> {
    /// Translates `va` through stage 1, fetching descriptors through stage 2 if there is one.
    ///
    /// Rights are returned, not judged.
    #[inline(always)]
    pub(crate) fn stage1(
        &mut self,
        space: P::Owner,
        context: &Context,
        region: &Region,
        stage2: Option<&Stage2>,
        va: u64,
    ) -> Result<Stage1Leaf, Fault> {
        let tables = &region.tables;
        let known = self.pages.table1(space, tables, va);
        let direct = on(Mutant::B63TablesNotThroughStage2);
        let stage2 = if direct { None } else { stage2 };
        let mut physical = known.is_some() || stage2.is_none();
        let mut table = known.unwrap_or(Table {
            level: tables.start_level,
            base: tables.root,
            inherited: Inherited::default(),
        });
        for level in tables.levels_from(table.level) {
            let mut address = level.descriptor_at(table.base, va);
            if let (false, Some(stage2)) = (physical, stage2) {
                let page =
                    self.stage2_here(stage2, address, Class::Tt, Rights::UNPRIVILEGED_READ)?;
                address = page.address(address);
                // A table that lies in one page of stage 2 has one physical address, and can be remembered by it.
                let page_bits = tables.granule.page_bits();
                if table.level > tables.start_level && page.page_bits >= page_bits {
                    table.base = address >> page_bits << page_bits;
                    self.pages.keep_table1(space, tables, va, &table);
                }
            }
            let descriptor = self.descriptor(address, 0, false, Class::Tt)?;
            match level.entry(descriptor) {
                Entry::Invalid => return Err(stage1(TranslationFault::Translation)),
                Entry::Beyond => return Err(stage1(TranslationFault::AddrSize)),
                Entry::Leaf(base) => {
                    if !descriptor.af() && !context.affd {
                        return Err(stage1(TranslationFault::Access));
                    }
                    return Ok(Stage1Leaf {
                        ipa: base | (va & (level.unit - 1)),
                        page_bits: level.entry_bits,
                        rights: context.rights(descriptor, table.inherited),
                        global: (!descriptor.ng() || on(Mutant::EveryLeafGlobal))
                            && !on(Mutant::NoLeafGlobal),
                    });
                }
                Entry::Table(base) => {
                    table.level += 1;
                    table.base = base;
                    if !region.had && !on(Mutant::TablesTakeNothingAway) {
                        table.inherited = table.inherited.through(descriptor);
                    }
                }
            }
            physical = stage2.is_none();
            if physical {
                self.pages.keep_table1(space, tables, va, &table);
            }
        }
        unreachable!("level 3 has no tables")
    }

    /// Reads the descriptor at an offset from a physical address.
    #[inline(always)]
    fn descriptor(
        &mut self,
        table: u64,
        offset: u64,
        s2: bool,
        class: Class,
    ) -> Result<Descriptor, Fault> {
        let word = match self.memory.near_in(table, offset) {
            Some(word) => word,
            None => self
                .memory
                .far(table + offset)
                .map_err(|_| Fault::WalkEabt {
                    s2,
                    class,
                    fetch: table + offset,
                })?,
        };
        Ok(Descriptor::from_bits(word))
    }

    /// Translates `ipa` through stage 2, for an access that needs `needs`: one right, or any of several.
    ///
    /// # Errors
    /// Every stage-2 fault, with `class` and the address.
    #[inline(never)]
    pub(crate) fn stage2(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        class: Class,
        needs: Rights,
    ) -> Result<Leaf, Fault> {
        self.stage2_here(stage2, ipa, class, needs)
    }

    /// The same, as a part of its caller.
    #[inline(always)]
    pub(crate) fn stage2_here(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        class: Class,
        needs: Rights,
    ) -> Result<Leaf, Fault> {
        let vm = self.pages.vm(stage2.vmid);
        if let Some(leaf) = self.pages.stage2(vm, ipa)
            && leaf.rights.meets(needs)
        {
            return Ok(leaf);
        }
        let leaf = self.walk2(vm, stage2, ipa, class)?;
        self.pages.keep_stage2(vm, ipa, &leaf);
        if leaf.rights.meets(needs) {
            Ok(leaf)
        } else {
            Err(Fault::Translation(
                TranslationFault::Permission,
                Origin::Stage2 { class, ipa },
            ))
        }
    }

    #[inline(always)]
    fn walk2(
        &mut self,
        vm: P::Owner,
        stage2: &Stage2,
        ipa: u64,
        class: Class,
    ) -> Result<Leaf, Fault> {
        let fault = |kind| Err(Fault::Translation(kind, Origin::Stage2 { class, ipa }));
        let tables = &stage2.tables;
        if !tables.hold(ipa) {
            return fault(TranslationFault::Translation);
        }
        let mut table = self.pages.table2(vm, tables, ipa).unwrap_or(Table {
            level: tables.start_level,
            base: tables.root,
            inherited: Inherited::default(),
        });
        for level in tables.levels_from(table.level) {
            let descriptor = self.descriptor(table.base, level.offset(ipa), true, class)?;
            match level.entry(descriptor) {
                Entry::Invalid => return fault(TranslationFault::Translation),
                Entry::Beyond => return fault(TranslationFault::AddrSize),
                Entry::Leaf(base) => {
                    if !descriptor.af() && !stage2.affd && !on(Mutant::AccessFlagIgnored) {
                        return fault(TranslationFault::Access);
                    }
                    return Ok(Leaf {
                        base,
                        page_bits: level.entry_bits,
                        rights: stage2_rights(descriptor),
                        global: false,
                        named_bits: level.entry_bits,
                    });
                }
                Entry::Table(base) => {
                    table.level += 1;
                    table.base = base;
                }
            }
            self.pages.keep_table2(vm, tables, ipa, &table);
        }
        unreachable!("level 3 has no tables")
    }
}

/// S2AP and XN, which make no difference between privileges: Arm ARM, D8.4.
#[inline]
fn stage2_rights(leaf: Descriptor) -> Rights {
    /// By S2AP in bits 1:0, and XN in bit 2.
    const GRANTED: [Rights; 8] = {
        let data = [
            Rights::NONE,
            Rights::READ,
            Rights::WRITE,
            Rights::READ.or(Rights::WRITE),
        ];
        let mut granted = [Rights::NONE; 8];
        let mut bits = 0;
        while bits < 8 {
            granted[bits] = if bits & 4 == 0 {
                data[bits].or(Rights::EXECUTE)
            } else {
                data[bits & 3]
            };
            bits += 1;
        }
        granted
    };
    let mut bits = leaf.into_bits();
    if on(Mutant::S2XnIgnored) {
        bits &= !(1 << 54);
    }
    GRANTED[(bits >> 6 & 3 | bits >> 52 & 4) as usize]
}
