//! Exact selection in constant memory, for more values than memory holds.

use super::Percentile;

/// Values per digit: a value's 32 bits are looked at in two halves.
const DIGITS: usize = 1 << 16;

/// Finds a percentile by looking at all values twice, in any order, without keeping them.
///
/// The first pass counts the values by the upper half of their bits, which tells in which group the
/// wanted ranks lie; the second counts the members of those groups by the lower half. The result
/// has the bits that [`percentile`](super::percentile) gives.
///
/// Counts take 1.5 MiB, whatever the number of values is.
#[derive(Debug)]
pub struct RadixSelect {
    place: Percentile,
    upper_rank: u64,
    counts: Vec<u64>,
    /// The second pass: group of each rank, rank within it, and counts by the lower half.
    groups: Option<[Group; 2]>,
}

#[derive(Debug)]
struct Group {
    digit: u32,
    rank: u64,
    counts: Vec<u64>,
}

impl RadixSelect {
    /// Selects the percentile `p` (0 to 100) of `count` values; `None` if there are none.
    pub fn new(count: u64, p: f32) -> Option<Self> {
        let place = Percentile::new(count, p)?;
        let upper_rank = (place.lower + 1).min(count - 1);
        Some(Self { place, upper_rank, counts: vec![0; DIGITS], groups: None })
    }

    /// Looks at values: all of them once before [`next_pass`](Self::next_pass), and once after.
    pub fn visit(&mut self, values: &[f32]) {
        for &value in values {
            let key = sort_key(value);
            match &mut self.groups {
                None => self.counts[(key >> 16) as usize] += 1,
                Some(groups) => {
                    for group in groups.iter_mut().filter(|it| it.digit == key >> 16) {
                        group.counts[(key & 0xffff) as usize] += 1;
                    }
                }
            }
        }
    }

    /// Ends the first pass. `None` if there were fewer values than announced.
    pub fn next_pass(&mut self) -> Option<()> {
        let group = |rank| {
            let (digit, rank) = find(&self.counts, rank)?;
            Some(Group { digit, rank, counts: vec![0; DIGITS] })
        };
        self.groups = Some([group(self.place.lower)?, group(self.upper_rank)?]);
        Some(())
    }

    /// Ends the second pass. `None` if it did not see the values of the first.
    pub fn finish(self) -> Option<f32> {
        let [lower, upper] = self.groups?.map(|group| {
            let (digit, _) = find(&group.counts, group.rank)?;
            Some(from_sort_key(group.digit << 16 | digit))
        });
        Some(self.place.interpolate(lower?, upper?))
    }
}

/// The digit of the value of a rank, and its rank among the values of that digit.
fn find(counts: &[u64], mut rank: u64) -> Option<(u32, u64)> {
    for (digit, &count) in (0_u32..).zip(counts) {
        if rank < count {
            return Some((digit, rank));
        }
        rank -= count;
    }
    None
}

/// Bits that order as unsigned numbers like the values in the total order of `f32`.
fn sort_key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

fn from_sort_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}
