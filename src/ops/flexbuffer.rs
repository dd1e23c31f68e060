//! Reads the attributes of custom operators: a FlexBuffers map of scalars.
//!
//! Format: <https://flatbuffers.dev/flexbuffers>. Values are found by key as TFLite finds them: a key that is
//! not there is null, which is zero as a number.

use crate::error::{Error, Result};

/// A map of scalars.
pub(super) struct Map {
    entries: Vec<(String, Value)>,
}

/// A scalar; `Other` for strings, vectors and what else there is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Null,
    Int(i64),
    Float(f64),
    Other,
}

/// Types of values, by their numbers in the format.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const INT: u8 = 1;
    pub(super) const UINT: u8 = 2;
    pub(super) const FLOAT: u8 = 3;
    pub(super) const INDIRECT_INT: u8 = 6;
    pub(super) const INDIRECT_UINT: u8 = 7;
    pub(super) const INDIRECT_FLOAT: u8 = 8;
    pub(super) const MAP: u8 = 9;
    pub(super) const BOOL: u8 = 26;
}

impl Map {
    /// # Errors
    /// If the bytes are no such map.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).ok_or_else(|| Error::model("its attributes are not a FlexBuffers map"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let reader = Reader(bytes);
        // The root's width and type come last, the root before them.
        let [root @ .., packed, width] = bytes else { return None };
        if packed >> 2 != kind::MAP {
            return None;
        }
        let at = root.len().checked_sub(usize::from(*width))?;
        let map = reader.indirect(at, usize::from(*width))?;
        let width = 1_usize << (packed & 3);
        // Before a map's values: where its keys are, their width, the number of values.
        let count = reader.length(map.checked_sub(width)?, width)?;
        let key_width = reader.length(map.checked_sub(2 * width)?, width)?;
        let keys = reader.indirect(map.checked_sub(3 * width)?, width)?;
        let types = map.checked_add(count.checked_mul(width)?)?;
        let types = bytes.get(types..types.checked_add(count)?)?;
        let entry = |(i, &packed): (usize, &u8)| {
            let key = reader.indirect(keys.checked_add(i.checked_mul(key_width)?)?, key_width)?;
            let key = bytes.get(key..)?.split(|&byte| byte == 0).next()?;
            let value = reader.value(map + i * width, width, packed)?;
            Some((String::from_utf8(key.to_vec()).ok()?, value))
        };
        let entries = types.iter().enumerate().map(entry).collect::<Option<_>>()?;
        Some(Self { entries })
    }

    fn get(&self, key: &str) -> Value {
        let found = self.entries.iter().find(|(known, _)| known == key);
        found.map_or(Value::Null, |(_, value)| *value)
    }

    /// Whether there is a value for a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key) != Value::Null
    }

    /// A whole number.
    ///
    /// # Errors
    /// If it is no number.
    pub(super) fn int(&self, key: &str) -> Result<i64> {
        match self.get(key) {
            Value::Null => Ok(0),
            Value::Int(value) => Ok(value),
            Value::Float(value) => Ok(value as i64),
            Value::Other => Err(Error::model(format!("its attribute `{key}` is no number"))),
        }
    }

    /// A whole number that counts something.
    ///
    /// # Errors
    /// If it is no number, or negative or beyond 32 bits.
    pub(super) fn count(&self, key: &str) -> Result<usize> {
        let value = self.int(key)?;
        u32::try_from(value)
            .map(|value| value as usize)
            .map_err(|_| Error::model(format!("its attribute `{key}` is {value}")))
    }

    /// A number.
    ///
    /// # Errors
    /// If it is no number.
    pub(super) fn float(&self, key: &str) -> Result<f32> {
        match self.get(key) {
            Value::Float(value) => Ok(value as f32),
            _ => Ok(self.int(key)? as f32),
        }
    }

    /// A truth value.
    ///
    /// # Errors
    /// If it is no number.
    pub(super) fn bool(&self, key: &str) -> Result<bool> {
        Ok(self.float(key)? != 0.0)
    }
}

/// Little-endian numbers of 1, 2, 4 or 8 bytes.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn uint(self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.0.get(at..at.checked_add(width)?)?;
        matches!(width, 1 | 2 | 4 | 8)
            .then(|| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn length(self, at: usize, width: usize) -> Option<usize> {
        usize::try_from(self.uint(at, width)?).ok()
    }

    /// The place that an offset points back to.
    fn indirect(self, at: usize, width: usize) -> Option<usize> {
        at.checked_sub(self.length(at, width)?)
    }

    fn value(self, at: usize, width: usize, packed: u8) -> Option<Value> {
        let pointed = 1 << (packed & 3);
        Some(match packed >> 2 {
            kind::NULL => Value::Null,
            kind::INT => Value::Int(self.int(at, width)?),
            kind::UINT | kind::BOOL => Value::Int(self.uint(at, width)? as i64),
            kind::FLOAT => Value::Float(self.float(at, width)?),
            kind::INDIRECT_INT => Value::Int(self.int(self.indirect(at, width)?, pointed)?),
            kind::INDIRECT_UINT => {
                Value::Int(self.uint(self.indirect(at, width)?, pointed)? as i64)
            }
            kind::INDIRECT_FLOAT => Value::Float(self.float(self.indirect(at, width)?, pointed)?),
            _ => Value::Other,
        })
    }

    fn int(self, at: usize, width: usize) -> Option<i64> {
        let unused = 64 - 8 * width as u32;
        Some(((self.uint(at, width)? << unused) as i64) >> unused)
    }

    fn float(self, at: usize, width: usize) -> Option<f64> {
        let bits = self.uint(at, width)?;
        match width {
            4 => Some(f32::from_bits(bits as u32).into()),
            8 => Some(f64::from_bits(bits)),
            2 => Some(half::f16::from_bits(bits as u16).into()),
            _ => None,
        }
    }
}

