//! Names and numbers of objects, in messages.

use std::fmt;

/// Names that are listed.
const LISTED_NAMES: usize = 3;

/// Characters of a name that are listed; a name may be 64 KiB long.
const LISTED_CHARS: usize = 40;

/// Names of stray objects, of which all are counted and the first ones kept.
#[derive(Default)]
pub(super) struct Strays {
    listed: Vec<String>,
    total: usize,
}

impl Strays {
    pub fn add(&mut self, name: &str) {
        self.total += 1;
        if self.listed.len() < LISTED_NAMES {
            self.listed.push(quote(name));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl fmt::Display for Strays {
    /// For instance `"a", "b", "c" and 5 more`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.listed.join(", "))?;
        match self.total.saturating_sub(self.listed.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The name, or the start of it, in quotation marks.
pub(super) fn quote(name: &str) -> String {
    let start: String = name.chars().take(LISTED_CHARS).collect();
    format!("\"{}\"", start.escape_debug())
}

/// `1 input`, `2 inputs`
pub(super) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
