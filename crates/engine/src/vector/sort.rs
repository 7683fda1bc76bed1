//! `sort`, `sort_by_label` and their like.

use std::cmp::Ordering;

use crate::go_sort::sort_as_go;
use crate::table::{Row, Table};

/// How an instant vector is sorted.
#[derive(Clone, Debug)]
pub(crate) struct SortBy {
    /// Labels whose values decide, in natural order; `None`: the value decides.
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) is_descending: bool,
}

impl SortBy {
    /// Sorts the series by their values at the only step, or by labels.
    pub(crate) fn sort(&self, table: &mut Table) {
        let Some(labels) = &self.labels else {
            self.sort_by_value(table);
            return;
        };
        table.sort_by(|a, b| {
            let order = compare_labels(labels, a, b);
            if self.is_descending { order.reverse() } else { order }
        });
    }

    /// NaN comes last in either direction.
    fn sort_by_value(&self, table: &mut Table) {
        let mut order: Vec<usize> = (0..table.len()).collect();
        sort_as_go(&mut order, |a, b| {
            let (a, b) = (table.row(*a).float(0), table.row(*b).float(0));
            b.is_nan() || if self.is_descending { b < a } else { b > a }
        });
        table.reorder(order);
    }
}

fn compare_labels(labels: &[String], a: Row<'_>, b: Row<'_>) -> Ordering {
    for label in labels {
        let (a, b) = (a.id.value(label), b.id.value(label));
        if a != b {
            return natural_order(a, b);
        }
    }
    a.id.iter().cmp(b.id.iter())
}

/// The order in which numbers within texts count as numbers: `a9` before `a10`.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    while let (Some(x), Some(y)) = (take_chunk(&mut rest_a), take_chunk(&mut rest_b)) {
        let order = match (x.parse::<i64>(), y.parse::<i64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
    }
    // One is the beginning of the other, but for leading zeros.
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// Takes the digits, or what are none, from the front.
fn take_chunk<'a>(text: &mut &'a str) -> Option<&'a str> {
    let is_number = text.chars().next()?.is_ascii_digit();
    let end = text.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(text.len());
    let (chunk, rest) = text.split_at(end);
    *text = rest;
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_texts_count_as_numbers() {
        let mut texts = ["a10", "a9", "a", "b1", "a9b", "10", "9", "a09c"];
        texts.sort_by(|a, b| natural_order(a, b));
        assert_eq!(texts, ["9", "10", "a", "a9", "a9b", "a09c", "a10", "b1"]);
        assert_eq!((natural_order("", "a"), natural_order("a9", "a09")), (Ordering::Less, Ordering::Greater));
    }
}
