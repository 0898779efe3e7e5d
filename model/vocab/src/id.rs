//! Names of things. Each kind of number is a type of its own, counted from 0 within the bounds of a run.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u8);

        impl $name {
            /// The number as an array index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    )*};
}

ids! {
    /// A device, which is also its StreamID: Arm IHI 0070 G.b, 3.2 "Stream numbering".
    Device "device";
    /// A SubstreamID, the PASID of PCIe: Arm IHI 0070 G.b, 3.2 "Stream numbering".
    Ssid "ssid";
    /// A (device, SubstreamID) pair: the place where one context descriptor takes effect.
    Slot "slot";
    /// A stage-1 address space of a guest: one set of translation tables, `CD.TTB0`.
    Space "space";
    /// A page of input addresses (IOVA) within a space.
    Page "page";
    /// An intermediate physical page: what stage 1 yields and stage 2 translates.
    Ipa "ipa";
    /// A physical page, of the host.
    Frame "frame";
    /// A virtual machine; it has one stage 2.
    Vm "vm";
    /// A virtual SMMU of a VM: `struct iommu_viommu_alloc` in iommufd.h. It is a namespace of ASIDs and of virtual StreamIDs.
    Viommu "viommu";
    /// `STE.S2VMID`: names a virtual machine (or a vIOMMU) to the TLB.
    Vmid "vmid";
    /// `CD.ASID`: names a stage-1 address space to the TLB, within a VMID.
    Asid "asid";
}
