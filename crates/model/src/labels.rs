//! Label sets.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{NameScheme, SeriesHash};

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds the upper bound of a classic histogram's bucket.
pub const BUCKET_LABEL: &str = "le";
/// The label that holds the quantile of a summary.
pub const QUANTILE_LABEL: &str = "quantile";

/// A label set: sorted by name bytewise, no name twice, no empty value; `__name__` is a label like any other.
///
/// One allocation, shared by clones. Sets compare pair by pair, name before value, the shorter first when one is a prefix
/// of the other: the order in which Prometheus sorts series.
#[derive(Clone, PartialEq, Eq)]
pub struct Labels(
    // For each label: the length of the name, the length of the value, the name, the value. Lengths are written as
    // characters (see `push_length`), so that all of it is one valid string and no slice is ever validated again.
    Arc<str>,
);

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self(Arc::from(""))
    }

    /// A set of these pairs, in any order. A pair with an empty value is left out; of equal names the last one counts.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(b.0));
        let mut text = String::new();
        for (at, (name, value)) in pairs.iter().enumerate() {
            let overridden = pairs.get(at + 1).is_some_and(|next| next.0 == *name);
            if !overridden && !value.is_empty() {
                push_pair(&mut text, name, value);
            }
        }
        Self(text.into())
    }

    /// A set of these pairs, which must be sorted by name, without equal names and without empty values.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::with_capacity(USUAL_BYTES);
        let mut last: Option<&str> = None;
        for (name, value) in pairs {
            debug_assert!(last.is_none_or(|last| last < name), "{name:?} after {last:?}");
            debug_assert!(!value.is_empty(), "{name:?} has no value");
            push_pair(&mut text, name, value);
            last = Some(name);
        }
        Self(text.into())
    }

    /// A set of these pairs, as [`Self::from_sorted`]. What `scratch` holds is lost; used again, it saves an allocation.
    pub fn from_pair_texts<'a>(pairs: impl IntoIterator<Item = &'a PairText>, scratch: &mut String) -> Self {
        scratch.clear();
        pairs.into_iter().for_each(|pair| scratch.push_str(&pair.0));
        debug_assert!(Self::from_canonical_bytes(scratch.as_bytes()).is_some(), "{scratch:?} is no set");
        Self(scratch.as_str().into())
    }

    /// The pairs, in order of their names.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.0 }
    }

    /// The value of the label `name`; `None` if there is none. Reads from the front: O(number of labels).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .take_while(|(candidate, _)| *candidate <= name)
            .find(|(candidate, _)| *candidate == name)
            .map(|pair| pair.1)
    }

    /// The value of the label `name`, empty if there is none: the two are the same to a matcher.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The metric name, empty if there is none.
    pub fn metric(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// How many labels there are. O(that number).
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of the set's text, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// The set without the labels of these names.
    pub fn without(&self, names: &[&str]) -> Self {
        if !self.iter().any(|(name, _)| names.contains(&name)) {
            return self.clone();
        }
        Self::from_sorted(self.iter().filter(|(name, _)| !names.contains(name)))
    }

    /// The set with only the labels of these names.
    pub fn only(&self, names: &[&str]) -> Self {
        Self::from_sorted(self.iter().filter(|(name, _)| names.contains(name)))
    }

    /// A 64-bit hash that is the same in every process and version: it decides durable things.
    pub fn series_hash(&self) -> SeriesHash {
        SeriesHash(xxhash_rust::xxh3::xxh3_64(self.0.as_bytes()))
    }

    /// The canonical bytes of the set: equal sets have equal bytes, in every process and version.
    ///
    /// They do not sort like sets do.
    pub fn canonical_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The set whose canonical bytes these are; `None` if they are none.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut rest = text;
        let mut last: Option<&str> = None;
        while !rest.is_empty() {
            let (name, value) = take_pair(&mut rest)?;
            if value.is_empty() || last.is_some_and(|last| last >= name) {
                return None;
            }
            last = Some(name);
        }
        Some(Self(text.into()))
    }
}

