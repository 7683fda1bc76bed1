//! Trees as text on many lines: what `format_query` and `promtool promql format` answer.

use std::fmt::{self, Write};

use crate::Expr;

/// The length of a line above which an expression is split, in bytes.
const LINE_WIDTH: usize = 100;

/// The level from which on lines are indented no further, lest a deep expression become a thousand times as long.
const DEEPEST_INDENT: usize = 100;

/// Prints an expression over several lines, where one would be longer than 100 bytes.
///
/// Arguments and operands stand on lines of their own, indented by two blanks for each level. Selectors are never split.
pub fn prettify(expr: &Expr) -> String {
    prettify_within(expr, LINE_WIDTH)
}

/// [`prettify`], for lines of another length.
pub fn prettify_within(expr: &Expr, line_width: usize) -> String {
    let mut printer = Printer { out: String::new(), line_width };
    printer.expr(expr, 0, Indent::Yes);
    printer.out
}

struct Printer {
    out: String,
    line_width: usize,
}

/// Whether the first line of an expression is indented; it is not where it follows a sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indent {
    Yes,
    No,
}

impl Printer {
    fn expr(&mut self, expr: &Expr, level: usize, indent: Indent) {
        match expr {
            Expr::Unary(unary) => {
                self.indent(level, indent);
                self.add(unary.sign);
                self.expr(&unary.expr, level, Indent::No);
            }
            // Prometheus does not indent what fits, although a new line was started for it.
            Expr::Subquery(_) if self.fits(expr) => self.add(expr),
            Expr::Subquery(subquery) => {
                self.expr(&subquery.expr, level, indent);
                subquery.fmt_suffix(&mut self.out).expect(IN_MEMORY);
            }
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {
                self.indent(level, indent);
                self.add(expr);
            }
            expr if self.fits(expr) => {
                self.indent(level, indent);
                self.add(expr);
            }
            Expr::Binary(binary) => {
                self.expr(&binary.left, level + 1, indent);
                self.new_line(level);
                binary.fmt_operator(&mut self.out).expect(IN_MEMORY);
                self.out.push('\n');
                self.expr(&binary.right, level + 1, Indent::Yes);
            }
            Expr::Paren(paren) => {
                self.indent(level, indent);
                self.in_parens([&*paren.expr], level);
            }
            Expr::Call(call) => {
                self.indent(level, indent);
                self.add(call.function.name);
                self.in_parens(&call.args, level);
            }
            Expr::Aggregation(aggregation) => {
                self.indent(level, indent);
                aggregation.fmt_head(&mut self.out).expect(IN_MEMORY);
                self.in_parens(expr.children(), level);
            }
        }
    }

    fn in_parens<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>, level: usize) {
        self.add("(\n");
        for (at, expr) in exprs.into_iter().enumerate() {
            self.add(if at > 0 { ",\n" } else { "" });
            self.expr(expr, level + 1, Indent::Yes);
        }
        self.new_line(level);
        self.add(")");
    }

    fn new_line(&mut self, level: usize) {
        self.out.push('\n');
        self.indent(level, Indent::Yes);
    }

    fn indent(&mut self, level: usize, indent: Indent) {
        if indent == Indent::Yes {
            self.out.extend(std::iter::repeat_n("  ", level.min(DEEPEST_INDENT)));
        }
    }

    fn add(&mut self, part: impl fmt::Display) {
        write!(self.out, "{part}").expect(IN_MEMORY);
    }

    /// Whether an expression is short enough for one line. Costs no more than printing one line.
    fn fits(&self, expr: &Expr) -> bool {
        write!(Room(self.line_width), "{expr}").is_ok()
    }
}

const IN_MEMORY: &str = "a string takes everything";

/// Takes so many bytes and then fails.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ParseOptions, parse};

    #[track_caller]
    fn check(text: &str, lines: &[&str]) {
        let expr = parse(text, &ParseOptions::ALL).unwrap();
        assert_eq!(prettify_within(&expr, 20).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn what_does_not_fit_is_split() {
        check("sum( a )  by(b)", &["sum by (b) (a)"]);
        check("-topk by(job)(5, rate(requests[5m]))", &["-topk by (job) (", "  5,", "  rate(requests[5m])", ")"]);
        check(
            "aaaaaaaaaa + on(b) cccccccccc * -(d or eeeeeeeeeeeeee)",
            &["  aaaaaaaaaa", "+ on (b)", "    cccccccccc", "  *", "    -(", "      d or eeeeeeeeeeeeee", "    )"],
        );
        check("days_in_month() + days_in_month()", &["  days_in_month()", "+", "  days_in_month()"]);
    }

    #[test]
    fn subqueries_that_fit_are_not_indented_as_in_prometheus() {
        check("quantile_over_time(0.9, a[5m:])", &["quantile_over_time(", "  0.9,", "a[5m:]", ")"]);
        check("max_over_time(sum(aaaaaaaaaaaaaaa)[5m:1m])", &["max_over_time(", "  sum(aaaaaaaaaaaaaaa)[5m:1m]", ")"]);
    }
}
