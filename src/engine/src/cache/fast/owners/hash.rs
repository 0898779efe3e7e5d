//! Maps by VMID or space.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// One multiplication: keys are short and come from guests' ASIDs, of which at most 2^16 of a VM collide.
#[derive(Default)]
pub(super) struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }
    fn write_u16(&mut self, key: u16) {
        self.write_u32(u32::from(key));
    }
    fn write_u32(&mut self, key: u32) {
        self.0 = (self.0 ^ u64::from(key))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}

pub(super) type Map<K> = HashMap<K, u32, BuildHasherDefault<Multiply>>;
