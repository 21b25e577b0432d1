//! A slice that is read from the front; its end is a truncated file.

use super::{MediaError, sniff::Format};

#[derive(Clone)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    format: Format,
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8], format: Format) -> Self {
        Self { rest: bytes, format }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) const fn damaged(&self) -> MediaError {
        MediaError::Damaged { format: self.format }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], MediaError> {
        let truncated = MediaError::Truncated { format: self.format };
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes `N` bytes, for the `from_be_bytes` and `from_le_bytes` of the number that is wanted.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MediaError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MediaError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn be16(&mut self) -> Result<u16, MediaError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn be32(&mut self) -> Result<u32, MediaError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn le16(&mut self) -> Result<u16, MediaError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn le32(&mut self) -> Result<u32, MediaError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of 24 bits, low byte first.
    pub(super) fn le24(&mut self) -> Result<u32, MediaError> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }
}
