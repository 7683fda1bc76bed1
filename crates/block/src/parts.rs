//! Bytes in parts.

use std::io;

use bytes::Bytes;

/// Collects what is written to it in parts of equal size, as uploads want them.
#[derive(Debug)]
pub struct Parts {
    size: usize,
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Parts {
    /// Parts of `size_bytes` bytes each, but for the last one.
    ///
    /// # Panics
    /// If that is 0.
    pub fn new(size_bytes: usize) -> Self {
        assert!(size_bytes > 0, "parts without bytes hold nothing");
        Self { size: size_bytes, full: Vec::new(), open: Vec::new() }
    }

    /// The parts; none if nothing was written.
    pub fn finish(mut self) -> Vec<Bytes> {
        self.close();
        self.full
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }
}

impl io::Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.size - self.open.len());
        self.open.extend_from_slice(&bytes[..fits]);
        if self.open.len() == self.size {
            self.close();
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn parts_are_of_equal_size() {
        let mut parts = Parts::new(3);
        parts.write_all(b"ab").unwrap();
        parts.write_all(b"cdefgh").unwrap();
        assert_eq!(parts.finish(), ["abc", "def", "gh"]);
        let mut parts = Parts::new(3);
        parts.write_all(b"abc").unwrap();
        assert_eq!(parts.finish(), ["abc"]);
        assert!(Parts::new(3).finish().is_empty());
    }
}
