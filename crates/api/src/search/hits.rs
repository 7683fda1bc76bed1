//! The texts that are answered.

use series::Texts;
use stdx::CpuPool;

use super::asked::{Asked, Order};

/// So many texts are scored at a time: a few milliseconds, after which a search may be found to be given up.
const SCORED_AT_ONCE: usize = 1024;

/// The texts that are answered, in their order.
pub(super) struct Hits {
    pub(super) hits: Vec<Hit>,
    /// Whether there are more than the limit.
    pub(super) has_more: bool,
}

/// A text that was found, and how well it fits: from 0 to 1.
pub(super) struct Hit {
    pub(super) text: String,
    pub(super) score: f64,
}

impl Hits {
    pub(super) fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }
}

/// What of the texts, which are sorted, is a hit.
pub(super) async fn find_hits(pool: &CpuPool, texts: &Texts, asked: &Asked) -> Hits {
    let mut texts: Vec<String> = texts.iter().map(str::to_owned).collect();
    if asked.order.is_backwards() {
        texts.reverse();
    }
    // The best may be the last.
    let may_stop = asked.order != Order::Score;
    let mut rest = texts.into_iter();
    let mut hits = Vec::new();
    while rest.len() > 0 && !(may_stop && hits.len() > asked.limit) {
        let some: Vec<_> = rest.by_ref().take(SCORED_AT_ONCE).collect();
        let Some(filter) = asked.filter.clone() else {
            hits.extend(some.into_iter().map(|text| Hit { text, score: 1.0 }));
            continue;
        };
        let score = move |text: String| filter.score(&text).map(|score| Hit { text, score });
        hits.append(&mut pool.run(move || some.into_iter().filter_map(score).collect()).await);
    }
    if asked.order == Order::Score {
        // The sort is stable: among equals the smaller text stays first.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    let has_more = hits.len() > asked.limit;
    hits.truncate(asked.limit);
    Hits { hits, has_more }
}
