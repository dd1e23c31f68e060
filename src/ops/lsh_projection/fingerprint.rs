//! FarmHash's 64-bit fingerprint of a string (Pike, `farmhashna::Hash64`), which never changes.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// The fingerprint of some bytes.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => to_16(bytes),
        17..=32 => to_32(bytes),
        33..=64 => to_64(bytes),
        _ => longer(bytes),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn half_word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word).into()
}

fn shift_mix(x: u64) -> u64 {
    x ^ (x >> 47)
}

fn mix(u: u64, v: u64, factor: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(factor));
    shift_mix((v ^ a).wrapping_mul(factor)).wrapping_mul(factor)
}

/// The factor for a string of this length.
fn factor(len: usize) -> u64 {
    K2.wrapping_add(len as u64 * 2)
}

fn to_16(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let factor = factor(len);
    if len >= 8 {
        let (a, b) = (word(bytes, 0).wrapping_add(K2), word(bytes, len - 8));
        let c = b.rotate_right(37).wrapping_mul(factor).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(factor);
        return mix(c, d, factor);
    }
    if len >= 4 {
        let a = half_word(bytes, 0) << 3;
        return mix(a.wrapping_add(len as u64), half_word(bytes, len - 4), factor);
    }
    if len == 0 {
        return K2;
    }
    let byte = |at: usize| u64::from(bytes[at]);
    let (y, z) = (byte(0) + (byte(len / 2) << 8), len as u64 + (byte(len - 1) << 2));
    shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
}

fn to_32(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let factor = factor(len);
    let (a, b) = (word(bytes, 0).wrapping_mul(K1), word(bytes, 8));
    let c = word(bytes, len - 8).wrapping_mul(factor);
    let d = word(bytes, len - 16).wrapping_mul(K2);
    let u = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let v = b.wrapping_add(K2).rotate_right(18).wrapping_add(a).wrapping_add(c);
    mix(u, v, factor)
}

fn to_64(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let factor = factor(len);
    let (a, b) = (word(bytes, 0).wrapping_mul(K2), word(bytes, 8));
    let c = word(bytes, len - 8).wrapping_mul(factor);
    let d = word(bytes, len - 16).wrapping_mul(K2);
    let y = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let v = b.wrapping_add(K2).rotate_right(18).wrapping_add(a).wrapping_add(c);
    let z = mix(y, v, factor);
    let (e, f) = (word(bytes, 16).wrapping_mul(factor), word(bytes, 24));
    let g = y.wrapping_add(word(bytes, len - 32)).wrapping_mul(factor);
    let h = z.wrapping_add(word(bytes, len - 24)).wrapping_mul(factor);
    let u = e.wrapping_add(f).rotate_right(43).wrapping_add(g.rotate_right(30)).wrapping_add(h);
    let v = f.wrapping_add(a).rotate_right(18).wrapping_add(e).wrapping_add(g);
    mix(u, v, factor)
}

/// The state over strings of more than 64 bytes.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    /// Takes 64 bytes; `nine` is 1 but for the last ones.
    fn take(&mut self, bytes: &[u8], factor: u64, nine: u64) {
        let Self { x, y, z, v, w } = self;
        let sum = x.wrapping_add(*y).wrapping_add(v.0).wrapping_add(word(bytes, 8));
        *x = sum.rotate_right(37).wrapping_mul(factor);
        let sum = y.wrapping_add(v.1).wrapping_add(word(bytes, 48));
        *y = sum.rotate_right(42).wrapping_mul(factor);
        *x ^= w.1.wrapping_mul(nine);
        *y = y.wrapping_add(v.0.wrapping_mul(nine)).wrapping_add(word(bytes, 40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(factor);
        *v = weak(&bytes[..32], v.1.wrapping_mul(factor), x.wrapping_add(w.0));
        let second = y.wrapping_add(word(bytes, 16));
        *w = weak(&bytes[32..64], z.wrapping_add(w.1), second);
        std::mem::swap(z, x);
    }
}

/// A weak hash of 32 bytes with two seeds.
fn weak(bytes: &[u8], a: u64, b: u64) -> (u64, u64) {
    let last = word(bytes, 24);
    let a = a.wrapping_add(word(bytes, 0));
    let b = b.wrapping_add(a).wrapping_add(last).rotate_right(21);
    let sum = a.wrapping_add(word(bytes, 8)).wrapping_add(word(bytes, 16));
    (sum.wrapping_add(last), b.wrapping_add(sum.rotate_right(44)).wrapping_add(a))
}

fn longer(bytes: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let x = SEED.wrapping_mul(K2).wrapping_add(word(bytes, 0));
    let mut state = State { x, y, z, v: (0, 0), w: (0, 0) };
    // Between 1 and 64 bytes are left over.
    let rest = (bytes.len() - 1) % 64 + 1;
    for block in bytes[..bytes.len() - rest].chunks_exact(64) {
        state.take(block, K1, 1);
    }
    let factor = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add(rest as u64 - 1);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.take(&bytes[bytes.len() - 64..], factor, 9);
    let State { x, y, z, v, w } = state;
    let first = mix(v.0, w.0, factor).wrapping_add(shift_mix(y).wrapping_mul(K0)).wrapping_add(z);
    mix(first, mix(v.1, w.1, factor).wrapping_add(x), factor)
}