/// A label pair as it stands in the text of a set. Where many sets share pairs, they are put together of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairText(Box<str>);

impl PairText {
    /// The pair of a name and a value, which must not be empty.
    pub fn new(name: &str, value: &str) -> Self {
        debug_assert!(!value.is_empty(), "{name:?} has no value");
        let mut text = String::with_capacity(name.len() + value.len() + 2);
        push_pair(&mut text, name, value);
        Self(text.into())
    }
}

/// Prometheus' hash of a label set, by which it samples series and orders exemplars: XXH64 over each name and value behind
/// its length, which is one byte, or 255 and three bytes, lowest first. The labels come sorted by name.
pub fn prometheus_hash<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut bytes = Vec::new();
    for text in labels.into_iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < u8::MAX => bytes.push(length),
            _ => {
                bytes.push(u8::MAX);
                bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxhash_rust::xxh64::xxh64(&bytes, 0)
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        // Sets that are compared often have their first labels in common, which are compared as bytes.
        let common = common_prefix(self.0.as_bytes(), other.0.as_bytes());
        let mut rest = &*self.0;
        loop {
            let start = self.0.len() - rest.len();
            let pair = take_pair(&mut rest);
            if pair.is_none() || self.0.len() - rest.len() > common {
                return pair.cmp(&take_pair(&mut &other.0[start..]));
            }
        }
    }
}

/// How many bytes two texts begin with in common.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = size_of::<u128>();
    let words = one.chunks_exact(WORD).zip(other.chunks_exact(WORD));
    let start = WORD * words.take_while(|(one, other)| one == other).count();
    start + one[start..].iter().zip(&other[start..]).take_while(|(one, other)| one == other).count()
}

impl fmt::Display for Labels {
    /// Writes `name{a="b", c="d"}`, as Prometheus does in messages; `{}` for the empty set.
    ///
    /// A name that a bare selector could not hold is written as a quoted string inside the braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric();
        let bare = NameScheme::Legacy.allows_metric(metric);
        if bare {
            f.write_str(metric)?;
        }
        let mut separator = "";
        let quoted_name = (!bare && !metric.is_empty()).then_some(metric);
        if bare && self.len() == 1 {
            return Ok(());
        }
        f.write_str("{")?;
        if let Some(name) = quoted_name {
            write!(f, "{}", Quoted(name))?;
            separator = ", ";
        }
        for (name, value) in self.iter().filter(|(name, _)| *name != METRIC_NAME) {
            f.write_str(separator)?;
            if NameScheme::Legacy.allows_label(name) {
                f.write_str(name)?;
            } else {
                write!(f, "{}", Quoted(name))?;
            }
            write!(f, "={}", Quoted(value))?;
            separator = ", ";
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks over the pairs of a set.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        take_pair(&mut self.rest)
    }
}

/// A label set being changed.
///
/// Keeps the set it started from and, sorted, only what differs: looking at labels costs no allocation, and a set that was
/// not changed after all is given back as it was.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    base: Labels,
    /// Changed labels, in order of their names. An empty value means that the label was removed.
    changes: Vec<(Box<str>, Box<str>)>,
}

impl LabelsBuilder {
    /// A builder without labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a label. An empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.position(name) {
            Ok(at) => self.changes[at].1 = value.into(),
            Err(at) => self.changes.insert(at, (name.into(), value.into())),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// Keeps only the labels for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) -> &mut Self {
        let refused = self.iter().filter(|(name, value)| !keep(name, value));
        let refused: Vec<String> = refused.map(|(name, _)| name.to_owned()).collect();
        for name in &refused {
            self.remove(name);
        }
        self
    }

    /// The value of a label; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        match self.position(name) {
            Ok(at) => Some(&*self.changes[at].1).filter(|value| !value.is_empty()),
            Err(_) => self.base.get(name),
        }
    }

    /// The pairs, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut base = self.base.iter().peekable();
        let mut changes = self.changes.iter().map(|(name, value)| (&**name, &**value)).peekable();
        let merged = std::iter::from_fn(move || match (base.peek(), changes.peek()) {
            (Some((old, _)), Some((new, _))) => match old.cmp(new) {
                Ordering::Less => base.next(),
                Ordering::Equal => {
                    base.next();
                    changes.next()
                }
                Ordering::Greater => changes.next(),
            },
            (Some(_), None) => base.next(),
            (None, _) => changes.next(),
        });
        merged.filter(|(_, value)| !value.is_empty())
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The set.
    pub fn build(&self) -> Labels {
        if self.changes.is_empty() { self.base.clone() } else { Labels::from_sorted(self.iter()) }
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.changes.binary_search_by(|(candidate, _)| (**candidate).cmp(name))
    }
}

