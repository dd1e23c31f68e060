//! Philox 4x32-10, a generator of random numbers that are a function of a key and a counter (Salmon et al.,
//! Parallel random numbers: as easy as 1, 2, 3, 2011).

/// Where a sequence of random numbers is.
#[derive(Clone, Copy)]
pub(super) struct Philox {
    key: [u32; 2],
    counter: [u32; 4],
}

/// Low and high half.
fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

impl Philox {
    /// The beginning of the sequence of a key, from a counter on.
    pub(super) fn new(key: u64, counter: u128) -> Self {
        let ([a, b], [c, d]) = (halves(counter as u64), halves((counter >> 64) as u64));
        Self { key: halves(key), counter: [a, b, c, d] }
    }

    /// The sequence of two seeds: the second one is the upper half of the counter, as TensorFlow has it. As in
    /// TFLite, seeds are numbers of 32 bits, sign-extended.
    pub(super) fn seeded(seed: i64, second: i64) -> Self {
        let [seed, second] = [seed, second].map(|seed| i64::from(seed as i32).cast_unsigned());
        Self::new(seed, u128::from(second) << 64)
    }

    /// The next four numbers.
    pub(super) fn next(&mut self) -> [u32; 4] {
        let (mut key, mut block) = (self.key, self.counter);
        for _ in 0..10 {
            let [low_0, high_0] = halves(u64::from(block[0]) * 0xd251_1f53);
            let [low_2, high_2] = halves(u64::from(block[2]) * 0xcd9e_8d57);
            block = [high_2 ^ block[1] ^ key[0], low_2, high_0 ^ block[3] ^ key[1], low_0];
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        for part in &mut self.counter {
            *part = part.wrapping_add(1);
            if *part != 0 {
                break;
            }
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' library, Random123.
    #[test]
    fn known_answers() {
        let first = |key, counter| Philox::new(key, counter).next();
        assert_eq!(first(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = first(u64::MAX, u128::MAX);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let mut last = Philox::new(0, u128::MAX);
        last.next();
        assert_eq!(last.next(), first(0, 0));
    }
}
