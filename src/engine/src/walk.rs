//! Translation table walks, both stages: Arm ARM, D8.2 "Translation process"; Arm IHI 0070, 3.4 "Address sizes".

use vm_memory::GuestMemoryBackend;

use crate::access::Rights;
use crate::cache::{Caches, Leaf, Space, Table, TableOf};
use crate::context::{Context, Inherited, Region};
use crate::fault::{Fault, Origin, TranslationFault, stage1};
use crate::features::{Features, fits};
use crate::layout::{Class, Descriptor, Granule, Kind};
use crate::memory::read_word;
use crate::stream::Stage2;

/// What a walk reads and remembers.
pub(crate) struct Walker<'a, M, C> {
    pub(crate) memory: &'a M,
    pub(crate) features: &'a Features,
    pub(crate) caches: &'a mut C,
}

/// What stage 1 alone says of an address.
pub(crate) struct Stage1Leaf {
    /// The intermediate address of the input itself, not of its page.
    pub(crate) ipa: u64,
    pub(crate) page_bits: u8,
    pub(crate) rights: Rights,
    pub(crate) global: bool,
}

impl<M: GuestMemoryBackend, C: Caches> Walker<'_, M, C> {
    /// Whether descriptors of the 64 KiB granule hold address bits 51:48.
    const fn lpa(&self) -> bool {
        self.features.oas >= 52
    }

    /// Translates `va` through stage 1, fetching descriptors through stage 2 if there is one.
    ///
    /// Rights are returned, not judged.
    pub(crate) fn stage1(
        &mut self,
        space: Space,
        context: &Context,
        region: &Region,
        stage2: Option<&Stage2>,
        va: u64,
    ) -> Result<Stage1Leaf, Fault> {
        let (lpa, tables) = (self.lpa(), &region.tables);
        let granule = tables.granule;
        let known = self
            .caches
            .table(TableOf::Stage1(space), granule, tables.start_level, va);
        let (mut level, mut base, mut inherited, mut physical) = match known {
            Some(table) => (table.level, table.base, table.inherited, true),
            None => (
                tables.start_level,
                tables.root,
                Inherited::default(),
                stage2.is_none(),
            ),
        };
        loop {
            let mut address = tables.descriptor_at(base, level, va);
            if let (false, Some(stage2)) = (physical, stage2) {
                let page = self.stage2(stage2, address, Class::Tt, Rights::UNPRIVILEGED_READ)?;
                address = page.address(address);
                // A table that lies in one page of stage 2 has one physical address, and can be remembered by it.
                if level > tables.start_level && page.page_bits >= granule.page_bits() {
                    let base = address >> granule.page_bits() << granule.page_bits();
                    self.keep_table1(space, granule, va, level, base, inherited);
                }
            }
            let descriptor = read_word(self.memory, address).map_err(|_| Fault::WalkEabt {
                s2: false,
                class: Class::Tt,
                fetch: address,
            })?;
            let descriptor = Descriptor::from_bits(descriptor);
            let kind = descriptor.kind(granule, level, lpa);
            if kind == Kind::Invalid {
                return Err(stage1(TranslationFault::Translation));
            }
            let output = descriptor.address(granule, kind, level, lpa);
            if !fits(output, context.oa_bits) {
                return Err(stage1(TranslationFault::AddrSize));
            }
            if kind == Kind::Leaf {
                if !descriptor.af() && !context.affd {
                    return Err(stage1(TranslationFault::Access));
                }
                let page_bits = granule.entry_bits(level);
                return Ok(Stage1Leaf {
                    ipa: output | (va & ((1 << page_bits) - 1)),
                    page_bits,
                    rights: context.rights(descriptor, inherited),
                    global: !descriptor.ng(),
                });
            }
            if !region.had {
                inherited = inherited.through(descriptor);
            }
            level += 1;
            base = output;
            physical = stage2.is_none();
            if physical {
                self.keep_table1(space, granule, va, level, base, inherited);
            }
        }
    }

    fn keep_table1(
        &mut self,
        space: Space,
        granule: Granule,
        va: u64,
        level: u8,
        base: u64,
        inherited: Inherited,
    ) {
        let table = Table {
            level,
            base,
            inherited,
        };
        self.caches
            .keep_table(TableOf::Stage1(space), granule, va, &table);
    }

    /// Translates `ipa` through stage 2, for an access that needs `needs`.
    ///
    /// # Errors
    /// Every stage-2 fault, with `class` and the address.
    pub(crate) fn stage2(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        class: Class,
        needs: Rights,
    ) -> Result<Leaf, Fault> {
        if let Some(leaf) = self.caches.stage2(stage2.vmid, ipa)
            && leaf.rights.contains(needs)
        {
            return Ok(leaf);
        }
        let leaf = self.walk2(stage2, ipa, class)?;
        self.caches.keep_stage2(stage2.vmid, ipa, &leaf);
        if leaf.rights.contains(needs) {
            Ok(leaf)
        } else {
            Err(Fault::Translation(
                TranslationFault::Permission,
                Origin::Stage2 { class, ipa },
            ))
        }
    }

    fn walk2(&mut self, stage2: &Stage2, ipa: u64, class: Class) -> Result<Leaf, Fault> {
        let fault = |kind| Err(Fault::Translation(kind, Origin::Stage2 { class, ipa }));
        let (lpa, tables) = (self.lpa(), &stage2.tables);
        let granule = tables.granule;
        let of = TableOf::Stage2(stage2.vmid);
        if !fits(ipa, tables.ia_bits) {
            return fault(TranslationFault::Translation);
        }
        let (mut level, mut base) = match self.caches.table(of, granule, tables.start_level, ipa) {
            Some(table) => (table.level, table.base),
            None => (tables.start_level, tables.root),
        };
        loop {
            let address = tables.descriptor_at(base, level, ipa);
            let descriptor = read_word(self.memory, address).map_err(|_| Fault::WalkEabt {
                s2: true,
                class,
                fetch: address,
            })?;
            let descriptor = Descriptor::from_bits(descriptor);
            let kind = descriptor.kind(granule, level, lpa);
            if kind == Kind::Invalid {
                return fault(TranslationFault::Translation);
            }
            let output = descriptor.address(granule, kind, level, lpa);
            if !fits(output, stage2.oa_bits) {
                return fault(TranslationFault::AddrSize);
            }
            if kind == Kind::Leaf {
                if !descriptor.af() && !stage2.affd {
                    return fault(TranslationFault::Access);
                }
                return Ok(Leaf {
                    base: output,
                    page_bits: granule.entry_bits(level),
                    rights: stage2_rights(descriptor),
                    global: false,
                    named_bits: granule.entry_bits(level),
                });
            }
            level += 1;
            base = output;
            let table = Table {
                level,
                base,
                inherited: Inherited::default(),
            };
            self.caches.keep_table(of, granule, ipa, &table);
        }
    }
}

/// S2AP and XN, which make no difference between privileges: Arm ARM, D8.4.
const fn stage2_rights(leaf: Descriptor) -> Rights {
    let mut rights = Rights::NONE;
    if leaf.ap() & 1 != 0 {
        rights = rights.or(Rights::READ);
    }
    if leaf.ap() & 2 != 0 {
        rights = rights.or(Rights::WRITE);
    }
    if !leaf.uxn() {
        rights = rights.or(Rights::EXECUTE);
    }
    rights
}
