//! Functions of two numbers that reductions and scatters of StableHLO take from a subgraph.

use crate::error::{Error, Result};
use crate::graph::{Body, Node};
use crate::tensor::DType;

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Combination(pub(super) Body);

impl Combination {
    /// That of a node's subgraph.
    pub(super) fn of_body(node: &Node) -> Result<Self> {
        node.body.map(Self).ok_or_else(|| {
            Error::model("its subgraph is not one operator of two numbers that is known")
        })
    }

    /// Checks that there is such a function of elements of this type.
    pub(super) fn check(self, dtype: DType) -> Result<()> {
        let is_logic = matches!(self.0, Body::And | Body::Or);
        let is_moved = matches!(self.0, Body::First | Body::Second);
        let fits = match dtype {
            DType::F32 => !is_logic,
            dtype if dtype == DType::Bool || is_whole(dtype) => true,
            _ => is_moved && dtype.byte_len().is_some_and(|len| len <= 8),
        };
        if fits {
            return Ok(());
        }
        Err(Error::model(format!("{dtype} elements cannot be combined by {:?}", self.0)))
    }

    /// For floats.
    pub(super) fn floats(self) -> fn(f32, f32) -> f32 {
        match self.0 {
            Body::Add => |a, b| a + b,
            Body::Multiply => |a, b| a * b,
            Body::Maximum => |a, b| if b > a || b.is_nan() { b } else { a },
            Body::Minimum => |a, b| if b < a || b.is_nan() { b } else { a },
            Body::Second => |_, b| b,
            Body::First | Body::And | Body::Or => |a, _| a,
        }
    }
}

/// Whether elements are integers of whole bytes.
pub(super) fn is_whole(dtype: DType) -> bool {
    let small = [DType::I8, DType::U8, DType::I16, DType::U16];
    small.contains(&dtype) || matches!(dtype, DType::I32 | DType::U32 | DType::I64 | DType::U64)
}

/// Functions of integers, which wrap.
pub(super) trait Whole: Copy {
    fn function(combination: Combination) -> fn(Self, Self) -> Self;
}

macro_rules! whole {
    ($($type:ident),+) => {
        $(impl Whole for $type {
            fn function(combination: Combination) -> fn(Self, Self) -> Self {
                match combination.0 {
                    Body::Add => Self::wrapping_add,
                    Body::Multiply => Self::wrapping_mul,
                    Body::Maximum => Ord::max,
                    Body::Minimum => Ord::min,
                    Body::And => |a, b| a & b,
                    Body::Or => |a, b| a | b,
                    Body::First => |a, _| a,
                    Body::Second => |_, b| b,
                }
            }
        })+
    };
}

whole!(i8, u8, i16, u16, i32, u32, i64, u64);

/// Truth values, zero or one.
pub(super) fn truths(combination: Combination) -> fn(u8, u8) -> u8 {
    match combination.0 {
        Body::Add | Body::Maximum | Body::Or => |a, b| a | b,
        Body::Multiply | Body::Minimum | Body::And => |a, b| a & b,
        Body::First => |a, _| a,
        Body::Second => |_, b| b,
    }
}

/// Runs code with the function for elements of a type: those of types that are only moved are integers of
/// their length.
macro_rules! for_numbers {
    ($dtype:expr, $combination:expr, |$join:ident| $run:expr) => {{
        use $crate::ops::combination::{Combination, Whole, truths};
        let combination: Combination = $combination;
        $crate::ops::combination::for_numbers!(@arms $dtype, combination, $join, $run,
            DType::F32 => combination.floats(),
            DType::Bool => truths(combination),
            DType::I8 => i8::function(combination),
            DType::U8 => u8::function(combination),
            DType::I16 => i16::function(combination),
            DType::U16 | DType::F16 | DType::BF16 => u16::function(combination),
            DType::I32 => i32::function(combination),
            DType::U32 => u32::function(combination),
            DType::I64 => i64::function(combination),
            _ => u64::function(combination)
        )
    }};
    (@arms $dtype:expr, $combination:ident, $join:ident, $run:expr,
     $($pattern:pat => $function:expr),+) => {
        match $dtype {
            $($pattern => {
                let $join = $function;
                $run
            })+
        }
    };
}
pub(super) use for_numbers;
