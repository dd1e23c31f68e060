//! Sixteen `f32` lanes, whatever the width of the machine's registers.
//!
//! Kernels are written once over [`Simd`]. Every operation is defined to the bit, so that all
//! instruction sets compute the same results: `fma` rounds once, `min` and `max` return their
//! second operand when either is NaN or both are zeros (as x86 does).

use self::pair::{NarrowSums, PairRun, PairSums};
use self::tiles::{Extremes, Panels, Tiles};
use super::transpose::turn_plainly;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_tiles;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_narrow;
#[cfg(target_arch = "x86_64")]
mod avx512_overlap;
#[cfg(target_arch = "x86_64")]
mod avx512_pair;
#[cfg(target_arch = "x86_64")]
mod avx512_tiles;
#[cfg(target_arch = "x86_64")]
mod avx512_walk;
#[cfg(target_arch = "x86_64")]
mod avx512_wide;
#[cfg(target_arch = "x86_64")]
mod chip;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod pair;
pub(crate) mod portable;
#[cfg(target_arch = "x86_64")]
mod rounds;
pub(crate) mod separate;
pub(crate) mod tiles;

/// Number of lanes of every vector.
pub(crate) const LANES: usize = 16;

/// Adding and subtracting this rounds a value below 2^22 to the nearest integer, ties to even.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// `2^n` for an integral `n` from -126 to 127.
#[inline(always)]
pub(crate) fn pow2<S: Simd>(s: S, n: S::V) -> S::V {
    // The sum's low bits are n + 127; shifted up they are the exponent field.
    s.shl_bits::<23>(s.add(n, s.splat(ROUND + 127.0)))
}

/// Rows of a GEMM tile of so many vectors.
pub(crate) const fn tile_rows<S: Simd>(vectors: usize) -> usize {
    if vectors == S::MOST_VECTORS { S::WIDEST_TILE_ROWS } else { S::TILE_ROWS }
}

