//! Plain Rust, correct on every machine. Without FMA hardware `mul_add` is a slow library call; the
//! bits are the same.

use super::{LANES, Simd};

/// No particular instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

#[inline(always)]
fn map2(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn map2_bits(a: [f32; LANES], b: [f32; LANES], f: impl Fn(u32, u32) -> u32) -> [f32; LANES] {
    map2(a, b, |a, b| f32::from_bits(f(a.to_bits(), b.to_bits())))
}

impl Simd for Portable {
    type V = [f32; LANES];
    type M = [bool; LANES];
    type R = [f32; LANES];

    const TILE_ROWS: usize = 4;
    const TILE_VECTORS: usize = 1;
    const REGISTER_LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::V {
        *from
    }
    #[inline(always)]
    fn store(self, v: Self::V, to: &mut [f32; LANES]) {
        *to = v;
    }
    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 16 readable values.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 16 writable values.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(v) }
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
        a.iter().zip(&b).any(|(a, b)| a <= b)
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
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        std::array::from_fn(|i| a[i] < b[i])
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        std::array::from_fn(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        m.contains(&true)
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if m[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn first(self, n: usize) -> Self::M {
        std::array::from_fn(|i| i < n)
    }
    #[inline(always)]
    fn and(self, a: Self::V, b: Self::V) -> Self::V {
        map2_bits(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        map2_bits(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V {
        a.map(|a| f32::from_bits(a.to_bits() << N))
    }
    #[inline(always)]
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V {
        a.map(|a| f32::from_bits(a.to_bits() >> N))
    }
    #[inline(always)]
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V {
        map2_bits(a, b, u32::wrapping_add)
    }
    #[inline(always)]
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V {
        a.map(|a| values[(a.to_bits() & 7) as usize])
    }
}