/// A map of numbers, for tests.
#[cfg(test)]
pub(super) fn map_of(entries: &[(&str, f64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut keys = Vec::new();
    for (key, _) in entries {
        keys.push(bytes.len());
        bytes.extend([key.as_bytes(), &[0]].concat());
    }
    // Everything is eight bytes wide.
    let count = (entries.len() as u64).to_le_bytes();
    bytes.extend(count);
    let key_vector = bytes.len();
    let back = |bytes: &mut Vec<u8>, to: usize| {
        bytes.extend(((bytes.len() - to) as u64).to_le_bytes());
    };
    for key in keys {
        back(&mut bytes, key);
    }
    back(&mut bytes, key_vector);
    bytes.extend(8_u64.to_le_bytes());
    bytes.extend(count);
    let map = bytes.len();
    bytes.extend(entries.iter().flat_map(|(_, value)| value.to_le_bytes()));
    bytes.extend(vec![kind::FLOAT << 2 | 3; entries.len()]);
    back(&mut bytes, map);
    bytes.extend([kind::MAP << 2 | 3, 8]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a": -3, "b": 0.5, "c": true, "d": 70000 (indirect), "s": "x"}`, by hand.
    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let keys: Vec<usize> = ["a", "b", "c", "d", "s"]
            .iter()
            .map(|key| {
                bytes.extend([key.as_bytes()[0], 0]);
                bytes.len() - 2
            })
            .collect();
        bytes.extend([0, 0]);
        let number = bytes.len();
        bytes.extend(70000_u32.to_le_bytes());
        // Keys: their number, and where they are, as single bytes.
        bytes.push(5);
        let key_vector = bytes.len();
        for key in keys {
            bytes.push((bytes.len() - key) as u8);
        }
        while !bytes.len().is_multiple_of(4) {
            bytes.push(0);
        }
        let back = |bytes: &Vec<u8>, to: usize| ((bytes.len() - to) as u32).to_le_bytes();
        bytes.extend(back(&bytes, key_vector));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(5_u32.to_le_bytes());
        let map = bytes.len();
        bytes.extend((-3_i32).to_le_bytes());
        bytes.extend(0.5_f32.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(back(&bytes, number));
        bytes.extend(back(&bytes, 0));
        let types = [kind::INT, kind::FLOAT, kind::BOOL, kind::INDIRECT_UINT, 5];
        bytes.extend(types.map(|it| it << 2 | 2));
        bytes.push((bytes.len() - map) as u8);
        bytes.extend([kind::MAP << 2 | 2, 1]);
        bytes
    }

    #[test]
    fn scalars_are_found_by_key() {
        let map = Map::read(&sample()).unwrap();
        assert_eq!(map.int("a").unwrap(), -3);
        assert_eq!(map.float("a").unwrap(), -3.0);
        assert_eq!((map.float("b").unwrap(), map.int("b").unwrap()), (0.5, 0));
        assert!(map.bool("c").unwrap() && map.bool("b").unwrap() && !map.bool("missing").unwrap());
        assert_eq!(map.count("d").unwrap(), 70000);
        assert_eq!(
            (map.has("a"), map.has("missing"), map.int("missing").unwrap()),
            (true, false, 0)
        );
        assert!(map.count("a").unwrap_err().to_string().contains("`a` is -3"));
        assert!(map.int("s").unwrap_err().to_string().contains("`s` is no number"));
    }

    #[test]
    fn numbers_are_converted() {
        let map = Map::read(&map_of(&[("large", 1e12), ("half", 0.5)])).unwrap();
        assert_eq!(
            (map.int("large").unwrap(), map.float("half").unwrap()),
            (1_000_000_000_000, 0.5)
        );
        assert!(map.count("large").unwrap_err().to_string().contains("is 1000000000000"));
        assert!(map.bool("half").unwrap());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = sample();
        for len in 0..bytes.len() {
            let _ = Map::read(&bytes[..len]);
            assert!(Map::read(&[&bytes[..len], &[0, 0][..]].concat()).is_err());
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = Map::read(&bytes);
            }
        }
    }
}
