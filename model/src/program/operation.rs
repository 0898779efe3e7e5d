//! Operations, and the kinds of things that they and variables are about.

/// What an operation means to the one who calls it; it decides when it may begin and what it promises (`ghost.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the parameters are the documentation")]
pub enum OpKind {
    /// `map(space, page, ipa)`
    Map,
    /// `unmap(space, page)`
    Unmap,
    /// `bind(slot, space)`
    Bind,
    /// `unbind(slot, space)`
    Unbind,
    /// `replace(slot, space, old)`
    Replace,
    /// `exit(space)`
    Exit,
    /// `reclaim(vm, ipa)`, by the host
    Reclaim,
    /// `lend(vm, ipa)`, by the host: the inverse of reclaim
    Lend,
    /// `attach(device, viommu)`, by the host
    Attach,
    /// `detach(device, viommu)`, by the host
    Detach,
    /// `destroy(viommu)`, by the host
    Destroy,
    /// `translate(device, viommu)`, by the host: the guest's STE goes from Config=bypass to stage 1
    Translate,
    /// `bypass(device, viommu)`, by the host: the inverse of translate
    Bypass,
}

impl OpKind {
    /// All of them; guests' operations first.
    pub const ALL: [OpKind; 13] = [
        OpKind::Map,
        OpKind::Unmap,
        OpKind::Bind,
        OpKind::Unbind,
        OpKind::Replace,
        OpKind::Exit,
        OpKind::Reclaim,
        OpKind::Lend,
        OpKind::Attach,
        OpKind::Detach,
        OpKind::Destroy,
        OpKind::Translate,
        OpKind::Bypass,
    ];

    /// The name in spec files.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Map => "map",
            OpKind::Unmap => "unmap",
            OpKind::Bind => "bind",
            OpKind::Unbind => "unbind",
            OpKind::Replace => "replace",
            OpKind::Exit => "exit",
            OpKind::Reclaim => "reclaim",
            OpKind::Lend => "lend",
            OpKind::Attach => "attach",
            OpKind::Detach => "detach",
            OpKind::Destroy => "destroy",
            OpKind::Translate => "translate",
            OpKind::Bypass => "bypass",
        }
    }

    /// Whether guests perform it; otherwise the host does.
    pub const fn is_guests(self) -> bool {
        (self as u8) < (OpKind::Reclaim as u8)
    }

    /// What it is about. Parameter `i` is in register `i` when the operation begins.
    pub const fn params(self) -> &'static [Kind] {
        match self {
            OpKind::Map => &[Kind::Space, Kind::Page, Kind::Ipa],
            OpKind::Unmap => &[Kind::Space, Kind::Page],
            OpKind::Bind | OpKind::Unbind => &[Kind::Slot, Kind::Space],
            OpKind::Replace => &[Kind::Slot, Kind::Space, Kind::Space],
            OpKind::Exit => &[Kind::Space],
            OpKind::Reclaim | OpKind::Lend => &[Kind::Vm, Kind::Ipa],
            OpKind::Attach | OpKind::Detach | OpKind::Translate | OpKind::Bypass => {
                &[Kind::Device, Kind::Viommu]
            }
            OpKind::Destroy => &[Kind::Viommu],
        }
    }

    /// The names of the parameters, as programs use them.
    pub const fn param_names(self) -> &'static [&'static str] {
        match self {
            OpKind::Map => &["space", "page", "ipa"],
            OpKind::Unmap => &["space", "page"],
            OpKind::Bind | OpKind::Unbind => &["slot", "space"],
            OpKind::Replace => &["slot", "space", "old"],
            OpKind::Exit => &["space"],
            OpKind::Reclaim | OpKind::Lend => &["vm", "ipa"],
            OpKind::Attach | OpKind::Detach | OpKind::Translate | OpKind::Bypass => {
                &["device", "viommu"]
            }
            OpKind::Destroy => &["viommu"],
        }
    }
}

/// What kind of thing a variable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the ids are documented in vocab")]
pub enum Kind {
    Device,
    Slot,
    Space,
    Page,
    Ipa,
    Vm,
    Viommu,
    Asid,
    /// True or false.
    Flag,
}
