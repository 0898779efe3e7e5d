//! Global errors: Arm IHI 0070, 7.5 "Global error recording". An error is active while its bits in GERROR and GERRORN differ.

/// An error that cannot be told in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum GlobalError {
    /// CMDQ_ERR: see SMMU_CMDQ_CONS.ERR.
    CommandQueue = 1 << 0,
    /// EVENTQ_ABT_ERR: an event record could not be written, and is lost.
    EventQueueAbort = 1 << 2,
    /// MSI_CMDQ_ABT_ERR: the MSI of a CMD_SYNC could not be written.
    CommandQueueMsiAbort = 1 << 4,
    /// CMDQP_ERR: an enhanced command queue has an error; see its own CONS.
    EnhancedCommandQueue = 1 << 9,
}

/// SMMU_GERROR and SMMU_GERRORN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gerror {
    gerror: u32,
    gerrorn: u32,
}

impl Gerror {
    /// SMMU_GERROR as software reads it.
    pub const fn gerror(self) -> u32 {
        self.gerror
    }

    /// SMMU_GERRORN as software wrote it.
    pub const fn gerrorn(self) -> u32 {
        self.gerrorn
    }

    /// Whether software has not acknowledged this error.
    pub const fn is_active(self, error: GlobalError) -> bool {
        (self.gerror ^ self.gerrorn) & error as u32 != 0
    }

    /// Makes an error active; if it is already, nothing changes.
    pub(crate) fn activate(&mut self, error: GlobalError) {
        if !self.is_active(error) {
            self.gerror ^= error as u32;
        }
    }

    /// Software writes SMMU_GERRORN. Writing anything but an active error's bit is software's mistake and is kept as written.
    pub(crate) fn acknowledge(&mut self, gerrorn: u32) {
        self.gerrorn = gerrorn;
    }
}
