//! Output: bytes that wait to be sent.
//!
//! ```text
//! | sent | waiting          |     written at the end, taken from the front
//! ```
//! Nothing can fail; who fills it is the caller, who also decides how much may wait.
//!
//! Invariant: a byte is moved at most twice on average, however it is taken.

/// Memory that is kept when nothing waits, in bytes.
const KEEP: usize = 256 * 1024;

/// Bytes that wait, in order.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// The bytes that wait.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Appends what `write` writes, after `seal` changed it in place.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>), seal: impl FnOnce(&mut [u8])) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        seal(self.bytes.get_mut(start..).unwrap_or_default());
    }

    /// Drops `len` bytes from the front: they are sent.
    pub fn consume(&mut self, len: usize) {
        self.sent = self.bytes.len().min(self.sent + len);
        if self.sent == self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEEP);
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Takes at most `max` bytes from the front.
    pub fn take(&mut self, max: usize) -> Vec<u8> {
        if self.sent == 0 && self.bytes.len() <= max {
            return std::mem::take(&mut self.bytes);
        }
        let waiting = self.waiting();
        let taken = waiting.get(..max).unwrap_or(waiting).to_vec();
        self.consume(taken.len());
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_out_in_order(steps in prop::collection::vec((0usize..50, 0usize..60, any::<bool>()), 0..40)) {
            let (mut output, mut written, mut read) = (Output::default(), 0u8, 0u8);
            for (write, take, whole) in steps {
                let bytes: Vec<u8> = (0..write).map(|_| { written = written.wrapping_add(1); !written }).collect();
                output.append(|out| out.extend(bytes), |new| new.iter_mut().for_each(|byte| *byte = !*byte));
                let taken = if whole { output.take(take) } else {
                    let taken = output.waiting()[..take.min(output.waiting().len())].to_vec();
                    output.consume(take);
                    taken
                };
                for byte in taken {
                    read = read.wrapping_add(1);
                    prop_assert_eq!(byte, read);
                }
                prop_assert_eq!(output.waiting().len() % 256, usize::from(written.wrapping_sub(read)));
            }
        }
    }
}
