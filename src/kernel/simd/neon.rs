//! NEON: four registers a vector.

use std::arch::aarch64::*;

use super::{LANES, Simd};

/// The CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon(());

impl Neon {
    /// The value, if the CPU has the instructions.
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// The value, where the instructions are enabled for the compiler and so were detected.
    #[target_feature(enable = "neon")]
    pub(in crate::kernel) fn assume() -> Self {
        Self(())
    }
}

/// Lanes 0 to 3, 4 to 7, 8 to 11 and 12 to 15.
type Quad = [float32x4_t; 4];

/// An intrinsic on all quarters.
macro_rules! all {
    (|$($x:ident),+| $e:expr) => {{
        let quarter = |i: usize| {
            $(let $x = $x[i];)+
            // SAFETY: needs NEON and touches registers only; `Neon` exists only after detection.
            unsafe { $e }
        };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }};
}

impl Simd for Neon {
    type V = Quad;
    type M = [uint32x4_t; 4];
    type R = float32x4_t;

    const TILE_ROWS: usize = 6;
    const TILE_VECTORS: usize = 1;
    const REGISTERS: usize = 32;
    const REGISTER_LANES: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: registers only; NEON was detected.
        [unsafe { vdupq_n_f32(x) }; 4]
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
        // SAFETY: the caller vouches for 16 readable values; NEON was detected.
        unsafe {
            [
                vld1q_f32(from),
                vld1q_f32(from.add(4)),
                vld1q_f32(from.add(8)),
                vld1q_f32(from.add(12)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 16 writable values; NEON was detected.
        unsafe {
            vst1q_f32(to, v[0]);
            vst1q_f32(to.add(4), v[1]);
            vst1q_f32(to.add(8), v[2]);
            vst1q_f32(to.add(12), v[3]);
        }
    }
    #[inline(always)]
    fn fma_half(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: registers only; NEON was detected.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1]), c[2], c[3]] }
    }
    #[inline(always)]
    unsafe fn store_half(self, v: Self::V, to: *mut f32) {
        // SAFETY: the caller vouches for 8 writable values; NEON was detected.
        unsafe {
            vst1q_f32(to, v[0]);
            vst1q_f32(to.add(4), v[1]);
        }
    }
    #[inline(always)]
    fn register_splat(self, x: f32) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn register_load(self, from: *const f32) -> Self::R {
        // SAFETY: the caller vouches for 4 readable values; NEON was detected.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn register_store(self, r: Self::R, to: *mut f32) {
        // SAFETY: the caller vouches for 4 writable values; NEON was detected.
        unsafe { vst1q_f32(to, r) }
    }
    #[inline(always)]
    fn register_add(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn register_div(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vdivq_f32(a, b) }
    }
    #[inline(always)]
    fn register_mul(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn register_min(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vbslq_f32(vcltq_f32(a, b), a, b) }
    }
    #[inline(always)]
    fn register_max(self, a: Self::R, b: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }
    #[inline(always)]
    fn register_fma(self, a: Self::R, b: Self::R, c: Self::R) -> Self::R {
        // SAFETY: registers only; NEON was detected.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn register_any_le(self, a: Self::R, b: Self::R) -> bool {
        // SAFETY: registers only; NEON was detected.
        unsafe { vmaxvq_u32(vcleq_f32(a, b)) != 0 }
    }
    #[inline(always)]
    fn min_across(self, v: Self::V, r: Self::R) -> Self::R {
        v.into_iter().fold(r, |r, quarter| self.register_min(quarter, r))
    }
    #[inline(always)]
    fn max_across(self, v: Self::V, r: Self::R) -> Self::R {
        v.into_iter().fold(r, |r, quarter| self.register_max(quarter, r))
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vmulq_f32(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vdivq_f32(a, b))
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        all!(|a, b, c| vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        // The minimum instructions treat NaN otherwise than x86 does.
        all!(|a, b| vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        all!(|a| vsqrtq_f32(a))
    }
    #[inline(always)]
    fn lt(self, a: Self::V, b: Self::V) -> Self::M {
        all!(|a, b| vcltq_f32(a, b))
    }
    #[inline(always)]
    fn eq(self, a: Self::V, b: Self::V) -> Self::M {
        all!(|a, b| vceqq_f32(a, b))
    }
    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        // SAFETY: registers only; NEON was detected.
        m.into_iter().any(|quarter| unsafe { vmaxvq_u32(quarter) } != 0)
    }
    #[inline(always)]
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V {
        all!(|m, a, b| vbslq_f32(m, a, b))
    }
    #[inline(always)]
    fn first(self, n: usize) -> Self::M {
        let lanes: [f32; LANES] = std::array::from_fn(|i| if i < n { 1.0 } else { 0.0 });
        self.lt(self.splat(0.0), self.load(&lanes))
    }
    #[inline(always)]
    fn and(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vreinterpretq_f32_u32(vandq_u32(
            vreinterpretq_u32_f32(a),
            vreinterpretq_u32_f32(b)
        )))
    }
    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vreinterpretq_f32_u32(vorrq_u32(
            vreinterpretq_u32_f32(a),
            vreinterpretq_u32_f32(b)
        )))
    }
    #[inline(always)]
    fn shl_bits<const N: u32>(self, a: Self::V) -> Self::V {
        all!(|a| vreinterpretq_f32_u32(vshlq_u32(vreinterpretq_u32_f32(a), vdupq_n_s32(N as i32))))
    }
    #[inline(always)]
    fn shr_bits<const N: u32>(self, a: Self::V) -> Self::V {
        // A shift to the left by less than nothing.
        all!(|a| vreinterpretq_f32_u32(vshlq_u32(
            vreinterpretq_u32_f32(a),
            vdupq_n_s32(-(N as i32))
        )))
    }
    #[inline(always)]
    fn add_bits(self, a: Self::V, b: Self::V) -> Self::V {
        all!(|a, b| vreinterpretq_f32_u32(vaddq_u32(
            vreinterpretq_u32_f32(a),
            vreinterpretq_u32_f32(b)
        )))
    }
    #[inline(always)]
    fn choose(self, values: &[f32; 8], a: Self::V) -> Self::V {
        // SAFETY: the values are readable; NEON was detected.
        let (low, high) =
            unsafe { (vld1q_f32(values.as_ptr()), vld1q_f32(values.as_ptr().add(4))) };
        // Bytes are chosen: four follow on another in each value.
        all!(|a| {
            let values = uint8x16x2_t(vreinterpretq_u8_f32(low), vreinterpretq_u8_f32(high));
            let value = vandq_u32(vreinterpretq_u32_f32(a), vdupq_n_u32(7));
            let bytes = vmlaq_n_u32(vdupq_n_u32(0x0302_0100), value, 0x0404_0404);
            vreinterpretq_f32_u8(vqtbl2q_u8(values, vreinterpretq_u8_u32(bytes)))
        })
    }
}
