//! XSalsa20: the stream cipher of each direction.
//!
//! ```text
//! subkey = HSalsa20(key 32 B, nonce 0..16)         nonce: 24 B, the sender's
//! block i, 64 B = Salsa20(subkey, nonce 16..24, i)  bytes on the wire = message bytes xor blocks, from the first on
//! ```
//! Nothing can fail. Keystream is made in runs of 16 blocks, as wide as the processor allows; what
//! a frame leaves of a run is kept for the next, so that a small frame costs a few bytes of xor.
//! There is no authentication: v9 has none.
//!
//! Invariant: the n-th byte that passes meets the n-th byte of keystream, however the bytes are cut
//! into calls.
//! Source: xsalsa20-universal@1.0.0, as used by simple-hypercore-protocol@2.1.2 lib/xor.js.

mod kernel;

use kernel::{Input, Kernel, RUN, Run};

/// One direction of a stream.
#[derive(Clone)]
pub struct XSalsa20 {
    kernel: Kernel,
    input: Input,
    /// Keystream made in advance.
    kept: Run,
    /// Bytes of `kept` that are used up.
    used: usize,
}

/// The words "expand 32-byte k".
const SIGMA: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

impl XSalsa20 {
    /// The stream of this key and nonce, at its first byte.
    pub fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        Self::with_kernel(Kernel::detect(), key, nonce)
    }

    fn with_kernel(kernel: Kernel, key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        let [n0, n1, n2, n3, n4, n5] = words(nonce);
        let mut state = matrix(words(key), [n0, n1, n2, n3]);
        kernel::double_rounds(&mut state);
        let [a, _, _, _, _, b, e, f, g, h, c, _, _, _, _, d] = state;
        let subkey = [a, b, c, d, e, f, g, h];
        Self { kernel, input: Input::new(matrix(subkey, [n4, n5, 0, 0])), kept: [0; RUN], used: RUN }
    }

    /// Encrypts or decrypts the next bytes of the stream, in place.
    pub fn apply(&mut self, data: &mut [u8]) {
        let kept = self.kept.get(self.used..).unwrap_or_default();
        let (head, rest) = data.split_at_mut(kept.len().min(data.len()));
        xor(head, kept);
        self.used += head.len();
        let (runs, tail) = rest.as_chunks_mut::<RUN>();
        for run in runs {
            self.kernel.xor_run(&mut self.input, run);
        }
        if !tail.is_empty() {
            self.kept = [0; RUN];
            self.kernel.xor_run(&mut self.input, &mut self.kept);
            xor(tail, &self.kept);
            self.used = tail.len();
        }
    }
}

fn xor(data: &mut [u8], keystream: &[u8]) {
    data.iter_mut().zip(keystream).for_each(|(byte, key)| *byte ^= key);
}

fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    let (chunks, _) = bytes.as_chunks::<4>();
    let mut words = [0; WORDS];
    words.iter_mut().zip(chunks).for_each(|(word, chunk)| *word = u32::from_le_bytes(*chunk));
    words
}

/// The 4 x 4 words that Salsa20 stirs.
fn matrix(key: [u32; 8], [i0, i1, i2, i3]: [u32; 4]) -> [u32; 16] {
    let [s0, s1, s2, s3] = SIGMA;
    let [k0, k1, k2, k3, k4, k5, k6, k7] = key;
    [s0, k0, k1, k2, k3, s1, i0, i1, i2, i3, s2, k4, k5, k6, k7, s3]
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use salsa20::cipher::{KeyIvInit, StreamCipher};

    /// The naive twin: the `salsa20` crate, in one call.
    fn twin(key: &[u8; 32], nonce: &[u8; 24], data: &mut [u8]) {
        salsa20::XSalsa20::new(key.into(), nonce.into()).apply_keystream(data);
    }

    #[test]
    fn every_kernel_and_every_chunk_size_agree_with_the_twin() {
        let (key, nonce) = (std::array::from_fn(|i| i as u8), std::array::from_fn(|i| 99 - i as u8));
        let plain: Vec<u8> = (0..5000).map(|i| (i % 251) as u8).collect();
        let mut expected = plain.clone();
        twin(&key, &nonce, &mut expected);
        for kernel in Kernel::available() {
            for size in (1..200).chain([1023, 1024, 1025, 2047, 2048, 2049, 4096, 5000]) {
                let mut data = plain.clone();
                let mut cipher = XSalsa20::with_kernel(kernel, &key, &nonce);
                data.chunks_mut(size).for_each(|chunk| cipher.apply(chunk));
                assert!(data == expected, "{kernel:?}, chunks of {size}");
            }
        }
    }

    #[test]
    fn block_counter_carries_into_its_high_word() {
        for kernel in Kernel::available() {
            let make = |kernel| {
                let mut cipher = XSalsa20::with_kernel(kernel, &[7; 32], &[8; 24]);
                cipher.input.skip(u64::from(u32::MAX) - 5);
                let mut data = vec![0; 4096];
                cipher.apply(&mut data);
                data
            };
            assert!(make(kernel) == make(Kernel::Scalar), "{kernel:?}");
        }
    }

    proptest! {
        #[test]
        fn mixed_chunks_agree_with_the_twin(key: [u8; 32], nonce: [u8; 24], sizes in prop::collection::vec(0usize..3000, 1..8)) {
            let mut expected = vec![0; sizes.iter().sum()];
            twin(&key, &nonce, &mut expected);
            let mut data = vec![0; expected.len()];
            let mut cipher = XSalsa20::new(&key, &nonce);
            let mut rest = &mut data[..];
            for size in sizes {
                let (chunk, tail) = rest.split_at_mut(size);
                cipher.apply(chunk);
                rest = tail;
            }
            prop_assert!(data == expected);
        }
    }
}
