//! Numbers with a meaning of their own: each is a type, and none converts into another by itself.

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($of:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $of);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    )*};
}

numbers! {
    /// Names a device to the SMMU: Arm IHI 0070, 3.2 "Stream numbering". For PCIe usually the requester ID.
    StreamId(u32);
    /// Names an address space of a device, 20 bits: the PASID of PCIe. Arm IHI 0070, 3.2 "Stream numbering".
    SubstreamId(u32);
    /// Names a virtual machine to the TLB: `STE.S2VMID`.
    Vmid(u16);
    /// Names a stage-1 address space to the TLB, within a VMID: `CD.ASID`.
    Asid(u16);
    /// What a device puts on the bus: the input of the first stage that translates.
    Iova(u64);
    /// What stage 1 yields and stage 2 translates.
    Ipa(u64);
    /// What memory is read and written with.
    Pa(u64);
    /// Names a stalled transaction until software resumes it: the `STAG` of an event record.
    Stag(u16);
}
