//! Where random bytes come from.
//!
//! The pure rooms take any [`CryptoRng`]; the running program hands them the operating system's source, tests
//! a seeded one, so that a failing schedule can be played again.

use std::convert::Infallible;

pub use rand_core::{CryptoRng, Rng};

/// The operating system's random source; if it fails the program stops, since no key could be trusted.
pub fn system() -> impl CryptoRng + Send {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// `N` random bytes.
pub fn bytes<const N: usize>(rng: &mut impl CryptoRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A repeatable source: BLAKE3's output stream over a seed. For tests, known-answer vectors and the synthetic
/// study of the demo; never for keys in use.
#[derive(Debug, Clone)]
pub struct Seeded {
    stream: blake3::OutputReader,
}

impl Seeded {
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("overread/1/test-only/seeded-random");
        hasher.update(&seed.to_le_bytes());
        Self { stream: hasher.finalize_xof() }
    }

    /// A number below `bound` (at least 1), close enough to uniform for tests.
    pub fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.stream.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % bound.max(1) as u64) as usize
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.stream.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.stream.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.stream.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Seeded {}
