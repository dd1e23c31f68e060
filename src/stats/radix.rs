//! Exact selection in constant memory, for more values than memory holds.

/// Values per digit: a value's 32 bits are looked at in two halves.
const DIGITS: usize = 1 << 16;

/// Finds the values of two ranks by looking at all values twice, in any order, without keeping them.
///
/// The first pass counts the values by the upper half of their bits, which tells in which group the
/// wanted ranks lie; the second counts the members of those groups by the lower half.
///
/// Counts take 1.5 MiB, whatever the number of values is.
#[derive(Debug)]
pub(super) struct RadixSelect {
    ranks: [u64; 2],
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
    /// Selects the values of the ranks, from 0, in the total order of `f32`.
    pub fn new(ranks: [u64; 2]) -> Self {
        Self { ranks, counts: vec![0; DIGITS], groups: None }
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

    /// Whether the first pass has ended.
    pub fn is_second_pass(&self) -> bool {
        self.groups.is_some()
    }

    /// Ends the first pass. `None` if there are no values of those ranks.
    pub fn next_pass(&mut self) -> Option<()> {
        let group = |rank| {
            let (digit, rank) = find(&self.counts, rank)?;
            Some(Group { digit, rank, counts: vec![0; DIGITS] })
        };
        self.groups = Some([group(self.ranks[0])?, group(self.ranks[1])?]);
        Some(())
    }

    /// The values, after the second pass. `None` if it did not see the values of the first.
    pub fn values(&self) -> Option<[f32; 2]> {
        let value = |group: &Group| {
            let (digit, _) = find(&group.counts, group.rank)?;
            Some(from_sort_key(group.digit << 16 | digit))
        };
        let [lower, upper] = self.groups.as_ref()?;
        Some([value(lower)?, value(upper)?])
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
