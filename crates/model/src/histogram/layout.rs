//! Which buckets a side of a histogram has: spans, and what is done with them.

use super::Span;

/// The indexes of the buckets of some spans, ascending for valid spans. Forwards and backwards.
#[derive(Clone, Debug)]
pub(super) struct Indexes<'a> {
    spans: &'a [Span],
    /// The next index from the front, and how many are left in the span it is in.
    front: (i32, u32),
    /// The index behind the next one from the back, and how many are left in the span that is in.
    back: (i32, u32),
}

impl<'a> Indexes<'a> {
    pub(super) fn new(spans: &'a [Span]) -> Self {
        let end = spans.iter().fold(0i32, |end, span| end.wrapping_add(span.offset).wrapping_add(span.length as i32));
        let front = spans.first().map_or((0, 0), |span| (span.offset, span.length));
        let back = (end, spans.last().map_or(0, |span| span.length));
        Self { spans, front, back }
    }
}

impl Iterator for Indexes<'_> {
    type Item = i32;

    fn next(&mut self) -> Option<i32> {
        while self.front.1 == 0 {
            let (_, rest) = self.spans.split_first()?;
            self.spans = rest;
            let span = rest.first()?;
            // The last span may have been taken from at the back already.
            let length = if rest.len() == 1 { self.back.1 } else { span.length };
            self.front = (self.front.0.wrapping_add(span.offset), length);
        }
        let index = self.front.0;
        self.front = (index.wrapping_add(1), self.front.1 - 1);
        if self.spans.len() == 1 {
            self.back.1 = self.front.1;
        }
        Some(index)
    }
}

impl DoubleEndedIterator for Indexes<'_> {
    fn next_back(&mut self) -> Option<i32> {
        while self.back.1 == 0 {
            let (span, rest) = self.spans.split_last()?;
            self.spans = rest;
            let previous = rest.last()?;
            let length = if rest.len() == 1 { self.front.1 } else { previous.length };
            self.back = (self.back.0.wrapping_sub(span.offset), length);
        }
        self.back = (self.back.0.wrapping_sub(1), self.back.1 - 1);
        if self.spans.len() == 1 {
            self.front.1 = self.back.1;
        }
        Some(self.back.0)
    }
}

/// Spans being built from ascending indexes.
#[derive(Debug, Default)]
pub(super) struct SpanBuilder {
    spans: Vec<Span>,
    /// The index behind the last bucket.
    end: i32,
}

impl SpanBuilder {
    /// Adds the bucket `index`, which is behind all others: to the last span if it follows that directly.
    pub(super) fn push(&mut self, index: i32) {
        let gap = index.wrapping_sub(self.end);
        match self.spans.last_mut() {
            Some(span) if gap == 0 => span.length += 1,
            _ => self.spans.push(Span { offset: gap, length: 1 }),
        }
        self.end = index.wrapping_add(1);
    }

    /// Adds the bucket `index` like [`Self::push`], but as the first one of a new span.
    fn push_apart(&mut self, index: i32) {
        self.spans.push(Span { offset: index.wrapping_sub(self.end), length: 1 });
        self.end = index.wrapping_add(1);
    }

    pub(super) fn build(self) -> Vec<Span> {
        self.spans
    }
}

/// Where the buckets of other layouts are in a new one.
#[derive(Debug)]
pub(super) struct Union {
    pub(super) spans: Vec<Span>,
    /// How many buckets the new layout has.
    pub(super) len: usize,
    /// For each bucket of the first layout its position in the new one.
    pub(super) of_first: Vec<usize>,
    /// The same for the second layout.
    pub(super) of_second: Vec<usize>,
}

/// The layout that has the buckets of both. Those of `second` are given by their indexes.
///
/// Spans stay as Prometheus leaves them: those of `first` remain apart even where buckets of `second` close the gap between
/// them, unless it is a single bucket with nothing before it.
pub(super) fn unite(first: &[Span], second: impl Iterator<Item = i32>) -> Union {
    let mut spans = SpanBuilder::default();
    let (mut of_first, mut of_second) = (Vec::new(), Vec::new());
    let mut second = second.peekable();
    let mut len = 0;
    // The index of a bucket that only `second` has and that began a span, if it was the last one.
    let mut lone = None;
    for (index, starts_span) in starts(first) {
        while let Some(other) = second.next_if(|other| *other < index) {
            lone = (len == 0 || other != spans.end).then_some(other);
            spans.push(other);
            of_second.push(len);
            len += 1;
        }
        let follows_lone = lone.take().is_some_and(|lone| lone.wrapping_add(1) == index);
        if starts_span && !follows_lone && len > 0 {
            spans.push_apart(index);
        } else {
            spans.push(index);
        }
        if second.next_if_eq(&index).is_some() {
            of_second.push(len);
        }
        of_first.push(len);
        len += 1;
    }
    for other in second {
        spans.push(other);
        of_second.push(len);
        len += 1;
    }
    Union { spans: spans.build(), len, of_first, of_second }
}

/// The indexes of the buckets of some spans, and whether a span starts there.
fn starts(spans: &[Span]) -> impl Iterator<Item = (i32, bool)> {
    let lengths = spans.iter().flat_map(|span| (0..span.length).map(|at| at == 0));
    Indexes::new(spans).zip(lengths)
}

