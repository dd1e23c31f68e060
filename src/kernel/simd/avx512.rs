//! AVX-512: one register a vector.

use std::arch::x86_64::{
    __m512, __mmask16, _CMP_EQ_OQ, _CMP_LE_OQ, _CMP_LT_OQ, _MM_HINT_T0, _mm_prefetch,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm512_add_epi32, _mm512_add_ps,
    _mm512_and_ps, _mm512_broadcast_f32x8, _mm512_castps_si512, _mm512_castps512_ps256,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_div_ps, _mm512_extractf32x8_ps,
    _mm512_fmadd_ps, _mm512_insertf32x8, _mm512_loadu_ps, _mm512_mask_blend_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_or_ps, _mm512_permutexvar_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_slli_epi32,
    _mm512_sqrt_ps, _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_ps, _mm512_zextps256_ps512,
};

use super::pair::{NarrowSums, PairRun, PairSums};
use super::tiles::{Extremes, Panels, Tiles, last};
use super::{
    LANES, Simd, avx2, avx512_narrow, avx512_overlap, avx512_pair, avx512_tiles, avx512_wide, chip,
};

/// The CPU has AVX-512 F, VL, BW and DQ, AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The value, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }

    /// The value, where the instructions are enabled for the compiler and so were detected.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
    pub(in crate::kernel) fn assume() -> Self {
        Self(())
    }
}

/// Intrinsics on registers.
macro_rules! v {
    ($e:expr) => {
        // SAFETY: needs AVX-512 and touches registers only; `Avx512` exists only after detection.
        unsafe { $e }
    };
}

impl Simd for Avx512 {
    type V = __m512;
    type M = __mmask16;
    type R = __m512;

