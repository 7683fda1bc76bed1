//! Which texts are hits, and how good they are.

use super::jaro_winkler::jaro_winkler;
use super::subsequence::subsequence_score;

/// Which texts are hits: those that have one of the terms in them, more or less.
pub(super) struct Filter {
    terms: Vec<String>,
    algorithm: Algorithm,
    /// What a text must score that does not have a term as it is: from 0 to 1.
    threshold: f64,
    /// Whether capitals are the same as small letters. The terms then are small.
    folds_case: bool,
}

/// What "more or less" means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The characters of the term follow each other, perhaps with others between them.
    #[default]
    Subsequence,
    /// The term is in the text, or the text is like it as a whole.
    JaroWinkler,
}

impl Algorithm {
    pub(super) const ALL: [Self; 2] = [Self::Subsequence, Self::JaroWinkler];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Subsequence => "subsequence",
            Self::JaroWinkler => "jarowinkler",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl Filter {
    /// A filter for these terms; `None` if there is nothing in them to look for.
    pub(super) fn new(terms: Vec<&str>, algorithm: Algorithm, threshold: f64, folds_case: bool) -> Option<Self> {
        let terms = terms.into_iter().filter(|term| !term.is_empty());
        let terms: Vec<_> = terms.map(|term| if folds_case { lower_case(term) } else { term.to_owned() }).collect();
        (!terms.is_empty()).then_some(Self { terms, algorithm, threshold, folds_case })
    }

    /// How well a text fits the term it fits best, from 0 to 1; `None` if it is no hit.
    pub(super) fn score(&self, text: &str) -> Option<f64> {
        let folded;
        let text = if self.folds_case {
            folded = lower_case(text);
            &folded
        } else {
            text
        };
        self.terms.iter().filter_map(|term| self.score_of(term, text)).reduce(f64::max)
    }

    fn score_of(&self, term: &str, text: &str) -> Option<f64> {
        match self.algorithm {
            Algorithm::Subsequence if text.starts_with(term) => Some(1.0),
            Algorithm::Subsequence => {
                let score = subsequence_score(term, text);
                (score > 0.0 && score >= self.threshold).then_some(score)
            }
            Algorithm::JaroWinkler => substring_score(term, text).or_else(|| {
                // Without a threshold everything would be a hit.
                let score = (self.threshold > 0.0).then(|| jaro_winkler(term, text));
                score.filter(|score| *score >= self.threshold)
            }),
        }
    }
}

/// From 1 for a text that begins with the term down to 0.1 for one that ends with it.
fn substring_score(term: &str, text: &str) -> Option<f64> {
    let before = &text[..text.find(term)?];
    if before.is_empty() {
        return Some(1.0);
    }
    let last_position = text.chars().count() - term.chars().count();
    Some(1.0 - 0.9 * before.chars().count() as f64 / last_position as f64)
}

/// Small letters as Go makes them: each character becomes one, and a sigma at the end of a word none of its own.
fn lower_case(text: &str) -> String {
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(terms: &[&str], algorithm: Algorithm, threshold: f64, text: &str) -> Option<f64> {
        Filter::new(terms.to_vec(), algorithm, threshold, false).unwrap().score(text)
    }

    #[test]
    fn the_best_term_counts() {
        for (terms, algorithm, threshold, text, expected) in [
            (vec!["go"], Algorithm::Subsequence, 1.0, "go_gc", Some(1.0)),
            (vec!["gc"], Algorithm::Subsequence, 1.0, "go_gc", None),
            (vec!["xx", "go_gc"], Algorithm::Subsequence, 0.0, "go_gc", Some(1.0)),
            (vec!["gc"], Algorithm::JaroWinkler, 0.0, "go_gc", Some(1.0 - 0.9)),
            (vec!["gc"], Algorithm::JaroWinkler, 0.0, "go_gc_x", Some(1.0 - 0.9 * 3.0 / 5.0)),
            (vec!["é"], Algorithm::JaroWinkler, 0.0, "aéé", Some(1.0 - 0.9 / 2.0)),
            (vec!["cg"], Algorithm::JaroWinkler, 0.0, "gc", None),
            (vec!["martha"], Algorithm::JaroWinkler, 0.9, "marhta", Some(jaro_winkler("martha", "marhta"))),
            (vec!["martha"], Algorithm::JaroWinkler, 0.97, "marhta", None),
        ] {
            assert_eq!(score(&terms, algorithm, threshold, text), expected, "{terms:?} in {text}");
        }
        assert!(Filter::new(vec!["", ""], Algorithm::Subsequence, 0.0, false).is_none());
    }

    #[test]
    fn capitals_may_be_the_same() {
        let filter = Filter::new(vec!["GO", "İΣ"], Algorithm::Subsequence, 0.0, true).unwrap();
        assert_eq!(filter.score("gO_gc"), Some(1.0));
        assert_eq!(filter.score("iσ"), Some(1.0));
    }
}
