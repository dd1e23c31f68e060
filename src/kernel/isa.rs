//! Instruction sets: detected once, passed down as a value.

use std::fmt;
use std::str::FromStr;

use super::simd::separate::Separate;
use super::simd::tiles::Panels;
use super::simd::{self, Simd};
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};

/// An instruction set that this CPU has; holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

/// A computation written once for all instruction sets.
///
/// `run` and everything it calls that takes the [`Simd`] value must be `#[inline(always)]`, so that
/// it is compiled inside the function that enables the instructions.
pub(crate) trait Task {
    /// What the computation returns.
    type Output;
    /// Computes with the given instructions.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// What is known of the instructions' type, without a value of it.
macro_rules! of_type {
    ($isa:expr, $simd:ident => $what:expr) => {
        match $isa.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                type $simd = simd::avx512::Avx512;
                $what
            }
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                type $simd = simd::avx2::Avx2;
                $what
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => {
                type $simd = simd::neon::Neon;
                $what
            }
            Level::Portable => {
                type $simd = simd::portable::Portable;
                $what
            }
        }
    };
}

impl Isa {
    /// Every instruction set this CPU has, best first; the last is always the portable one.
    pub fn supported() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if simd::avx512::Avx512::detect().is_some() {
                all.push(Self(Level::Avx512));
            }
            if simd::avx2::Avx2::detect().is_some() {
                all.push(Self(Level::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if simd::neon::Neon::detect().is_some() {
            all.push(Self(Level::Neon));
        }
        all.push(Self(Level::Portable));
        all
    }

    /// The best instruction set this CPU has.
    pub fn detect() -> Self {
        Self::supported()[0]
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            Level::Portable => "portable",
        }
    }

    /// Rows and vectors of the GEMM tile that fits these registers.
    pub(crate) fn tile(self) -> (usize, usize) {
        of_type!(self, S => (S::TILE_ROWS, S::TILE_VECTORS))
    }

    /// Rows of the GEMM tile of so many vectors.
    pub(crate) fn tile_rows(self, vectors: usize) -> usize {
        of_type!(self, S => simd::tile_rows::<S>(vectors))
    }

    /// Rows of the GEMM tile of the most vectors, where that is used beside others.
    pub(crate) fn widest_tile_rows(self) -> Option<usize> {
        let is_used = matches!(self.panels(), Panels::OneAndHalf | Panels::Wide);
        is_used.then_some(of_type!(self, S => S::WIDEST_TILE_ROWS))
    }

    /// Whether folds take no time beside multiply-adds.
    pub(crate) fn folds_freely(self) -> bool {
        of_type!(self, S => S::folds_freely())
    }

    /// The panels whose tiles are fastest.
    pub(crate) fn panels(self) -> Panels {
        of_type!(self, S => S::panels())
    }

    /// Runs `task`, which sums products, with these instructions.
    pub(crate) fn dispatch_products<T: Task>(self, arithmetic: Arithmetic, task: T) -> T::Output {
        match arithmetic {
            Arithmetic::Fast | Arithmetic::Direct | Arithmetic::Device => self.dispatch(task),
            Arithmetic::Reference => self.dispatch((task, Separately)),
        }
    }

    /// Runs `task` with these instructions.
    pub(crate) fn dispatch<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::Avx512` is only made by `supported`, after `Avx512::detect` found every
            // feature that the method enables.
            Level::Avx512 => unsafe { task.avx512() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::Avx2` is only made by `supported`, after `Avx2::detect` found every feature
            // that the method enables.
            Level::Avx2 => unsafe { task.avx2() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: `Level::Neon` is only made by `supported`, after `Neon::detect`.
            Level::Neon => unsafe { task.neon() },
            Level::Portable => task.portable(),
        }
    }
}

/// Where the instructions are enabled.
///
/// These are methods of the task because the compiler puts a generic method with its type's module: as
/// functions of this module, all kernels would be one unit, compiled by one thread and as a whole after every
/// change.
trait Enabled: Task {
    /// # Safety
    /// The CPU must have the instructions that the method enables.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(self) -> Self::Output;
    /// # Safety
    /// The CPU must have the instructions that the method enables.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(self) -> Self::Output;
    /// # Safety
    /// The CPU must have the instructions that the method enables.
    #[cfg(target_arch = "aarch64")]
    unsafe fn neon(self) -> Self::Output;
    fn portable(self) -> Self::Output;
}

impl<T: Task> Enabled for T {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    unsafe fn avx512(self) -> T::Output {
        self.run(simd::avx512::Avx512::assume())
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(self) -> T::Output {
        self.run(simd::avx2::Avx2::assume())
    }

    #[cfg(target_arch = "aarch64")]
    #[target_feature(enable = "neon")]
    unsafe fn neon(self) -> T::Output {
        self.run(simd::neon::Neon::assume())
    }

    fn portable(self) -> T::Output {
        self.run(simd::portable::Portable)
    }
}

/// Rounds products before they are added.
pub(crate) struct Separately;

/// A task whose products are rounded before they are added; a tuple, so that its code is with the task's.
impl<T: Task> Task for (T, Separately) {
    type Output = T::Output;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> T::Output {
        self.0.run(Separate(simd))
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// Parses `auto` or the name of an instruction set that this CPU has.
    fn from_str(name: &str) -> Result<Self> {
        if name == "auto" {
            return Ok(Self::detect());
        }
        let supported = Self::supported();
        supported.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = supported.iter().map(|isa| isa.name()).collect();
            Error::usage(format!("this CPU does not have the instruction set `{name}`"))
                .with_hint(format!("use `auto` or one of: {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for isa in Isa::supported() {
            assert_eq!(isa.name().parse::<Isa>().unwrap(), isa);
        }
        assert_eq!("auto".parse::<Isa>().unwrap(), Isa::detect());
        let error = "mmx".parse::<Isa>().unwrap_err();
        assert!(error.to_string().contains("mmx"));
    }
}
