//! Operators and functions of floats.

use promql::BinaryOp;

/// Go's `math.Min`: −Inf beats NaN, and NaN everything else; −0 is less than 0.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        if a < b || (a == b && a.is_sign_negative()) { a } else { b }
    }
}

/// Go's `math.Max`: +Inf beats NaN, and NaN everything else.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    -min(-a, -b)
}

/// What an operator makes of two scalars; comparisons answer 0 and 1.
pub(crate) fn scalar_operation(op: BinaryOp, left: f64, right: f64) -> f64 {
    match comparison(op) {
        Some(compare) => f64::from(u8::from(compare(left, right))),
        None => arithmetic(op).map_or(f64::NAN, |compute| compute(left, right)),
    }
}

/// The function of an arithmetic operator.
pub(crate) fn arithmetic(op: BinaryOp) -> Option<fn(f64, f64) -> f64> {
    Some(match op {
        BinaryOp::Add => |a, b| a + b,
        BinaryOp::Sub => |a, b| a - b,
        BinaryOp::Mul => |a, b| a * b,
        BinaryOp::Div => |a, b| a / b,
        BinaryOp::Mod => |a, b| a % b,
        BinaryOp::Pow => f64::powf,
        BinaryOp::Atan2 => f64::atan2,
        _ => return None,
    })
}

/// The function of a comparison.
pub(crate) fn comparison(op: BinaryOp) -> Option<fn(f64, f64) -> bool> {
    Some(match op {
        BinaryOp::Equal => |a, b| a == b,
        BinaryOp::NotEqual => |a, b| a != b,
        BinaryOp::Less => |a, b| a < b,
        BinaryOp::LessOrEqual => |a, b| a <= b,
        BinaryOp::Greater => |a, b| a > b,
        BinaryOp::GreaterOrEqual => |a, b| a >= b,
        _ => return None,
    })
}

/// Whether an operator makes something else of a metric, so that its name goes.
pub(crate) fn changes_meaning(op: BinaryOp) -> bool {
    arithmetic(op).is_some()
}

/// A function of one float.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MathFunction(fn(f64) -> f64);

impl MathFunction {
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(Self(match name {
            "abs" => f64::abs,
            "acos" => f64::acos,
            "acosh" => acosh,
            "asin" => f64::asin,
            "asinh" => asinh,
            "atan" => f64::atan,
            "atanh" => f64::atanh,
            "ceil" => f64::ceil,
            "cos" => f64::cos,
            "cosh" => f64::cosh,
            "deg" => |value| value * 180.0 / std::f64::consts::PI,
            "exp" => f64::exp,
            "floor" => f64::floor,
            "ln" => f64::ln,
            "log10" => f64::log10,
            "log2" => f64::log2,
            "rad" => |value| value * std::f64::consts::PI / 180.0,
            "sgn" => |value| if value == 0.0 || value.is_nan() { value } else { value.signum() },
            "sin" => f64::sin,
            "sinh" => f64::sinh,
            "sqrt" => f64::sqrt,
            "tan" => f64::tan,
            "tanh" => f64::tanh,
            _ => return None,
        }))
    }

    #[inline]
    pub(crate) fn apply(self, value: f64) -> f64 {
        self.0(value)
    }
}

/// From here on 1 is nothing beside the square of a number. The standard library's functions overflow long before theirs.
const LARGE: f64 = (1u64 << 28) as f64;

fn asinh(value: f64) -> f64 {
    if value.abs() < LARGE { value.asinh() } else { (value.abs().ln() + std::f64::consts::LN_2).copysign(value) }
}

fn acosh(value: f64) -> f64 {
    if value < LARGE { value.acosh() } else { value.ln() + std::f64::consts::LN_2 }
}

/// Rounds to the nearest multiple; halves go up.
pub(crate) fn round(value: f64, to_nearest: f64) -> f64 {
    // With the inverse, multiples such as 0.1 come out as they are written.
    let inverse = 1.0 / to_nearest;
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_beat_nan_which_beats_numbers() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        assert_eq!((min(1.0, 2.0), max(1.0, 2.0), min(-inf, nan), max(nan, inf)), (1.0, 2.0, -inf, inf));
        assert!(min(inf, nan).is_nan() && max(nan, -inf).is_nan());
    }

    #[test]
    fn inverse_hyperbolic_functions_of_large_numbers_are_finite() {
        assert_eq!((asinh(-1e308).round(), acosh(1e308).round()), (-710.0, 710.0));
        assert!((asinh(LARGE) - (LARGE - 1.0).asinh()).abs() < 1e-8 && acosh(0.5).is_nan() && asinh(f64::NAN).is_nan());
    }

    #[test]
    fn halves_go_up() {
        let rounded =
            [(-2.5, 1.0), (2.5, 1.0), (0.35, 0.1), (7.0, 5.0), (3.0, -2.0)].map(|(value, to)| round(value, to));
        assert_eq!(rounded, [-2.0, 3.0, 0.4, 5.0, 2.0]);
    }
}
