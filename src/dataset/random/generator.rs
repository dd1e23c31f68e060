//! Pseudorandom numbers.

/// The `SplitMix64` generator: a counter, and a mixing function over it (Steele, Lea, Flood: "Fast
/// splittable pseudorandom number generators", OOPSLA 2014; constants of Vigna's public domain
/// `splitmix64.c`).
pub(super) struct SplitMix64(u64);

impl SplitMix64 {
    /// A stream of its own for each input of each record.
    pub fn for_stream(seed: u64, record: u64, input: u64) -> Self {
        let start = mix(seed ^ mix(record ^ mix(input)));
        Self(start)
    }

    fn next(&mut self) -> u64 {
        let word = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub fn next_unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Uniform in (0, 1], a multiple of 2^-53.
    fn next_positive(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and standard deviation 1, to the bit on every machine (G. E. P. Box, M. E. Muller: "A
    /// note on the generation of random normal deviates", 1958).
    pub fn next_normal(&mut self) -> f64 {
        let (radius, angle) = (self.next_positive(), self.next_positive());
        (-2.0 * libm::log(radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
    }

    /// Uniform below `bound`, but for a bias of at most `bound` / 2^64.
    pub fn next_below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// The output of `SplitMix64` in the state before its increment.
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_gives_the_published_sequence() {
        // First outputs of splitmix64.c for the state 1234567.
        let mut numbers = SplitMix64(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
        ];
        assert_eq!(expected.map(|_| numbers.next()), expected);
    }

    #[test]
    fn normal_numbers_have_known_bits() {
        let mut numbers = SplitMix64(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| numbers.next_normal().to_bits()).collect();
        // Computed with Python's integers and `math`.
        let expected =
            [4_604_198_710_615_475_555, 4_574_723_720_010_728_137, 13_824_762_045_600_391_554];
        assert_eq!(drawn, expected);
        let mut largest = 0.0_f64;
        for _ in 0..100_000 {
            let number = numbers.next_normal();
            assert!(number.is_finite());
            largest = largest.max(number.abs());
        }
        assert!((3.5..6.0).contains(&largest), "{largest}");
    }
}