/// The layout in a coarser schema, and for each bucket its position in the new layout.
pub(super) fn reduce(spans: &[Span], from: i8, to: i8) -> (Vec<Span>, Vec<usize>) {
    let mut reduced = SpanBuilder::default();
    let mut positions: Vec<usize> = Vec::new();
    let mut last = None;
    for index in Indexes::new(spans) {
        let target = reduced_index(index, from, to);
        let position = match (last, positions.last()) {
            (Some(last), Some(position)) if last == target => *position,
            (_, position) => {
                reduced.push(target);
                position.map_or(0, |position| position + 1)
            }
        };
        last = Some(target);
        positions.push(position);
    }
    (reduced.build(), positions)
}

/// The index in a coarser schema of the bucket that has all of this bucket.
pub(super) fn reduced_index(index: i32, from: i8, to: i8) -> i32 {
    let steps = (i32::from(from) - i32::from(to)).clamp(0, 31);
    (index.wrapping_sub(1) >> steps).wrapping_add(1)
}

/// Whether two lists of spans describe the same buckets in the same spans, where those of no length do not count.
pub(super) fn same_spans(a: &[Span], b: &[Span]) -> bool {
    significant(a).eq(significant(b))
}

/// The spans that have buckets, with the offsets of those that have none added to the next.
fn significant(spans: &[Span]) -> impl Iterator<Item = Span> {
    let mut offset = 0i32;
    spans.iter().filter_map(move |span| {
        let total = offset.wrapping_add(span.offset);
        if span.length == 0 {
            offset = total;
            return None;
        }
        offset = 0;
        Some(Span { offset: total, length: span.length })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
        pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
    }

    #[track_caller]
    fn check_union(first: &[(i32, u32)], second: &[(i32, u32)], expected: &[(i32, u32)]) {
        let (first, second) = (spans(first), spans(second));
        let union = unite(&first, Indexes::new(&second));
        assert_eq!(union.spans, spans(expected));
    }

    #[test]
    fn unions_keep_the_spans_of_the_first_layout_apart() {
        check_union(&[], &[(3, 2)], &[(3, 2)]);
        check_union(&[(0, 2), (1, 2)], &[(2, 1)], &[(0, 3), (0, 2)]);
        check_union(&[(0, 1), (2, 2)], &[(2, 1)], &[(0, 1), (1, 3)]);
        check_union(&[(0, 1), (2, 2)], &[(1, 2)], &[(0, 3), (0, 2)]);
        check_union(&[(5, 1)], &[(4, 1)], &[(4, 2)]);
        check_union(&[(5, 1)], &[(3, 2)], &[(3, 2), (0, 1)]);
        check_union(&[(5, 1)], &[(1, 1), (8, 1)], &[(1, 1), (3, 1), (4, 1)]);
    }

    #[test]
    fn spans_without_buckets_do_not_count() {
        assert!(same_spans(&spans(&[(0, 0), (2, 1), (1, 0)]), &spans(&[(2, 1)])));
        assert!(!same_spans(&spans(&[(2, 1), (0, 1)]), &spans(&[(2, 2)])));
    }

    prop_compose! {
        fn any_spans()(first in -9i32..9, rest in prop::collection::vec((0i32..4, 0u32..5), 0..5)) -> Vec<Span> {
            let mut spans = spans(&rest);
            if let Some(span) = spans.first_mut() {
                span.offset = first;
            }
            spans
        }
    }

    proptest! {
        #[test]
        fn indexes_are_the_same_from_both_ends(spans in any_spans(), turns in prop::collection::vec(any::<bool>(), 0..30)) {
            let all: Vec<_> = Indexes::new(&spans).collect();
            let mut backwards: Vec<_> = Indexes::new(&spans).rev().collect();
            backwards.reverse();
            prop_assert_eq!(&all, &backwards);
            prop_assert!(all.is_sorted_by(|a, b| a < b));
            let mut indexes = Indexes::new(&spans);
            let (mut front, mut back) = (Vec::new(), Vec::new());
            for from_front in turns {
                if from_front { front.extend(indexes.next()) } else { back.extend(indexes.next_back()) }
            }
            front.extend(indexes);
            front.extend(back.into_iter().rev());
            prop_assert_eq!(all, front);
        }

        #[test]
        fn unions_have_the_buckets_of_both(first in any_spans(), second in any_spans()) {
            let union = unite(&first, Indexes::new(&second));
            let all: Vec<_> = Indexes::new(&union.spans).collect();
            prop_assert_eq!(all.len(), union.len);
            let at = |positions: &[usize]| positions.iter().map(|at| all[*at]).collect::<Vec<_>>();
            prop_assert_eq!(at(&union.of_first), Indexes::new(&first).collect::<Vec<_>>());
            prop_assert_eq!(at(&union.of_second), Indexes::new(&second).collect::<Vec<_>>());
            let both: std::collections::BTreeSet<_> = Indexes::new(&first).chain(Indexes::new(&second)).collect();
            prop_assert_eq!(all, both.into_iter().collect::<Vec<_>>());
        }
    }
}
