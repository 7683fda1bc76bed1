//! Trees as text on one line, in the form in which Prometheus prints them.

use std::fmt::{self, Display, Formatter};

use model::{
    METRIC_NAME, MatchOp, Matcher, format_duration, format_float, format_float_g, is_legacy_label_name, quote,
};

use crate::ast::{
    Aggregation, At, Binary, Call, DurationArg, DurationExpr, DurationKind, DurationOp, Extension, MatrixSelector,
    NumberLiteral, Paren, StringLiteral, Subquery, TimeShift, Unary, VectorMatching, VectorSelector,
};
use crate::{Expr, Sign};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::String(string) => string.fmt(f),
            Self::Vector(selector) => selector.fmt(f),
            Self::Matrix(matrix) => matrix.fmt(f),
            Self::Subquery(subquery) => subquery.fmt(f),
            Self::Call(call) => call.fmt(f),
            Self::Aggregation(aggregation) => aggregation.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Unary(unary) => unary.fmt(f),
            Self::Paren(paren) => paren.fmt(f),
        }
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.is_duration {
            return f.write_str(&format_float(self.value));
        }
        if self.value < 0.0 {
            f.write_str("-")?;
        }
        let nanoseconds = (self.value.abs() * 1e9) as i64;
        f.write_str(&format_duration(nanoseconds / 1_000_000))
    }
}

impl Display for StringLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.value))
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.fmt_series(f)?;
        self.shift.fmt_at(f)?;
        fmt_extension(self.extension, f)?;
        self.shift.fmt_offset(f)
    }
}

impl VectorSelector {
    /// The name and the conditions, in order of their printed forms.
    fn fmt_series(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let is_shown = |matcher: &&Matcher| {
            let is_name = matcher.name() == METRIC_NAME && matcher.op() == MatchOp::Equal;
            !(is_name && self.name.as_deref() == Some(matcher.value()))
        };
        let mut matchers: Vec<_> = self.matchers.iter().filter(is_shown).map(Matcher::to_string).collect();
        if matchers.is_empty() {
            return Ok(());
        }
        matchers.sort_unstable();
        write!(f, "{{{}}}", matchers.join(","))
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.fmt_series(f)?;
        write!(f, "[{}]", self.range)?;
        fmt_extension(self.selector.extension, f)?;
        self.selector.shift.fmt_at(f)?;
        self.selector.shift.fmt_offset(f)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)?;
        self.fmt_suffix(f)
    }
}

impl Subquery {
    /// Everything behind the inner expression.
    pub(crate) fn fmt_suffix(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        write!(f, "[{}:", self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        f.write_str("]")?;
        self.shift.fmt_at(f)?;
        self.shift.fmt_offset(f)
    }
}

impl TimeShift {
    fn fmt_at(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        match self.at {
            None => Ok(()),
            Some(At::Time(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0),
            Some(At::Start) => f.write_str(" @ start()"),
            Some(At::End) => f.write_str(" @ end()"),
        }
    }

    fn fmt_offset(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        if self.offset.is_set() {
            write!(f, " offset {}", self.offset)?;
        }
        Ok(())
    }
}

fn fmt_extension(extension: Option<Extension>, f: &mut Formatter<'_>) -> fmt::Result {
    match extension {
        None => Ok(()),
        Some(extension) => write!(f, " {}", extension.as_str()),
    }
}

impl Display for DurationArg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(ms) => f.write_str(&format_duration(*ms)),
            Self::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.wrapped {
            f.write_str("(")?;
        }
        match &self.kind {
            DurationKind::Number(number) => number.fmt(f)?,
            DurationKind::Step => f.write_str("step()")?,
            DurationKind::Range => f.write_str("range()")?,
            DurationKind::Unary(Sign::Plus, expr) => expr.fmt(f)?,
            DurationKind::Unary(Sign::Minus, expr) => write!(f, "-{expr}")?,
            DurationKind::Binary(op @ (DurationOp::MinOf | DurationOp::MaxOf), left, right) => {
                write!(f, "{}({left}, {right})", op.as_str())?;
            }
            DurationKind::Binary(op, left, right) => write!(f, "{left} {} {right}", op.as_str())?,
        }
        if self.wrapped {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        for (at, arg) in self.args.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            arg.fmt(f)?;
        }
        f.write_str(")")
    }
}

impl Display for Aggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.fmt_head(f)?;
        f.write_str("(")?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl Aggregation {
    /// The operator and the clause, up to the parenthesis.
    pub(crate) fn fmt_head(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        let labels = LabelNames(&self.grouping.labels);
        match (self.grouping.without, self.grouping.labels.is_empty()) {
            (true, _) => write!(f, "{} without ({labels}) ", self.op),
            (false, true) => write!(f, "{}", self.op),
            (false, false) => write!(f, "{} by ({labels}) ", self.op),
        }
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.left)?;
        self.fmt_operator(f)?;
        write!(f, " {}", self.right)
    }
}

impl Binary {
    /// The operator with its modifiers.
    pub(crate) fn fmt_operator(&self, f: &mut dyn fmt::Write) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if self.returns_bool {
            f.write_str(" bool")?;
        }
        match &self.matching {
            Some(matching) => write!(f, "{matching}"),
            None => Ok(()),
        }
    }
}

impl Display for VectorMatching {
    /// Writes the modifiers that are needed, each with a blank before it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use crate::ast::Cardinality::{ManyToOne, OneToMany};

        if self.on || !self.labels.is_empty() || self.cardinality.is_grouped() {
            let name = if self.on { "on" } else { "ignoring" };
            write!(f, " {name} ({})", LabelNames(&self.labels))?;
        }
        match self.cardinality {
            ManyToOne => write!(f, " group_left ({})", LabelNames(&self.include))?,
            OneToMany => write!(f, " group_right ({})", LabelNames(&self.include))?,
            _ => {}
        }
        if let (Some(left), Some(right)) = (self.fill.left, self.fill.right)
            && left == right
        {
            return write!(f, " fill ({})", format_float_g(left));
        }
        if let Some(left) = self.fill.left {
            write!(f, " fill_left ({})", format_float_g(left))?;
        }
        if let Some(right) = self.fill.right {
            write!(f, " fill_right ({})", format_float_g(right))?;
        }
        Ok(())
    }
}

impl Display for Unary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.sign, self.expr)
    }
}

impl Display for Paren {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({})", self.expr)
    }
}

/// Names of labels, in quotes where they need them.
struct LabelNames<'a>(&'a [String]);

impl Display for LabelNames<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            if is_legacy_label_name(name) {
                f.write_str(name)?;
            } else {
                f.write_str(&quote(name))?;
            }
        }
        Ok(())
    }
}
