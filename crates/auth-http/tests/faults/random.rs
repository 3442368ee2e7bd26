//! Choices that look random and come again with their seed.

use auth_domain::{Entropy, system::SystemEntropy};

/// Names the seed, to repeat the choices of a run.
const VARIABLE: &str = "AUTH_FAULTS_SEED";

/// A source of choices: `SplitMix64`.
pub(crate) struct Random(u64);

impl Random {
    /// Choices that nobody has had before, unless they are asked for. Says how to repeat them for `test`: what was chosen comes
    /// again, but not what the machine did at that moment.
    pub(crate) fn for_test(test: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "whoever repeats a run says so")]
        let given = std::env::var(VARIABLE).ok();
        let seed = given.map_or_else(drawn, |seed| seed.parse().expect("a seed is a number"));
        println!("{test}: {VARIABLE}={seed} repeats what is chosen here");
        Self(seed)
    }

    /// Another source, for somebody else.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    /// Whether something happens that does so `percent` times in a hundred.
    pub(crate) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn drawn() -> u64 {
    let mut octets = [0; 4];
    SystemEntropy.fill(&mut octets).unwrap();
    u32::from_be_bytes(octets).into()
}
