//! Parts of tensors with strides of their own.

/// An axis of a part: its length, and how far its positions are apart in the source and in the target, in
/// bytes.
pub(super) type Axis = (usize, usize, usize);

/// Copies elements of `element` bytes along axes, outermost first, from the start of one slice to that of
/// another.
pub(super) fn copy(axes: &[Axis], element: usize, from: &[u8], to: &mut [u8]) {
    if axes.iter().any(|axis| axis.0 == 0) {
        return;
    }
    // Innermost axes that are contiguous on both sides are one run.
    let (mut run, mut outer) = (element, axes.len());
    while let Some(&(n, from_step, to_step)) = axes[..outer].last() {
        if n != 1 && (from_step, to_step) != (run, run) {
            break;
        }
        run *= n;
        outer -= 1;
    }
    copy_runs(&axes[..outer], run, from, to);
}

fn copy_runs(axes: &[Axis], run: usize, from: &[u8], to: &mut [u8]) {
    let Some((&(n, from_step, to_step), inner)) = axes.split_first() else {
        to[..run].copy_from_slice(&from[..run]);
        return;
    };
    for i in 0..n {
        copy_runs(inner, run, &from[i * from_step..], &mut to[i * to_step..]);
    }
}

/// How far the positions of each axis of a tensor are apart, in bytes.
pub(super) fn strides(shape: &[usize], element: usize) -> Vec<usize> {
    let mut strides = vec![element; shape.len()];
    for i in (1..shape.len()).rev() {
        // Of a tensor without elements the distances do not matter.
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let from: Vec<u8> = (0..24).collect();
        assert_eq!(strides(&[2, 3, 4], 2), [24, 8, 2]);
        let mut to = [0; 8];
        copy(&[(2, 12, 4), (2, 4, 2), (2, 1, 1)], 1, &from[5..], &mut to);
        assert_eq!(to, [5, 6, 9, 10, 17, 18, 21, 22]);
        let mut to = [0; 6];
        copy(&[(3, 2, 2)], 2, &from, &mut to);
        assert_eq!(to, [0, 1, 2, 3, 4, 5]);
        copy(&[(0, 9, 9), (5, 1, 1)], 1, &from, &mut to);
    }
}
