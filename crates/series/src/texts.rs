//! Names and values of labels, as answers have them.

use std::ops::Range;

/// Ascending texts, none twice, in one piece of memory; and whether there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// All texts, one after another.
    joined: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    is_cut: bool,
}

impl Texts {
    /// The texts that `joined` has, one after another, with these lengths in bytes. `None` if that can't be.
    pub fn from_joined(joined: String, lengths: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut end = 0;
        let ends = lengths.into_iter().map(|length| {
            end += length as usize;
            joined.is_char_boundary(end).then_some(end)
        });
        let ends: Vec<usize> = ends.collect::<Option<_>>()?;
        (end == joined.len()).then_some(Self { joined, ends, is_cut: false })
    }

    /// All texts of some answers, no more than `limit` (0: all). Takes memory for both.
    pub fn union(mut all: Vec<Self>, limit: usize) -> Self {
        let is_cut = all.iter().any(|one| one.is_cut);
        all.retain(|one| !one.is_empty());
        let mut united = match all.len() {
            0 | 1 => all.pop().unwrap_or_default(),
            _ => {
                let mut texts: Vec<&str> = all.iter().flat_map(Self::iter).collect();
                // They are ascending runs, one after another: the stable sort finds these, and merges them.
                texts.sort();
                texts.dedup();
                texts.into_iter().collect()
            }
        };
        united.is_cut = is_cut;
        united.cut(limit)
    }

    /// The first `limit` of them (0: all).
    #[must_use]
    pub fn cut(mut self, limit: usize) -> Self {
        if limit > 0 && limit < self.len() {
            self.joined.truncate(self.ends[limit - 1]);
            self.ends.truncate(limit);
            self.is_cut = true;
        }
        self
    }

    /// The same, of which some have been left out already if `is_cut`.
    #[must_use]
    pub fn cut_before(mut self, is_cut: bool) -> Self {
        self.is_cut |= is_cut;
        self
    }

    /// Whether there are more than these.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All texts, one after another, and how many bytes each of them has; the other way round it is [`Self::from_joined`].
    pub fn into_joined(self) -> (String, impl Iterator<Item = usize>) {
        let mut start = 0;
        let lengths = self.ends.into_iter().map(move |end| end - std::mem::replace(&mut start, end));
        (self.joined, lengths)
    }

    /// The text at a position.
    pub fn get(&self, at: usize) -> Option<&str> {
        Some(&self.joined[self.range(at)?])
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// How many bytes they take in memory.
    pub fn size_bytes(&self) -> usize {
        self.joined.len() + self.ends.len() * size_of::<usize>()
    }

    fn range(&self, at: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(start..end)
    }
}

/// Of ascending texts, none twice.
impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut collected = Self::default();
        collected.extend(texts);
        collected
    }
}

/// With texts that are greater, ascending, none twice.
impl<T: AsRef<str>> Extend<T> for Texts {
    fn extend<I: IntoIterator<Item = T>>(&mut self, texts: I) {
        for text in texts {
            self.joined.push_str(text.as_ref());
            self.ends.push(self.joined.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &Texts) -> (Vec<&str>, bool) {
        (texts.iter().collect(), texts.is_cut())
    }

    #[test]
    fn a_union_has_each_text_once_and_no_more_than_the_limit() {
        let all = || vec![["a", "c", "é"].into_iter().collect(), Texts::default(), ["b", "c"].into_iter().collect()];
        assert_eq!(shown(&Texts::union(all(), 0)), (vec!["a", "b", "c", "é"], false));
        assert_eq!(shown(&Texts::union(all(), 4)), (vec!["a", "b", "c", "é"], false));
        assert_eq!(shown(&Texts::union(all(), 2)), (vec!["a", "b"], true));
        let one = || [""].into_iter().collect::<Texts>();
        assert_eq!(shown(&Texts::union(vec![one()], 1)), (vec![""], false));
        // What one has left out is left out of all.
        assert_eq!(shown(&Texts::union(vec![one(), one().cut_before(true)], 0)), (vec![""], true));
        assert_eq!(shown(&Texts::union(Vec::new(), 3)), (vec![], false));
    }

    #[test]
    fn joined_texts_are_taken_apart_if_their_lengths_fit() {
        let taken = |lengths: &[u32]| Texts::from_joined("aéb".to_owned(), lengths.iter().copied());
        let whole = taken(&[1, 2, 0, 1]).unwrap();
        assert_eq!(whole.iter().collect::<Vec<_>>(), ["a", "é", "", "b"]);
        let (joined, lengths) = whole.into_joined();
        assert_eq!((&*joined, lengths.collect::<Vec<_>>()), ("aéb", vec![1, 2, 0, 1]));
        for wrong in [&[1, 2][..], &[], &[1, 1, 2], &[1, 2, 1, 1], &[u32::MAX, u32::MAX]] {
            assert_eq!(taken(wrong), None, "{wrong:?}");
        }
    }
}
