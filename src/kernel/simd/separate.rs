//! Another instruction set's vectors with products rounded before they are added.

use super::{LANES, Simd};

/// `S`, but [`Simd::fma`] rounds twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Separate<S>(pub(in crate::kernel) S);

impl<S: Simd> Simd for Separate<S> {
    type V = S::V;
    type M = S::M;
    type R = S::R;

    const TILE_ROWS: usize = S::TILE_ROWS;
    const TILE_VECTORS: usize = S::TILE_VECTORS;
    const MOST_VECTORS: usize = S::MOST_VECTORS;
    const WIDEST_TILE_ROWS: usize = S::WIDEST_TILE_ROWS;
    const REGISTERS: usize = S::REGISTERS;
    const REGISTER_LANES: usize = S::REGISTER_LANES;

    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.add(self.0.mul(a, b), c)
    }

    #[inline(always)]
    fn fma_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.fma(a, b, c)
    }
    #[inline(always)]
    unsafe fn store_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.store_half(v, to) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        self.0.splat(x)
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        self.0.load(from)
    }
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; LANES]) {
        self.0.store(v, to);
    }
    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> Self::V {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.load_ptr(from) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.store_ptr(v, to) }
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        self.0.scale(a, n)
    }
    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::V {
        self.0.load_partial(from)
    }
    #[inline(always)]
    fn store_partial(self, v: Self::V, to: &mut [f32]) {
        self.0.store_partial(v, to);
    }
    #[inline(always)]
    fn register_splat(self, x: f32) -> Self::R {
        self.0.register_splat(x)
    }
    #[inline(always)]
    unsafe fn register_load(self, from: *const f32) -> Self::R {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.register_load(from) }
    }
    #[inline(always)]
    unsafe fn register_store(self, r: Self::R, to: *mut f32) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.register_store(r, to) }
    }
    #[inline(always)]
    fn register_fma(self, a: Self::R, b: Self::R, c: Self::R) -> Self::R {
        self.0.register_add(self.0.register_mul(a, b), c)
    }
    #[inline(always)]
    fn register_add(self, a: Self::R, b: Self::R) -> Self::R {
        self.0.register_add(a, b)
    }
    #[inline(always)]
    fn register_div(self, a: Self::R, b: Self::R) -> Self::R {
        self.0.register_div(a, b)
    }
    #[inline(always)]
    fn register_mul(self, a: Self::R, b: Self::R) -> Self::R {
        self.0.register_mul(a, b)
    }
    #[inline(always)]
    fn register_min(self, a: Self::R, b: Self::R) -> Self::R {
        self.0.register_min(a, b)
    }
    #[inline(always)]
    fn register_max(self, a: Self::R, b: Self::R) -> Self::R {
        self.0.register_max(a, b)
    }
    #[inline(always)]
    fn register_any_le(self, a: Self::R, b: Self::R) -> bool {
        self.0.register_any_le(a, b)
    }
    #[inline(always)]
    fn min_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.0.min_across(v, r)
    }
    #[inline(always)]
    fn max_across(self, v: Self::V, r: Self::R) -> Self::R {
        self.0.max_across(v, r)
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.mul(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.div(a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.min(a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.max(a, b)
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        self.0.sqrt(a)
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        self.0.lt(a, b)
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        self.0.eq(a, b)
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        self.0.any(m)
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        self.0.select(m, a, b)
    }
    #[inline(always)]
    fn first(self, n: usize) -> Self::M {
        self.0.first(n)
    }
    #[inline(always)]
    fn and(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.and(a, b)
    }
    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.or(a, b)
    }
    #[inline(always)]
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V {
        self.0.shl_bits::<N>(a)
    }
    #[inline(always)]
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V {
        self.0.shr_bits::<N>(a)
    }
    #[inline(always)]
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.add_bits(a, b)
    }
    #[inline(always)]
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V {
        self.0.choose(values, a)
    }
}
