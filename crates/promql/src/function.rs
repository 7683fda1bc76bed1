//! The functions of PromQL.

use crate::ValueType::{self, Matrix, Scalar, String, Vector};

/// A function: its name and what may be given to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name. Names of functions are case sensitive.
    pub name: &'static str,
    /// The types of the arguments. The last one is also that of those repeated beyond.
    pub args: &'static [ValueType],
    /// How many arguments may be given or left out.
    pub arity: Arity,
    /// The type of the result.
    pub returns: ValueType,
    /// Whether it needs [`ParseOptions::experimental_functions`](crate::ParseOptions::experimental_functions).
    pub is_experimental: bool,
    /// Whether the result may differ between evaluation times even where all arguments are the same.
    pub reads_time: bool,
}

/// How many arguments a function takes, given the list of their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// One for each type.
    Exact,
    /// The last type stands for none up to this many arguments.
    Optional(u8),
    /// The last type stands for any number of arguments, none included.
    Repeated,
}

impl Arity {
    /// As a number, as APIs show it: 0 for [`Exact`](Self::Exact), −1 for [`Repeated`](Self::Repeated).
    pub fn variadic(self) -> i32 {
        match self {
            Self::Exact => 0,
            Self::Optional(most) => i32::from(most),
            Self::Repeated => -1,
        }
    }
}

impl Function {
    /// The function of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        let at = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
        Some(&FUNCTIONS[at])
    }

    const fn optional(self, most: u8) -> Self {
        let arity = Arity::Optional(most);
        Self { arity, ..self }
    }

    const fn repeated(self) -> Self {
        let arity = Arity::Repeated;
        Self { arity, ..self }
    }

    const fn experimental(self) -> Self {
        let is_experimental = true;
        Self { is_experimental, ..self }
    }

    const fn reads_time(self) -> Self {
        let reads_time = true;
        Self { reads_time, ..self }
    }
}

const fn function(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function { name, args, arity: Arity::Exact, returns, is_experimental: false, reads_time: false }
}

/// All functions, in order of their names.
#[rustfmt::skip]
pub static FUNCTIONS: [Function; 90] = [
    function("abs", &[Vector], Vector),
    function("absent", &[Vector], Vector),
    function("absent_over_time", &[Matrix], Vector),
    function("acos", &[Vector], Vector),
    function("acosh", &[Vector], Vector),
    function("asin", &[Vector], Vector),
    function("asinh", &[Vector], Vector),
    function("atan", &[Vector], Vector),
    function("atanh", &[Vector], Vector),
    function("avg_over_time", &[Matrix], Vector),
    function("ceil", &[Vector], Vector),
    function("changes", &[Matrix], Vector),
    function("clamp", &[Vector, Scalar, Scalar], Vector),
    function("clamp_max", &[Vector, Scalar], Vector),
    function("clamp_min", &[Vector, Scalar], Vector),
    function("cos", &[Vector], Vector),
    function("cosh", &[Vector], Vector),
    function("count_over_time", &[Matrix], Vector),
    function("day_of_month", &[Vector], Vector).optional(1).reads_time(),
    function("day_of_week", &[Vector], Vector).optional(1).reads_time(),
    function("day_of_year", &[Vector], Vector).optional(1).reads_time(),
    function("days_in_month", &[Vector], Vector).optional(1).reads_time(),
    function("deg", &[Vector], Vector),
    function("delta", &[Matrix], Vector),
    function("deriv", &[Matrix], Vector),
    function("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector).experimental(),
    function("end", &[], Scalar).reads_time().experimental(),
    function("exp", &[Vector], Vector),
    function("first_over_time", &[Matrix], Vector),
    function("floor", &[Vector], Vector),
    function("histogram_avg", &[Vector], Vector),
    function("histogram_count", &[Vector], Vector),
    function("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    function("histogram_quantile", &[Scalar, Vector], Vector),
    function("histogram_quantiles", &[Vector, String, Scalar, Scalar], Vector).optional(9).experimental(),
    function("histogram_stddev", &[Vector], Vector),
    function("histogram_stdvar", &[Vector], Vector),
    function("histogram_sum", &[Vector], Vector),
    function("hour", &[Vector], Vector).optional(1).reads_time(),
    function("idelta", &[Matrix], Vector),
    function("increase", &[Matrix], Vector),
    function("info", &[Vector, Vector], Vector).optional(1).experimental(),
    function("irate", &[Matrix], Vector),
    function("label_join", &[Vector, String, String, String], Vector).repeated(),
    function("label_replace", &[Vector, String, String, String, String], Vector),
    function("last_over_time", &[Matrix], Vector),
    function("ln", &[Vector], Vector),
    function("log10", &[Vector], Vector),
    function("log2", &[Vector], Vector),
    function("mad_over_time", &[Matrix], Vector).experimental(),
    function("max_of", &[Scalar, Scalar], Scalar).experimental(),
    function("max_over_time", &[Matrix], Vector),
    function("min_of", &[Scalar, Scalar], Scalar).experimental(),
    function("min_over_time", &[Matrix], Vector),
    function("minute", &[Vector], Vector).optional(1).reads_time(),
    function("month", &[Vector], Vector).optional(1).reads_time(),
    function("pi", &[], Scalar),
    function("predict_linear", &[Matrix, Scalar], Vector).reads_time(),
    function("present_over_time", &[Matrix], Vector),
    function("quantile_over_time", &[Scalar, Matrix], Vector),
    function("rad", &[Vector], Vector),
    function("range", &[], Scalar).reads_time().experimental(),
    function("rate", &[Matrix], Vector),
    function("resets", &[Matrix], Vector),
    function("round", &[Vector, Scalar], Vector).optional(1),
    function("scalar", &[Vector], Scalar),
    function("sgn", &[Vector], Vector),
    function("sin", &[Vector], Vector),
    function("sinh", &[Vector], Vector),
    function("sort", &[Vector], Vector),
    function("sort_by_label", &[Vector, String], Vector).repeated().experimental(),
    function("sort_by_label_desc", &[Vector, String], Vector).repeated().experimental(),
    function("sort_desc", &[Vector], Vector),
    function("sqrt", &[Vector], Vector),
    function("start", &[], Scalar).reads_time().experimental(),
    function("start_timestamp", &[Vector], Vector).experimental(),
    function("stddev_over_time", &[Matrix], Vector),
    function("stdvar_over_time", &[Matrix], Vector),
    function("step", &[], Scalar).reads_time().experimental(),
    function("sum_over_time", &[Matrix], Vector),
    function("tan", &[Vector], Vector),
    function("tanh", &[Vector], Vector),
    function("time", &[], Scalar).reads_time(),
    function("timestamp", &[Vector], Vector).reads_time(),
    function("ts_of_first_over_time", &[Matrix], Vector).experimental(),
    function("ts_of_last_over_time", &[Matrix], Vector).experimental(),
    function("ts_of_max_over_time", &[Matrix], Vector).experimental(),
    function("ts_of_min_over_time", &[Matrix], Vector).experimental(),
    function("vector", &[Scalar], Vector),
    function("year", &[Vector], Vector).optional(1).reads_time(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_sorted_so_that_each_is_found() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        for function in &FUNCTIONS {
            assert_eq!(Function::find(function.name), Some(function));
        }
        assert_eq!(Function::find("Rate"), None);
    }
}
