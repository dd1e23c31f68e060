use std::time::Duration;

use crate::histogram::BinLimit;

/// Shape of one model input, given as `NAME=1,224,224,3` (`NAME=` for a scalar); a dimension `?` differs from
/// record to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct InputShape {
    /// Name of the input tensor.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<Option<usize>>,
}

impl InputShape {
    /// Parses `NAME=D,D,..`; the name may itself contain `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, dimensions) =
            text.rsplit_once('=').ok_or("expected NAME=D,D,.., for instance image=1,224,224,3")?;
        if name.is_empty() {
            return Err("the name of the input is missing before `=`".to_owned());
        }
        let shape = match dimensions {
            "" => Vec::new(),
            _ => dimensions.split(',').map(dimension).collect::<Result<_, _>>()?,
        };
        Ok(Self { name: name.to_owned(), shape })
    }
}

fn dimension(text: &str) -> Result<Option<usize>, String> {
    match text.trim().parse() {
        _ if text.trim() == "?" => Ok(None),
        Ok(0) => Err("a dimension of 0 leaves nothing to observe".to_owned()),
        Ok(dimension) => Ok(Some(dimension)),
        Err(_) => Err(format!("`{text}` is not a dimension")),
    }
}

/// Shapes by name, as a plan wants to know them.
pub(in crate::cli) fn by_name(shapes: &[InputShape]) -> Vec<(String, Vec<Option<usize>>)> {
    shapes.iter().map(|it| (it.name.clone(), it.shape.clone())).collect()
}

/// Two numbers for a model input, given as `NAME=A,B`, or for all of them, as `A,B`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct InputNumbers {
    /// Name of the input tensor.
    pub name: Option<String>,
    /// The numbers.
    pub numbers: (f64, f64),
}

impl InputNumbers {
    /// Parses it; the name may itself contain `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, numbers) = match text.rsplit_once('=') {
            Some(("", _)) => return Err("the name of the input is missing before `=`".to_owned()),
            Some((name, numbers)) => (Some(name.to_owned()), numbers),
            None => (None, text),
        };
        let number = |text: &str| {
            text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a number"))
        };
        let (first, second) =
            numbers.split_once(',').ok_or("expected two numbers, for instance 0,1")?;
        Ok(Self { name, numbers: (number(first)?, number(second)?) })
    }
}

/// Consecutive records of a dataset, given as `A..B`, `A..` or `..B`; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct RecordRange {
    /// The first.
    pub start: u64,
    /// The one after the last, if not all that follow are meant.
    pub end: Option<u64>,
}

impl RecordRange {
    /// Parses it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (start, end) =
            text.split_once("..").ok_or("expected A..B, for instance 0..500 or 500..")?;
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => {
                text.parse().map(Some).map_err(|_| format!("`{text}` is not a record's number"))
            }
        };
        let (start, end) = (number(start)?, number(end)?);
        if start.is_none() && end.is_none() {
            return Err("neither a first record nor an end".to_owned());
        }
        let start = start.unwrap_or(0);
        if end.is_some_and(|end| end <= start) {
            return Err("holds no record: the end is the number after the last one".to_owned());
        }
        Ok(Self { start, end })
    }
}

/// Parses `512M`, `1.5G`, or a number of bytes; units are powers of 1024.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 1.0,
        "K" => 1024.0,
        "M" => 1024.0 * 1024.0,
        "G" => 1024.0 * 1024.0 * 1024.0,
        "T" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("`{unit}` is not a unit of memory: use K, M, G or T")),
    };
    let number: f64 = number.trim().parse().map_err(|_| format!("`{number}` is not a number"))?;
    let bytes = number * unit;
    if !(1.0..=(isize::MAX as f64) / 2.0).contains(&bytes) {
        return Err("is too little or too much".to_owned());
    }
    Ok(bytes as usize)
}

/// Parses a number of bins.
pub(super) fn bins(text: &str) -> Result<BinLimit, String> {
    let bins = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    BinLimit::new(bins).map_err(|error| error.to_string())
}

/// Parses `500ms`, `10s`, `1.5m`, `2h`, or a number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 24.0 * 3600.0;
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is not a unit of time: use ms, s, m or h")),
    };
    let number: f64 = number.trim().parse().map_err(|_| format!("`{number}` is not a number"))?;
    let seconds = number * unit;
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err("must be between 0 and 24h".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let millis = |text| duration(text).map(|it| it.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("10s"), Ok(10_000));
        assert_eq!(millis("10"), Ok(10_000));
        assert_eq!(millis("0s"), Ok(0));
        assert_eq!(millis("1.5m"), Ok(90_000));
        assert_eq!(millis("24h"), Ok(86_400_000));
        for bad in ["", "s", "-1s", "25h", "10d", "1s2", "infs", "nan", "1e400s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("1.5k"), Ok(1536));
        assert_eq!(size("16G"), Ok(16 << 30));
        assert_eq!(size("2 MiB"), Ok(2 << 20));
        for bad in ["", "G", "-1M", "0", "1X", "nan", "1e30"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_bins() {
        assert_eq!(bins("2048"), Ok(BinLimit::default()));
        for bad in ["", "2K", "-256", "100", "300", "65536"] {
            assert!(bins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn input_numbers() {
        let parse = |text| InputNumbers::parse(text).map(|it| (it.name, it.numbers));
        assert_eq!(parse("-1,2.5"), Ok((None, (-1.0, 2.5))));
        assert_eq!(parse("a=b:0=0, 1e3"), Ok((Some("a=b:0".to_owned()), (0.0, 1000.0))));
        for bad in ["", "1", "x=", "x=1", "=1,2", "1,2,3", "a,b"] {
            assert!(InputNumbers::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn input_shapes() {
        let parse = |text| InputShape::parse(text).map(|it| (it.name, it.shape));
        assert_eq!(
            parse("x=1,224,224,3"),
            Ok(("x".to_owned(), [1, 224, 224, 3].map(Some).to_vec()))
        );
        assert_eq!(parse("x=1,?,80"), Ok(("x".to_owned(), vec![Some(1), None, Some(80)])));
        assert_eq!(parse("a=b:0=7"), Ok(("a=b:0".to_owned(), vec![Some(7)])));
        assert_eq!(parse("scalar="), Ok(("scalar".to_owned(), vec![])));
        for bad in ["x", "=1", "x=1,,2", "x=-1", "x=0", "x=1.5", "x=99999999999999999999"] {
            assert!(InputShape::parse(bad).is_err(), "{bad}");
        }
    }
}
