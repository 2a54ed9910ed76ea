//! Kernels of Salsa20: 16 blocks at a time, as many lanes wide as the processor allows.
//!
//! ```text
//! run: 1,024 bytes = 16 blocks of 64        lane i of vector w = word w of block i
//! Scalar 1 lane   Sse2 4   Avx2 8   Avx512 16
//! ```
//! Every kernel makes the same bytes. The choice is made once a stream, at run time.

#[cfg(target_arch = "x86_64")]
mod x86;

/// Bytes that a kernel makes at once.
pub const RUN: usize = 1024;
/// A run of keystream or data.
pub type Run = [u8; RUN];

/// The words that Salsa20 stirs; the block counter is part of them.
#[derive(Clone)]
pub struct Input {
    words: [u32; 16],
    counter: u64,
}

impl Input {
    /// Starts at block 0; words 8 and 9 are the counter's.
    pub fn new(words: [u32; 16]) -> Self {
        Self { words, counter: 0 }
    }

    /// The counter's low and high words for the next `N` blocks, which are then used up.
    fn counters<const N: usize>(&mut self) -> ([u32; N], [u32; N]) {
        let (mut low, mut high) = ([0; N], [0; N]);
        for (low, high) in low.iter_mut().zip(&mut high) {
            (*low, *high) = halves(self.counter);
            self.counter = self.counter.wrapping_add(1);
        }
        (low, high)
    }

    /// Passes over blocks.
    #[cfg(test)]
    pub fn skip(&mut self, blocks: u64) {
        self.counter += blocks;
    }
}

fn halves(counter: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = counter.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// A way to make keystream. The wide ones exist only where the processor was seen to have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Any processor.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    Scalar,
    /// Part of x86-64.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// `avx2` was detected.
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    /// `avx512f` was detected.
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
}

impl Kernel {
    /// The widest kernel of this machine.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = x86::Avx512::detect().map(Self::Avx512);
            avx512.or_else(|| x86::Avx2::detect().map(Self::Avx2)).unwrap_or(Self::Sse2)
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self::Scalar
    }

    /// Every kernel of this machine.
    #[cfg(test)]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "elsewhere there is only one")]
        let mut kernels = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.push(Self::Sse2);
            kernels.extend(x86::Avx2::detect().map(Self::Avx2));
            kernels.extend(x86::Avx512::detect().map(Self::Avx512));
        }
        kernels
    }

    /// Xors the next 16 blocks of keystream into `run`.
    pub fn xor_run(self, input: &mut Input, run: &mut Run) {
        match self {
            #[cfg(any(test, not(target_arch = "x86_64")))]
            Self::Scalar => scalar(input, run),
            #[cfg(target_arch = "x86_64")]
            Self::Sse2 => x86::xor_run_sse2(input, run),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.xor_run(input, run),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(avx512) => avx512.xor_run(input, run),
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn scalar(input: &mut Input, run: &mut Run) {
    let (blocks, _) = run.as_chunks_mut::<64>();
    for block in blocks {
        let ([low], [high]) = input.counters::<1>();
        let mut start = input.words;
        (start[8], start[9]) = (low, high);
        let mut state = start;
        double_rounds(&mut state);
        let (words, _) = block.as_chunks_mut::<4>();
        for ((bytes, stirred), start) in words.iter_mut().zip(state).zip(start) {
            *bytes = (u32::from_le_bytes(*bytes) ^ stirred.wrapping_add(start)).to_le_bytes();
        }
    }
}

/// The 20 rounds, without the addition that ends a block.
pub fn double_rounds(x: &mut [u32; 16]) {
    for _ in 0..10 {
        quarter::<0, 4, 8, 12>(x);
        quarter::<5, 9, 13, 1>(x);
        quarter::<10, 14, 2, 6>(x);
        quarter::<15, 3, 7, 11>(x);
        quarter::<0, 1, 2, 3>(x);
        quarter::<5, 6, 7, 4>(x);
        quarter::<10, 11, 8, 9>(x);
        quarter::<15, 12, 13, 14>(x);
    }
}

#[allow(clippy::indexing_slicing, reason = "places are constants below 16")]
fn quarter<const A: usize, const B: usize, const C: usize, const D: usize>(x: &mut [u32; 16]) {
    x[B] ^= x[A].wrapping_add(x[D]).rotate_left(7);
    x[C] ^= x[B].wrapping_add(x[A]).rotate_left(9);
    x[D] ^= x[C].wrapping_add(x[B]).rotate_left(13);
    x[A] ^= x[D].wrapping_add(x[C]).rotate_left(18);
}
