//! Exemplars over all shards.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use model::{Exemplar, Labels, ShardId, TenantId, Timestamp};
use proto::select as wire;
use proto::select::select_client::SelectClient;
use series::{Budget, Consistency, ExemplarQuery, QueryError, SeriesExemplars};

use crate::shard_stream::matcher_to_wire;
use crate::shards::{Refused, Shards, to_wire};

/// The largest answer of a shard that is read.
pub(crate) const MESSAGE_BYTES: usize = 64 << 20;

/// The exemplars of some shards: each series once, sorted by labels.
pub(crate) async fn exemplars(
    shards: &Shards,
    asked: Vec<ShardId>,
    (tenant, consistency): (&TenantId, Consistency),
    query: &ExemplarQuery,
    budget: &Budget,
) -> Result<Vec<SeriesExemplars>, QueryError> {
    let selector = |matchers: &Vec<_>| wire::Selector { matchers: matchers.iter().map(matcher_to_wire).collect() };
    let request = wire::ExemplarsRequest {
        shard: 0, // Each its own.
        tenant: tenant.as_str().to_owned(),
        selectors: query.selectors.iter().map(selector).collect(),
        start_ms: query.start.as_ms(),
        end_ms: query.end.as_ms(),
        consistency: to_wire(consistency).into(),
        limit_bytes: budget.limit().saturating_sub(budget.used()),
    };
    let answers = asked.into_iter().map(|shard| {
        let request = wire::ExemplarsRequest { shard: shard.0, ..request.clone() };
        async move {
            shards
                .ask(shard, consistency, |_, connection| {
                    let request = request.clone();
                    async move {
                        let mut client = SelectClient::new(connection).max_decoding_message_size(MESSAGE_BYTES);
                        let limit_bytes = request.limit_bytes;
                        let reply = client.exemplars(request).await?.into_inner();
                        match &reply.error {
                            Some(error) => Err(Refused::of_shard(error, limit_bytes, || "exemplars".to_owned())),
                            None => {
                                decode(reply).ok_or_else(|| Refused::Replica("its answer makes no sense".to_owned()))
                            }
                        }
                    }
                })
                .await
        }
    });
    Ok(merge(try_join_all(answers).await?))
}

fn decode(reply: wire::ExemplarsReply) -> Option<Vec<SeriesExemplars>> {
    let exemplar = |exemplar: wire::Exemplar| {
        let labels = Labels::from_canonical_bytes(&exemplar.labels)?;
        Some(Exemplar { labels, value: exemplar.value, timestamp: Timestamp(exemplar.timestamp_ms) })
    };
    let series = reply.series.into_iter().map(|series| {
        let labels = Labels::from_canonical_bytes(&series.labels)?;
        Some(SeriesExemplars { labels, exemplars: series.exemplars.into_iter().map(exemplar).collect::<Option<_>>()? })
    });
    series.collect()
}

/// One list of all answers. A series that moved, or is that of two targets, may be in several shards.
fn merge(answers: Vec<Vec<SeriesExemplars>>) -> Vec<SeriesExemplars> {
    let mut merged: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    for SeriesExemplars { labels, exemplars } in answers.into_iter().flatten() {
        let known = merged.entry(labels).or_default();
        if known.is_empty() {
            *known = exemplars;
            continue;
        }
        known.extend(exemplars);
        known.sort_by(Exemplar::order);
        known.dedup();
    }
    merged.into_iter().map(|(labels, exemplars)| SeriesExemplars { labels, exemplars }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, times: &[i64]) -> SeriesExemplars {
        let exemplar = |time: &i64| Exemplar { labels: Labels::empty(), value: 1.0, timestamp: Timestamp(*time) };
        SeriesExemplars {
            labels: Labels::from_pairs([("__name__", name)]),
            exemplars: times.iter().map(exemplar).collect(),
        }
    }

    #[test]
    fn a_series_of_several_shards_comes_once() {
        let answers = vec![vec![series("b", &[5, 9])], vec![], vec![series("a", &[2]), series("b", &[3, 5, 7])]];
        assert_eq!(merge(answers), [series("a", &[2]), series("b", &[3, 5, 7, 9])]);
    }
}
