//! How sums of products are computed: observations of one recording must all come from the same.
#![forbid(unsafe_code)]

use std::fmt;

use serde::{Deserialize, Serialize};

/// An order of rounding steps. Each has the same bits on every CPU; they differ from each other in
/// the last bits of observations, see docs/numerics.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// Whatever is fastest for the shapes at hand.
    #[default]
    Fast,
    /// Every product of a convolution is computed and added, with one rounding for both.
    Direct,
    /// Every product is computed, rounded, and then added, as LiteRT's kernels do on x86, and the terms of
    /// sums and means one after the other: slow, to reproduce the ranges of tools that run them.
    Reference,
    /// Observed on a device by onert, whose kernels compute as they do; nothing is planned with it.
    Device,
}

impl Arithmetic {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Direct => "direct",
            Self::Reference => "reference",
            Self::Device => "device",
        }
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
