//! Numbers from bytes.

/// Bytes that are taken from the front, lowest first; behind the end there are zeros.
pub struct Input<'b>(pub &'b [u8]);

impl Input<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let (front, rest) = self.0.split_at(N.min(self.0.len()));
        taken[..front.len()].copy_from_slice(front);
        self.0 = rest;
        taken
    }

    pub fn byte(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    pub fn half(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub fn word(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// The low bits of a byte, one flag each.
    pub fn flags<const N: usize>(&mut self) -> [bool; N] {
        let byte = self.byte();
        std::array::from_fn(|bit| byte >> bit & 1 == 1)
    }
}
