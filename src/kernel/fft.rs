//! Discrete Fourier transforms of real values in double precision, for lengths that are powers of two.

use super::double::turn;

/// Real and imaginary part.
pub type Complex = [f64; 2];

fn add(a: Complex, b: Complex) -> Complex {
    [a[0] + b[0], a[1] + b[1]]
}

fn sub(a: Complex, b: Complex) -> Complex {
    [a[0] - b[0], a[1] - b[1]]
}

fn mul(a: Complex, b: Complex) -> Complex {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// Transforms of `n` complex values.
#[derive(Clone, Debug)]
pub struct Fft {
    n: usize,
    /// `e^(-2 pi i k / n)` for the first half of `k`.
    roots: Vec<Complex>,
}

/// `e^(-2 pi i k / n)`
fn root(k: usize, n: usize) -> Complex {
    let (cos, sin) = turn(k as u64, n as u64);
    [cos, -sin]
}

impl Fft {
    /// # Panics
    /// If `n` is not a power of two.
    pub fn new(n: usize) -> Self {
        assert!(n.is_power_of_two(), "a power of two");
        Self { n, roots: (0..n / 2).map(|k| root(k, n)).collect() }
    }

    /// Replaces `x` by `sum over j of x[j] e^(-2 pi i j k / n)`.
    ///
    /// # Panics
    /// If there are not `n` values.
    pub fn run(&self, x: &mut [Complex]) {
        let n = self.n;
        assert_eq!(x.len(), n, "the length that was planned");
        // Decimation in time: first every value moves to the place that its bits, reversed, give.
        let mut reversed = 0;
        for i in 1..n {
            // Adds one from the other end.
            let mut bit = n >> 1;
            while reversed & bit != 0 {
                reversed ^= bit;
                bit >>= 1;
            }
            reversed |= bit;
            if i < reversed {
                x.swap(i, reversed);
            }
        }
        let mut half = 1;
        while half < n {
            let stride = n / (2 * half);
            for block in x.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                let roots = self.roots.iter().step_by(stride);
                for ((low, high), &root) in low.iter_mut().zip(high).zip(roots) {
                    let turned = mul(*high, root);
                    (*low, *high) = (add(*low, turned), sub(*low, turned));
                }
            }
            half *= 2;
        }
    }
}

/// Transforms of `n` real values, through one of half the length.
#[derive(Clone, Debug)]
pub struct RealFft {
    n: usize,
    half: Fft,
    /// `e^(-2 pi i k / n)` for `k` up to `n / 2`.
    roots: Vec<Complex>,
}

impl RealFft {
    /// # Panics
    /// If `n` is not a power of two.
    pub fn new(n: usize) -> Self {
        let half = Fft::new((n / 2).max(1));
        Self { n, half, roots: (0..=n / 2).map(|k| root(k, n)).collect() }
    }

    /// Stores `n / 2 + 1` values of the transform of `input`, padded with zeros or cut to length.
    ///
    /// # Panics
    /// If there is not room for so many.
    pub fn run(&self, input: impl Iterator<Item = f64>, output: &mut [Complex]) {
        let m = self.n / 2;
        assert_eq!(output.len(), m + 1, "half of the transform and one");
        output.fill([0.0; 2]);
        // Even positions are real parts, odd ones imaginary parts.
        for (i, value) in input.take(self.n).enumerate() {
            output[i / 2][i % 2] = value;
        }
        if m == 0 {
            return;
        }
        self.half.run(&mut output[..m]);
        output[m] = output[0];
        for k in 0..=m / 2 {
            let (a, b) = (output[k], output[m - k]);
            output[k] = self.untangle(k, a, b);
            output[m - k] = self.untangle(m - k, b, a);
        }
    }

    /// Value `k` from those of the tangled transform at `k` and `n / 2 - k`.
    fn untangle(&self, k: usize, [a, b]: Complex, [c, d]: Complex) -> Complex {
        let even = [0.5 * (a + c), 0.5 * (b - d)];
        let odd = [0.5 * (b + d), 0.5 * (c - a)];
        add(even, mul(odd, self.roots[k]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition() {
        for n in [1, 2, 4, 8, 64, 512] {
            for len in [n, n / 2 + 1, n + 3] {
                let input: Vec<f64> = (0..len).map(|i| ((i * 37) % 19) as f64 - 8.5).collect();
                let mut output = vec![[f64::NAN; 2]; n / 2 + 1];
                RealFft::new(n).run(input.iter().copied(), &mut output);
                for (k, found) in output.iter().enumerate() {
                    let terms = input.iter().take(n).enumerate();
                    let expected = terms
                        .fold([0.0; 2], |sum, (j, &x)| add(sum, mul([x, 0.0], root(j * k, n))));
                    let [re, im] = sub(*found, expected);
                    assert!(re.abs() + im.abs() < 1e-11, "{n} {len} {k}: {found:?} {expected:?}");
                }
            }
        }
    }
}