impl PartialEq for LabelsBuilder {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for LabelsBuilder {}

impl From<&Labels> for LabelsBuilder {
    fn from(labels: &Labels) -> Self {
        labels.clone().into()
    }
}

impl From<Labels> for LabelsBuilder {
    fn from(base: Labels) -> Self {
        Self { base, changes: Vec::new() }
    }
}

/// A text in double quotes, with Go's escapes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::number::quote(self.0))
    }
}

fn push_pair(text: &mut String, name: &str, value: &str) {
    push_length(text, name.len());
    push_length(text, value.len());
    text.push_str(name);
    text.push_str(value);
}

/// Most sets fit into so many bytes.
const USUAL_BYTES: usize = 256;

/// Bits of a length that one character carries. With the bit that says "more follows", its code is below the surrogates.
const LENGTH_BITS: u32 = 14;
const MORE: u32 = 1 << LENGTH_BITS;

/// Writes a length as characters, low bits first; one byte for lengths below 128.
fn push_length(text: &mut String, mut length: usize) {
    loop {
        let low = (length as u32) & (MORE - 1);
        length >>= LENGTH_BITS;
        let code = if length == 0 { low } else { low | MORE };
        text.push(char::from_u32(code).expect("codes below 2^15 are characters"));
        if length == 0 {
            return;
        }
    }
}

fn take_length(rest: &mut &str) -> Option<usize> {
    if let Some(length) = rest.as_bytes().first().filter(|length| length.is_ascii()) {
        *rest = &rest[1..];
        return Some(usize::from(*length));
    }
    let mut length = 0usize;
    let mut shift = 0;
    loop {
        let mut chars = rest.chars();
        let code = u32::from(chars.next()?);
        *rest = chars.as_str();
        if code >= 2 * MORE {
            return None;
        }
        length |= ((code & (MORE - 1)) as usize).checked_shl(shift)?;
        if code & MORE == 0 {
            return Some(length);
        }
        shift += LENGTH_BITS;
    }
}

#[inline]
fn take_pair<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    // Nearly all names and values are short: both lengths are a byte.
    if let [name_length, value_length, ..] = *rest.as_bytes()
        && name_length.is_ascii()
        && value_length.is_ascii()
    {
        let name_end = 2 + usize::from(name_length);
        let end = name_end + usize::from(value_length);
        let pair = (rest.get(2..name_end)?, rest.get(name_end..end)?);
        *rest = &rest[end..];
        return Some(pair);
    }
    take_long_pair(rest)
}

