use std::sync::atomic::{AtomicU64, Ordering};

use auth_domain::{Entropy, EntropyError};

/// Octets that differ at every draw and are the same in every run. Not random: for tests alone.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU64);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        // SplitMix64: one multiplication-and-shift round for each eight octets.
        for chunk in bytes.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
            let mut mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let octets = (mixed ^ (mixed >> 31)).to_le_bytes();
            chunk.copy_from_slice(&octets[..chunk.len()]);
        }
        Ok(())
    }
}
