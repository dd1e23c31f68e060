//! AVX2 and FMA: two registers a vector.

use std::arch::x86_64::{
    __m256, _CMP_EQ_OQ, _CMP_LE_OQ, _CMP_LT_OQ, _MM_HINT_T0, _mm_cvtsi32_si128, _mm_prefetch,
    _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_blendv_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_min_ps, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_ps,
    _mm256_permute2f128_ps, _mm256_permutevar8x32_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_shuffle_ps, _mm256_sll_epi32, _mm256_sqrt_ps, _mm256_srl_epi32, _mm256_storeu_ps,
    _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::tiles::{Extremes, Panels, Tiles};
use super::{LANES, Simd, avx2_tiles};

/// The CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The value, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }

    /// The value, where the instructions are enabled for the compiler and so were detected.
    #[target_feature(enable = "avx2,fma")]
    pub(in crate::kernel) fn assume() -> Self {
        Self(())
    }
}

/// Lanes 0 to 7 and 8 to 15.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair(__m256, __m256);

impl Pair {
    pub(super) fn halves(self) -> [__m256; 2] {
        [self.0, self.1]
    }
    pub(super) fn of_halves([low, high]: [__m256; 2]) -> Self {
        Self(low, high)
    }
}

/// An intrinsic on both halves.
macro_rules! both {
    ($f:ident($($x:ident),+)) => {
        // SAFETY: needs AVX2 and FMA and touches registers only; `Avx2` exists only after detection.
        unsafe { Pair($f($($x.0),+), $f($($x.1),+)) }
    };
}

/// An integer intrinsic on the bits of both halves.
macro_rules! both_bits {
    (|$($x:ident),+| $e:expr) => {{
        // SAFETY: needs AVX2 and touches registers only; `Avx2` exists only after detection.
        let half = |$($x: __m256),+| unsafe {
            $(let $x = _mm256_castps_si256($x);)+
            _mm256_castsi256_ps($e)
        };
        Pair(half($($x.0),+), half($($x.1),+))
    }};
}

impl Simd for Avx2 {
    type V = Pair;
    type M = Pair;
    type R = __m256;