fn take_long_pair<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    let name_length = take_length(rest)?;
    let value_length = take_length(rest)?;
    let name = rest.get(..name_length)?;
    let value = rest.get(name_length..name_length.checked_add(value_length)?)?;
    *rest = &rest[name_length + value_length..];
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_sorted_the_last_counts_and_empty_values_vanish() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "3")]);
        assert_eq!((labels.get("b"), labels.get("c"), labels.value("c")), (Some("3"), None, ""));
        assert_eq!(labels.without(&["a"]).to_string(), r#"{b="3"}"#);
        assert_eq!(labels.only(&["a", "z"]).to_string(), r#"{a="1"}"#);
    }

    #[test]
    fn the_hash_is_that_of_the_real_prometheus() {
        // `labels.FromStrings(…).Hash()` of 3.15.
        assert_eq!(prometheus_hash([("trace", "t")]), 13_967_926_055_089_561_233);
        let long = "x".repeat(300);
        assert_eq!(prometheus_hash([("a", "b"), ("long", &long)]), 8_031_129_678_983_388_780);
    }

    #[test]
    fn sets_are_written_like_prometheus_writes_them() {
        for (pairs, text) in [
            (&[][..], "{}"),
            (&[("__name__", "up")], "up"),
            (&[("__name__", "up"), ("job", "a\"b")], r#"up{job="a\"b"}"#),
            (&[("job", "x"), ("a.b", "y")], r#"{"a.b"="y", job="x"}"#),
            (&[("__name__", "my.metric"), ("job", "x")], r#"{"my.metric", job="x"}"#),
        ] {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), text);
        }
    }

    #[test]
    fn a_prefix_sorts_first_and_names_before_values() {
        let sets = [&[][..], &[("a", "1")], &[("a", "1"), ("b", "1")], &[("a", "2")], &[("b", "0")]]
            .map(|pairs| Labels::from_pairs(pairs.iter().copied()));
        assert!(sets.is_sorted());
    }

    #[test]
    fn the_series_hash_never_changes() {
        let labels = Labels::from_pairs([("__name__", "up"), ("instance", "localhost:9090")]);
        assert_eq!(labels.series_hash(), SeriesHash(14_946_683_345_297_323_357));
    }

    proptest! {
        #[test]
        fn a_set_is_the_map_of_its_pairs(map in prop::collection::btree_map(".{0,40}", ".{1,300}", 0..12)) {
            let labels = Labels::from_pairs(map.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(&pairs, &map.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(LabelsBuilder::from(&labels).build(), labels.clone());
            prop_assert_eq!(Labels::from_canonical_bytes(labels.canonical_bytes()), Some(labels.clone()));
            let texts: Vec<_> = map.iter().map(|(name, value)| PairText::new(name, value)).collect();
            prop_assert_eq!(Labels::from_pair_texts(&texts, &mut "used".to_owned()), labels.clone());
            for (name, value) in &map {
                prop_assert_eq!(labels.get(name), Some(value.as_str()));
            }
        }

        #[test]
        fn a_builder_is_a_map(
            start in prop::collection::btree_map("[a-e]", "[xy]", 0..5),
            changes in prop::collection::vec(("[a-e]", "[xy]?"), 0..6),
            refused in "[a-e]",
        ) {
            let mut map = start.clone();
            let mut builder = LabelsBuilder::from(Labels::from_pairs(start.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
            for (name, value) in &changes {
                builder.set(name, value);
                map.insert(name.clone(), value.clone());
                map.retain(|_, value| !value.is_empty());
            }
            builder.retain(|name, _| name != refused);
            map.remove(&refused);
            prop_assert_eq!(builder.is_empty(), map.is_empty());
            prop_assert_eq!(builder.build(), Labels::from_pairs(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
            for name in ["a", "b", "c", "d", "e"] {
                prop_assert_eq!(builder.get(name), map.get(name).map(String::as_str));
            }
        }

        #[test]
        fn order_is_that_of_the_pairs(
            a in prop::collection::btree_map("[ab]{1,2}", "[ab]{1,2}", 0..4),
            b in prop::collection::btree_map("[ab]{1,2}", "[ab]{1,2}", 0..4),
        ) {
            let [x, y] = [&a, &b].map(|map| Labels::from_pairs(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
            prop_assert_eq!(x.cmp(&y), a.into_iter().collect::<Vec<_>>().cmp(&b.into_iter().collect::<Vec<_>>()));
        }

        #[test]
        fn any_bytes_are_a_set_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(labels) = Labels::from_canonical_bytes(&bytes) {
                prop_assert_eq!(labels.canonical_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn long_values_survive(length in 0usize..100_000) {
            let value = "é".repeat(length / 2);
            let labels = Labels::from_pairs([("a", value.as_str())]);
            prop_assert_eq!(labels.value("a"), value);
        }
    }
}
