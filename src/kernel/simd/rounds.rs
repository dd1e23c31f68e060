//! The loop over the terms of a piece, in assembly.

/// Terms in rounds of four, since counting takes ports that multiply, and then those that are left: `{index}` is the bytes of
/// all of them, below zero, and grows. Code for a round finds it 16 too large; that for one term does not. Both
/// advance whatever else they need.
macro_rules! rounds {
    ([$($round:tt)*], [$($one:tt)*]) => {
        concat!(
            "add {index}, 16
             jg 50f
             .p2align 6
             40:\n",
            $($round)*,
            "add {index}, 16
             jle 40b
             50:
             sub {index}, 16
             jz 70f
             60:\n",
            $($one)*,
            "add {index}, 4
             jnz 60b
             70:\n",
        )
    };
}

pub(super) use rounds;