    const TILE_ROWS: usize = 6;
    const TILE_VECTORS: usize = 1;
    const MOST_VECTORS: usize = 2;
    const WIDEST_TILE_ROWS: usize = 4;
    const BLOCK_TILES: &'static [usize] = &[16, 24];
    /// A panel of 28 KiB stays in the first-level cache.
    const TERMS_AT_ONCE: usize = 448;
    const REGISTER_LANES: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: registers only; AVX2 was detected.
        let half = unsafe { _mm256_set1_ps(x) };
        Pair(half, half)
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        // SAFETY: a reference to 16 values is readable.
        unsafe { self.load_ptr(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; LANES]) {
        // SAFETY: a reference to 16 values is writable.
        unsafe { self.store_ptr(v, to.as_mut_ptr()) }
    }
    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 16 readable values; AVX2 was detected.
        unsafe { Pair(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // SAFETY: a hint; no address faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 16 writable values; AVX2 was detected.
        unsafe {
            _mm256_storeu_ps(to, v.0);
            _mm256_storeu_ps(to.add(8), v.1);
        }
    }
    #[inline(always)]
    fn panels() -> Panels {
        Panels::OneAndHalf
    }
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
        // SAFETY: the caller's promise is the same; AVX2 and FMA were detected.
        unsafe { avx2_tiles::tiles::<VECTORS, ENDING, ADD>(tiles, folds) }
    }
    #[inline(always)]
    fn fma_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: registers only; AVX2 and FMA were detected.
        unsafe { Pair(_mm256_fmadd_ps(a.0, b.0, c.0), c.1) }
    }
    #[inline(always)]
    unsafe fn store_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values; AVX2 was detected.
        unsafe { _mm256_storeu_ps(to, v.0) }
    }
    #[inline(always)]
    fn register_splat(self, x: f32) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn register_load(self, from: *const f32) -> Self::R {
        // SAFETY: the caller vouches for 8 readable values; AVX2 was detected.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn register_store(self, r: Self::R, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values; AVX2 was detected.
        unsafe { _mm256_storeu_ps(to, r) }
    }
    #[inline(always)]
    fn register_add(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn register_div(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn register_mul(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn register_min(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn register_max(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn register_fma(self, a: Self::R, b: Self::R, c: Self::R) -> Self::R {
        // SAFETY: registers only; AVX2 and FMA were detected.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn register_any_le(self, a: Self::R, b: Self::R) -> bool {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(a, b)) != 0 }
    }
    #[inline(always)]
    fn min_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.register_min(v.1, self.register_min(v.0, r))
    }
    #[inline(always)]
    fn max_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.register_max(v.1, self.register_max(v.0, r))
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        both!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        both!(_mm256_sqrt_ps(a))
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        // SAFETY: registers only; AVX2 was detected.
        unsafe {
            Pair(_mm256_cmp_ps::<_CMP_LT_OQ>(a.0, b.0), _mm256_cmp_ps::<_CMP_LT_OQ>(a.1, b.1))
        }
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        // SAFETY: registers only; AVX2 was detected.
        unsafe {
            Pair(_mm256_cmp_ps::<_CMP_EQ_OQ>(a.0, b.0), _mm256_cmp_ps::<_CMP_EQ_OQ>(a.1, b.1))
        }
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        // SAFETY: registers only; AVX2 was detected.
        unsafe { _mm256_movemask_ps(_mm256_or_ps(m.0, m.1)) != 0 }
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_blendv_ps(b, a, m))
    }
    #[inline(always)]
    fn first(self, n: usize) -> Self::M {
        let lanes: [f32; LANES] =
            std::array::from_fn(|i| f32::from_bits(if i < n { !0 } else { 0 }));
        self.load(&lanes)
    }
    #[inline(always)]
    fn and(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_and_ps(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        both!(_mm256_or_ps(a, b))
    }
    #[inline(always)]
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V {
        // The intrinsic's constant is signed, and a const parameter cannot be cast.
        both_bits!(|a| _mm256_sll_epi32(a, _mm_cvtsi32_si128(N as i32)))
    }
    #[inline(always)]
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V {
        both_bits!(|a| _mm256_srl_epi32(a, _mm_cvtsi32_si128(N as i32)))
    }
    #[inline(always)]
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V {
        both_bits!(|a, b| _mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V {
        // SAFETY: the values are readable; AVX2 was detected.
        let values = unsafe { _mm256_loadu_ps(values.as_ptr()) };
        // SAFETY: registers only; AVX2 was detected.
        let half = |a| unsafe { _mm256_permutevar8x32_ps(values, _mm256_castps_si256(a)) };
        Pair(half(a.0), half(a.1))
    }
    #[inline(always)]
    fn turn_words(self, from: &[u32], from_stride: usize, to: &mut [u32], to_stride: usize) {
        // SAFETY: AVX2 was detected.
        unsafe { turn_words(from, from_stride, to, to_stride) }
    }
}

/// See [`Simd::turn_words`].
///
/// # Safety
/// The CPU must have AVX2.
#[inline(always)]
pub(super) unsafe fn turn_words(
    from: &[u32],
    from_stride: usize,
    to: &mut [u32],
    to_stride: usize,
) {
    assert!(from.len() >= 7 * from_stride + 8 && to.len() >= 7 * to_stride + 8, "8 rows of 8");
    // SAFETY: all rows are inside the slices, as was just checked; the caller vouches for AVX2. Moving
    // words through float registers keeps their bits.
    unsafe {
        let mut rows = [_mm256_setzero_ps(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = _mm256_loadu_ps(from.as_ptr().add(i * from_stride).cast());
        }
        let mut pairs = rows;
        for i in [0, 2, 4, 6] {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        // Columns i and i + 4 of rows 0 to 3, then of rows 4 to 7.
        let mut halves = rows;
        for i in [0, 4] {
            halves[i] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
            halves[i + 1] = _mm256_shuffle_ps::<0xee>(pairs[i], pairs[i + 2]);
            halves[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
            halves[i + 3] = _mm256_shuffle_ps::<0xee>(pairs[i + 1], pairs[i + 3]);
        }
        for i in 0..4 {
            let column = _mm256_permute2f128_ps::<0x20>(halves[i], halves[i + 4]);
            _mm256_storeu_ps(to.as_mut_ptr().add(i * to_stride).cast(), column);
            let column = _mm256_permute2f128_ps::<0x31>(halves[i], halves[i + 4]);
            _mm256_storeu_ps(to.as_mut_ptr().add((i + 4) * to_stride).cast(), column);
        }
    }
}
