use std::ops::Range;

use crate::error::{Error, Result};

/// Which records of a dataset a run takes, so that several machines can share a dataset without
/// splitting its files. Records are counted from 0 through all shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All.
    #[default]
    All,
    /// One of `of` parts, counted from 0, whose lengths differ by one record at most.
    Share {
        /// Which.
        index: u64,
        /// Of how many; more than `index`.
        of: u64,
    },
    /// Some consecutive ones.
    Records {
        /// The first.
        start: u64,
        /// The one after the last; `None` for all that follow. It may be more than there are.
        end: Option<u64>,
    },
}

impl Part {
    /// The records of this part in a dataset of `total`.
    ///
    /// # Errors
    /// [`Dataset`](crate::error::ErrorKind::Dataset) if records begin behind the dataset's last one.
    pub(super) fn of(self, total: u64) -> Result<Range<u64>> {
        match self {
            Self::All => Ok(0..total),
            Self::Share { index, of } => {
                // Not `total / of` each: then the last part would get all that is left over.
                let border = |index: u64| {
                    let border = u128::from(index) * u128::from(total) / u128::from(of.max(1));
                    u64::try_from(border).unwrap_or(total).min(total)
                };
                Ok(border(index)..border(index.saturating_add(1)))
            }
            Self::Records { start, .. } if start > 0 && start >= total => Err(Error::dataset(
                format!("records from {start} on are to be recorded, and the dataset has {total}"),
            )
            .with_hint("records are counted from 0 through all shards")),
            Self::Records { start, end } => Ok(start..end.unwrap_or(total).min(total)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_whole_and_of_equal_length() {
        for (total, of) in [(10, 3), (10, 1), (3, 10), (0, 4), (u64::MAX, 7), (1000, 999)] {
            let mut next = 0;
            for index in 0..of {
                let part = Part::Share { index, of }.of(total).unwrap();
                assert_eq!(part.start, next);
                let len = part.end - part.start;
                assert!((total / of..=total.div_ceil(of)).contains(&len), "{total} {of} {index}");
                next = part.end;
            }
            assert_eq!(next, total);
        }
    }

    #[test]
    fn ranges_end_with_the_dataset() {
        let part = |start, end| Part::Records { start, end }.of(10);
        assert_eq!(part(0, None).unwrap(), 0..10);
        assert_eq!(part(3, Some(7)).unwrap(), 3..7);
        assert_eq!(part(9, Some(700)).unwrap(), 9..10);
        assert!(part(10, None).unwrap_err().to_string().contains("the dataset has 10"));
        assert_eq!(Part::Records { start: 0, end: None }.of(0).unwrap(), 0..0);
    }
}
