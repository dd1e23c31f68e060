use std::cmp::Ordering;

/// Compares names as a person would: runs of digits by value, everything else by character.
///
/// Names that differ only in leading zeros are ordered by their bytes, so that the order is total
/// and does not depend on the order of the directory.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    while !rest_a.is_empty() && !rest_b.is_empty() {
        let (digits_a, digits_b) = (digit_run(rest_a), digit_run(rest_b));
        let order = if digits_a.is_empty() || digits_b.is_empty() {
            rest_a.chars().next().cmp(&rest_b.chars().next())
        } else {
            compare_numbers(digits_a, digits_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        rest_a = advance(rest_a, digits_a);
        rest_b = advance(rest_b, digits_b);
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// The digits that `text` starts with.
fn digit_run(text: &str) -> &str {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end).0
}

/// `text` after the run of digits, or after one character if there is none.
fn advance<'a>(text: &'a str, digits: &str) -> &'a str {
    let by = if digits.is_empty() {
        text.chars().next().map_or(0, char::len_utf8)
    } else {
        digits.len()
    };
    text.split_at(by).1
}

/// Compares decimal numbers of any length: without leading zeros the longer one is larger.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort_by(|a, b| compare(a, b));
        names
    }

    #[test]
    fn numbers_count_by_value() {
        let names = ["shard-10.h5", "shard-2.h5", "shard-1.h5", "shard-100.h5", "shard.h5"];
        let expected = ["shard-1.h5", "shard-2.h5", "shard-10.h5", "shard-100.h5", "shard.h5"];
        assert_eq!(sorted(&names), expected);
        assert_eq!(sorted(&["a10b2", "a10b10", "a9b3"]), ["a9b3", "a10b2", "a10b10"]);
        // Longer than any integer type.
        let (low, high) = ("9".repeat(40), "1".repeat(41));
        assert_eq!(compare(&low, &high), Ordering::Less);
    }

    #[test]
    fn order_is_total() {
        assert_eq!(sorted(&["x01", "x1", "x001"]), ["x001", "x01", "x1"]);
        assert_eq!(sorted(&["b", "a", "", "ab", "a1"]), ["", "a", "a1", "ab", "b"]);
        assert_eq!(sorted(&["\u{e9}2", "\u{e9}10", "e"]), ["e", "\u{e9}2", "\u{e9}10"]);
        let names = ["", "0", "00", "1", "01", "a", "a0", "a00", "a1", "a01b", "a1b", "-1", "1-"];
        for a in names {
            for b in names {
                assert_eq!(compare(a, b), compare(b, a).reverse(), "{a:?} {b:?}");
                assert_eq!(compare(a, b) == Ordering::Equal, a == b, "{a:?} {b:?}");
                for c in names {
                    if compare(a, b).is_le() && compare(b, c).is_le() {
                        assert!(compare(a, c).is_le(), "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
    }
}