    const TILE_ROWS: usize = 7;
    const TILE_VECTORS: usize = 2;
    const MOST_VECTORS: usize = 4;
    const WIDEST_TILE_ROWS: usize = 6;
    const PAIRS: bool = true;
    const TILES: bool = true;
    const BLOCK_TILES: &'static [usize] = &[32, 40, 48, 64];
    const NARROW_TILES: &'static [usize] = &[16, 24];
    const REGISTERS: usize = 32;
    const REGISTER_LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        v!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        // SAFETY: a reference to 16 values is readable; AVX-512 was detected.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; LANES]) {
        // SAFETY: a reference to 16 values is writable; AVX-512 was detected.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 16 readable values; AVX-512 was detected.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        // SAFETY: a hint; no address faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 16 writable values; AVX-512 was detected.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    fn fma_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let half = |v| v!(_mm512_castps512_ps256(v));
        v!(_mm512_zextps256_ps512(_mm256_fmadd_ps(half(a), half(b), half(c))))
    }
    #[inline(always)]
    unsafe fn store_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values; AVX-512 and AVX2 were detected.
        unsafe { _mm256_storeu_ps(to, _mm512_castps512_ps256(v)) }
    }
    #[inline(always)]
    fn join_halves(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_insertf32x8::<1>(a, _mm512_castps512_ps256(b)))
    }
    #[inline(always)]
    unsafe fn add_pair(self, sums: PairSums<Self::V>, run: PairRun) -> PairSums<Self::V> {
        // SAFETY: the caller's promise is the same; AVX-512 was detected.
        unsafe { avx512_pair::add(sums, run) }
    }
    #[inline(always)]
    unsafe fn add_narrow_pair<const ROWS: bool, const HALVES: bool>(
        self,
        sums: NarrowSums<Self::V>,
        run: PairRun,
    ) -> NarrowSums<Self::V> {
        // SAFETY: the caller's promise is the same; AVX-512 was detected.
        unsafe { avx512_pair::add_narrow::<ROWS, HALVES>(sums, run) }
    }
    #[inline(always)]
    unsafe fn tiles<const ENDING: u8>(
        self,
        tiles: Tiles<'_>,
        folds: Extremes<Self::V>,
    ) -> Extremes<Self::V> {
        // SAFETY: the caller's promise is the same; AVX-512 was detected.
        unsafe { avx512_tiles::tiles::<ENDING>(tiles, folds) }
    }
    #[inline(always)]
    fn panels() -> Panels {
        match () {
            () if chip::is_intel() => Panels::Wide,
            () if chip::computes_beside() => Panels::Two,
            () => Panels::Tile,
        }
    }
    #[inline(always)]
    fn overlaps(self) -> bool {
        chip::is_zen_4()
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
        // SAFETY: the caller's promise is the same; AVX-512 was detected.
        unsafe {
            if VECTORS == 2 {
                avx512_overlap::tiles::<ENDING, ADD>(tiles, folds)
            } else if LAST == last::HALF {
                avx512_narrow::tiles::<3, ENDING, ADD>(tiles, folds)
            } else {
                avx512_wide::tiles::<VECTORS, ENDING, ADD>(tiles, folds)
            }
        }
    }
    #[inline(always)]
    fn folds_freely() -> bool {
        chip::computes_beside()
    }
    #[inline(always)]
    unsafe fn narrow_tiles<const VECTORS: usize, const ENDING: u8, const ADD: bool>(
        self,
        tiles: Tiles<'_>,
        folds: Extremes<Self::V>,
    ) -> Extremes<Self::V> {
        // SAFETY: the caller's promise is the same; AVX-512 was detected.
        unsafe { avx512_narrow::tiles::<VECTORS, ENDING, ADD>(tiles, folds) }
    }
    #[inline(always)]
    unsafe fn store_upper_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values; AVX-512 was detected.
        unsafe { _mm256_storeu_ps(to, _mm512_extractf32x8_ps::<1>(v)) }
    }
    #[inline(always)]
    unsafe fn load_twice(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 8 readable values; AVX-512 was detected.
        unsafe { _mm512_broadcast_f32x8(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    fn register_splat(self, x: f32) -> Self::R {
        self.splat(x)
    }
    #[inline(always)]
    unsafe fn register_load(self, from: *const f32) -> Self::R {
        // SAFETY: the caller's promise is the same.
        unsafe { self.load_ptr(from) }
    }
    #[inline(always)]
    unsafe fn register_store(self, r: Self::R, to: *mut f32) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.store_ptr(r, to) }
    }
    #[inline(always)]
    fn register_fma(self, a: Self::R, b: Self::R, c: Self::R) -> Self::R {
        self.fma(a, b, c)
    }
    #[inline(always)]
    fn register_min(self, a: Self::R, b: Self::R) -> Self::R {
        self.min(a, b)
    }
    #[inline(always)]
    fn register_max(self, a: Self::R, b: Self::R) -> Self::R {
        self.max(a, b)
    }
    #[inline(always)]
    fn register_add(self, a: Self::R, b: Self::R) -> Self::R {
        self.add(a, b)
    }
    #[inline(always)]
    fn register_div(self, a: Self::R, b: Self::R) -> Self::R {
        self.div(a, b)
    }
    #[inline(always)]
    fn register_mul(self, a: Self::R, b: Self::R) -> Self::R {
        self.mul(a, b)
    }
    #[inline(always)]
    fn register_any_le(self, a: Self::R, b: Self::R) -> bool {
        // SAFETY: registers only; AVX-512 was detected.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b) != 0 }
    }
    #[inline(always)]
    fn min_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.min(v, r)
    }
    #[inline(always)]
    fn max_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.max(v, r)
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        v!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        v!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        v!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        v!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b))
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        m != 0
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_mask_blend_ps(m, b, a))
    }
    #[inline(always)]
    fn first(self, n: usize) -> Self::M {
        if n >= LANES { !0 } else { (1 << n) - 1 }
    }
    #[inline(always)]
    fn and(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_and_ps(a, b))
    }
    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_or_ps(a, b))
    }
    #[inline(always)]
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V {
        v!(_mm512_castsi512_ps(_mm512_slli_epi32::<N>(_mm512_castps_si512(a))))
    }
    #[inline(always)]
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V {
        v!(_mm512_castsi512_ps(_mm512_srli_epi32::<N>(_mm512_castps_si512(a))))
    }
    #[inline(always)]
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V {
        v!(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))))
    }
    #[inline(always)]
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V {
        // Four bits choose here: the upper half repeats the lower one.
        // SAFETY: the values are readable; AVX-512 was detected.
        let values = unsafe { _mm512_broadcast_f32x8(_mm256_loadu_ps(values.as_ptr())) };
        v!(_mm512_permutexvar_ps(_mm512_castps_si512(a), values))
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        v!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        assert!(from.len() <= LANES, "at most 16 lanes");
        // SAFETY: masked-out lanes are not read, the others are in the slice; AVX-512 was detected.
        unsafe { _mm512_maskz_loadu_ps(self.first(from.len()), from.as_ptr()) }
    }
    #[inline(always)]
    fn store_partial(self, v: Self::V, to: &mut [f32]) {
        assert!(to.len() <= LANES, "at most 16 lanes");
        // SAFETY: masked-out lanes are not written, the others are in the slice; AVX-512 was detected.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), self.first(to.len()), v) }
    }
    #[inline(always)]
    fn turn_words(self, from: &[u32], from_stride: usize, to: &mut [u32], to_stride: usize) {
        // SAFETY: AVX2 was detected with AVX-512.
        unsafe { avx2::turn_words(from, from_stride, to, to_stride) }
    }
}