/// An instruction set as a zero-sized value: it exists only where its instructions do.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen `f32`.
    type V: Copy;
    /// Sixteen truth values.
    type M: Copy;
    /// One register of the machine, as a vector has several of where registers are short: for
    /// kernels that keep many sums and weights at hand.
    type R: Copy;

    /// Rows of the GEMM tile that fit the register file beside `TILE_VECTORS` columns.
    const TILE_ROWS: usize;
    /// Vectors across a GEMM tile.
    const TILE_VECTORS: usize;
    /// Vectors across the widest GEMM tile.
    const MOST_VECTORS: usize = Self::TILE_VECTORS;
    /// Rows of a tile of so many.
    const WIDEST_TILE_ROWS: usize = Self::TILE_ROWS;
    /// Whether [`Simd::add_pair`] is faster than one tile after the other.
    const PAIRS: bool = false;
    /// Whether there is [`Simd::tiles`].
    const TILES: bool = false;
    /// Of how many columns there is [`Simd::block_tiles`].
    const BLOCK_TILES: &'static [usize] = &[];
    /// Of how many columns there is [`Simd::narrow_tiles`], which is faster than anything else where panels have
    /// [two vectors](Panels::Two).
    const NARROW_TILES: &'static [usize] = &[];
    /// So many terms can be given to [`Simd::block_tiles`] at once, though they are several blocks.
    const TERMS_AT_ONCE: usize = 0;
    /// Number of registers.
    const REGISTERS: usize = 16;
    /// Lanes of a register; they divide 16.
    const REGISTER_LANES: usize;

    /// The panels whose tiles are fastest.
    #[inline(always)]
    fn panels() -> Panels {
        Panels::Tile
    }

    /// Whether folds take no time beside multiply-adds.
    #[inline(always)]
    fn folds_freely() -> bool {
        false
    }

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// Lanes from memory.
    fn load(self, from: &[f32; LANES]) -> Self::V;
    /// Lanes to memory.
    fn store(self, v: Self::V, to: &mut [f32; LANES]);
    /// Lanes from memory.
    ///
    /// # Safety
    /// `from` must be valid for reads of 16 `f32`; any alignment.
    unsafe fn load_ptr(self, from: *const f32) -> Self::V;
    /// Lanes to memory.
    ///
    /// # Safety
    /// `to` must be valid for writes of 16 `f32`; any alignment.
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32);

    /// Brings what is behind the pointer into the first-level cache, where there is an instruction for
    /// that. Any pointer will do.
    fn prefetch(self, from: *const f32) {
        let _ = from;
    }

    /// Adds `run.len` terms to the sums of two tiles, each by [`Simd::fma`] of a row's element, a vector of
    /// weights and the sum, and fetches what comes next.
    ///
    /// # Safety
    /// `run.rows`, and what is `run.apart` bytes behind them, must be valid for reads of `run.len` `f32`,
    /// `run.panel` for as many times 32.
    #[inline(always)]
    unsafe fn add_pair(self, sums: PairSums<Self::V>, run: PairRun) -> PairSums<Self::V> {
        // SAFETY: the caller's promise is the same.
        unsafe { pair::add_plainly(self, sums, run) }
    }

    /// The same for two tiles of 16 columns (`ROWS`), 8 (`HALVES`), or both, in that order; a term has a
    /// vector of weights for each. `run.results` is not fetched.
    ///
    /// # Safety
    /// As for [`Simd::add_pair`].
    #[inline(always)]
    unsafe fn add_narrow_pair<const ROWS: bool, const HALVES: bool>(
        self,
        sums: NarrowSums<Self::V>,
        run: PairRun,
    ) -> NarrowSums<Self::V> {
        // SAFETY: the caller's promise is the same.
        unsafe { pair::add_narrow_plainly::<Self, ROWS, HALVES>(self, sums, run) }
    }

    /// Computes tiles, where [`Simd::TILES`] says so: sums from zero, term by term, by [`Simd::fma`] of a row's
    /// element, a vector of weights and the sum; then the bias is added, and `ENDING`, an
    /// [`Ending`](tiles::Ending) but `Partial`, done. Folds as [`Fold`](super::minmax::Fold).
    ///
    /// # Safety
    /// `tiles.pointers` must be valid for reads of [`tiles::ROWS`] pointers for each piece and each tile, and each
    /// of these for the terms of the piece; `tiles.panel` for reads of 32 `f32` for each term, `tiles.bias` of 32; `tiles.to` for reads and writes of 32 in every row.
    #[inline(always)]
    unsafe fn tiles<const ENDING: u8>(
        self,
        tiles: Tiles<'_>,
        folds: Extremes<Self::V>,
    ) -> Extremes<Self::V> {
        let _ = (tiles, folds);
        unreachable!("asked for where there is none")
    }

    /// Whether [`Simd::block_tiles`] of two whole vectors is faster than anything else.
    #[inline(always)]
    fn overlaps(self) -> bool {
        false
    }

    /// [`Simd::tiles`], where [`Simd::BLOCK_TILES`] says so, of so many `VECTORS`, of which `LAST`, one of [`tiles::last`], is
    /// there of the last one, with any `ENDING` but `Clamped`. With `ADD`, sums are added to what is in their place first. The terms are one
    /// block, or no more than [`Simd::TERMS_AT_ONCE`]; of two whole vectors, the first piece has at least [`tiles::ROWS`].
    /// Which column is folded into which extremes is not said; with one vector, all are in the first.
    ///
    /// # Safety
    /// As for [`Simd::tiles`], with [`tile_rows`] pointers, so many vectors of the panel and the bias, and as many columns
    /// of the results as are there.
    #[inline(always)]
    unsafe fn block_tiles<
        const VECTORS: usize,
        const LAST: u8,
        const ENDING: u8,
        const ADD: bool,
    >(
        self,
        tiles: Tiles<'_>,
        folds: Extremes<Self::V>,
    ) -> Extremes<Self::V> {
        let _ = (tiles, folds);
        unreachable!("asked for where there is none")
    }

    /// The same, where [`Simd::NARROW_TILES`] says so, of 16 or, with two `VECTORS`, 24 columns, two tiles at once, of one
    /// block. All columns are folded into the first extremes.
    ///
    /// # Safety
    /// As for [`Simd::tiles`], with `tiles.pointers` for every other tile; what is `tiles.apart` bytes behind the rows of
    /// these must be as readable as they are.
    #[inline(always)]
    unsafe fn narrow_tiles<const VECTORS: usize, const ENDING: u8, const ADD: bool>(
        self,
        tiles: Tiles<'_>,
        folds: Extremes<Self::V>,
    ) -> Extremes<Self::V> {
        let _ = (tiles, folds);
        unreachable!("asked for where there is none")
    }

    /// [`Simd::fma`] of the first 8 lanes; the others are any numbers. Half the work where a machine does
    /// half vectors in half the time.
    #[inline(always)]
    fn fma_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.fma(a, b, c)
    }
    /// The first 8 lanes to memory.
    ///
    /// # Safety
    /// `to` must be valid for writes of 8 `f32`; any alignment.
    #[inline(always)]
    unsafe fn store_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values.
        unsafe { to.copy_from(self.to_array(v).as_ptr(), LANES / 2) };
    }

    /// The last 8 lanes to memory.
    ///
    /// # Safety
    /// `to` must be valid for writes of 8 `f32`; any alignment.
    #[inline(always)]
    unsafe fn store_upper_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values.
        unsafe { to.copy_from(self.to_array(v)[LANES / 2..].as_ptr(), LANES / 2) };
    }
    /// 8 values from memory, twice.
    ///
    /// # Safety
    /// `from` must be valid for reads of 8 `f32`; any alignment.
    #[inline(always)]
    unsafe fn load_twice(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 8 readable values.
        let half = unsafe { from.cast::<[f32; LANES / 2]>().read_unaligned() };
        let mut lanes = [0.0; LANES];
        lanes[..LANES / 2].copy_from_slice(&half);
        lanes[LANES / 2..].copy_from_slice(&half);
        self.load(&lanes)
    }
    /// The first 8 lanes of `a` and, behind them, the first of `b`.
    #[inline(always)]
    fn join_halves(self, a: Self::V, b: Self::V) -> Self::V {
        let mut lanes = self.to_array(a);
        lanes[LANES / 2..].copy_from_slice(&self.to_array(b)[..LANES / 2]);
        self.load(&lanes)
    }

    /// All lanes of a register `x`.
    fn register_splat(self, x: f32) -> Self::R;
    /// A register from memory.
    ///
    /// # Safety
    /// `from` must be valid for reads of `REGISTER_LANES` `f32`; any alignment.
    unsafe fn register_load(self, from: *const f32) -> Self::R;
    /// A register to memory.
    ///
    /// # Safety
    /// `to` must be valid for writes of `REGISTER_LANES` `f32`; any alignment.
    unsafe fn register_store(self, r: Self::R, to: *mut f32);
    /// [`Simd::add`] of registers.
    fn register_add(self, a: Self::R, b: Self::R) -> Self::R;
    /// [`Simd::mul`] of registers.
    fn register_mul(self, a: Self::R, b: Self::R) -> Self::R;
    /// [`Simd::div`] of registers.
    fn register_div(self, a: Self::R, b: Self::R) -> Self::R;
    /// [`Simd::fma`] of registers.
    fn register_fma(self, a: Self::R, b: Self::R, c: Self::R) -> Self::R;
    /// [`Simd::min`] of registers.
    fn register_min(self, a: Self::R, b: Self::R) -> Self::R;
    /// [`Simd::max`] of registers.
    fn register_max(self, a: Self::R, b: Self::R) -> Self::R;
    /// Whether a lane of `a` is no greater than that of `b`.
    fn register_any_le(self, a: Self::R, b: Self::R) -> bool;
    /// [`Simd::min`] of each of a vector's registers and those before.
    fn min_across(self, v: Self::V, r: Self::R) -> Self::R;
    /// [`Simd::max`] of each of a vector's registers and those before.
    fn max_across(self, v: Self::V, r: Self::R) -> Self::R;

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once (but by [`separate`], which rounds the product too).
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a > b { a } else { b }`
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Square root, correctly rounded.
    fn sqrt(self, a: Self::V) -> Self::V;

    /// `a < b`
    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    /// `a == b`
    fn eq(self, a: Self::V, b: Self::V) -> Self::M;
    /// Whether any lane is true.
    fn any(self, m: Self::M) -> bool;
    /// `if m { a } else { b }`
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// The first `n` lanes.
    fn first(self, n: usize) -> Self::M;

    /// Bitwise and.
    fn and(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise or.
    fn or(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lanes' bits, shifted left by `N`.
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V;
    /// The lanes' bits, shifted right by `N`, zeros first.
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V;
    /// The sum of the lanes' bits as integers, without carry.
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V;
    /// In each lane the value that the lowest three of the lane's bits choose.
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V;

    /// `a * 2^n` for normal `a` and integral `n` whose magnitudes are between 1/2 and 2, and up to
    /// 200, rounded once.
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        // Two factors, so that neither leaves the exponent's range; the first product is exact.
        let round = self.splat(ROUND);
        let half = self.sub(self.fma(n, self.splat(0.5), round), round);
        self.mul(self.mul(a, pow2(self, half)), pow2(self, self.sub(n, half)))
    }

    /// The first `from.len()` lanes from memory, zeros in the others.
    ///
    /// # Panics
    /// If there are more than 16.
    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        let mut lanes = [0.0; LANES];
        lanes[..from.len()].copy_from_slice(from);
        self.load(&lanes)
    }

    /// The first `to.len()` lanes to memory.
    ///
    /// # Panics
    /// If there are more than 16.
    #[inline(always)]
    fn store_partial(self, v: Self::V, to: &mut [f32]) {
        let mut lanes = [0.0; LANES];
        self.store(v, &mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }

    /// Lanes from memory: 16, or as many as there are, and then zeros.
    ///
    /// # Panics
    /// If there are more than 16.
    #[inline(always)]
    fn load_up_to(self, from: &[f32]) -> Self::V {
        if let Ok(whole) = from.try_into() { self.load(whole) } else { self.load_partial(from) }
    }

    /// Lanes to memory: 16, or as many as there is room for.
    ///
    /// # Panics
    /// If there is room for more than 16.
    #[inline(always)]
    fn store_up_to(self, v: Self::V, to: &mut [f32]) {
        match to.len() {
            LANES => self.store(v, to.try_into().expect("sixteen lanes")),
            _ => self.store_partial(v, to),
        }
    }

    /// Turns 8 rows of 8 words: `to[column][row] = from[row][column]`, rows being a stride apart.
    ///
    /// # Panics
    /// If a row is not inside its slice.
    #[inline(always)]
    fn turn_words(self, from: &[u32], from_stride: usize, to: &mut [u32], to_stride: usize) {
        turn_plainly(from, from_stride, to, to_stride);
    }

    /// The lanes as an array.
    #[inline(always)]
    fn to_array(self, v: Self::V) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(v, &mut lanes);
        lanes
    }

    /// Sum of the lanes in a fixed order: halves are added until one is left.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let mut lanes = self.to_array(v);
        let mut n = LANES;
        while n > 1 {
            n /= 2;
            for i in 0..n {
                lanes[i] += lanes[i + n];
            }
        }
        lanes[0]
    }

    /// The value `-x`.
    #[inline(always)]
    fn neg(self, a: Self::V) -> Self::V {
        self.mul(a, self.splat(-1.0))
    }

    /// The value without its sign.
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        self.and(a, self.splat(f32::from_bits(0x7fff_ffff)))
    }
}

#[cfg(test)]
mod tests;
