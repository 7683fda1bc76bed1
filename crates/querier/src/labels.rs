//! Label names and values over all shards and blocks.

use futures::future::try_join_all;
use model::{ShardId, TenantId};
use proto::select as wire;
use proto::select::select_client::SelectClient;
use series::{Consistency, LabelQuery, QueryError, Queryable, Texts};

use crate::exemplars::MESSAGE_BYTES;
use crate::shard_stream::{Held, held_of, matcher_to_wire};
use crate::shards::{Refused, Shards, to_wire};
use crate::storage::{Querier, data_shards};

/// The names of labels, or the values of one.
pub(crate) async fn texts(querier: &Querier, asked: Asked<'_>, query: LabelQuery) -> Result<Texts, QueryError> {
    // Each may have all of it, but they count together as they come in.
    let budget = query.budget();
    let shards = data_shards(&*querier.state()?);
    let answers = try_join_all(shards.into_iter().map(async |shard| {
        let (texts, held) = asked.one(shard, &query).await?;
        let charge = query.charge(&budget, &texts)?;
        Ok::<_, QueryError>((texts, held, charge))
    }));
    let answers = answers.await?;
    let held: Vec<(ShardId, Held)> = answers.iter().map(|(_, held, _)| *held).collect();
    let blocks = querier.open_blocks(asked.tenant, query.range, &held).await?;
    let from_blocks = try_join_all(blocks.iter().map(async |block| {
        let texts = match asked.name {
            Some(name) => block.label_values(name, query.clone()).await?,
            None => block.label_names(query.clone()).await?,
        };
        let charge = query.charge(&budget, &texts)?;
        Ok::<_, QueryError>((texts, charge))
    }));
    let from_blocks = from_blocks.await?;
    let (texts, _charges): (Vec<Texts>, Vec<_>) =
        answers.into_iter().map(|(texts, _, charge)| (texts, charge)).chain(from_blocks).unzip();
    Ok(Texts::union(texts, query.limit))
}

/// What each shard is asked.
pub(crate) struct Asked<'a> {
    pub(crate) shards: &'a Shards,
    pub(crate) tenant: &'a TenantId,
    pub(crate) consistency: Consistency,
    /// The label whose values are wanted; `None`: names are.
    pub(crate) name: Option<&'a str>,
}

impl Asked<'_> {
    async fn one(&self, shard: ShardId, query: &LabelQuery) -> Result<(Texts, (ShardId, Held)), QueryError> {
        let request = wire::LabelsRequest {
            shards: vec![shard.0],
            tenant: self.tenant.as_str().to_owned(),
            matchers: query.matchers.iter().map(matcher_to_wire).collect(),
            start_ms: query.range.start().as_ms(),
            end_ms: query.range.end().as_ms(),
            consistency: to_wire(self.consistency).into(),
            name: self.name.unwrap_or_default().to_owned(),
            limit: query.limit as u64,
            limit_bytes: query.limit_bytes,
            takes_joined: true,
        };
        let wants_values = self.name.is_some();
        self.shards
            .ask(shard, self.consistency, |_, connection| {
                let request = request.clone();
                async move {
                    let mut client = SelectClient::new(connection).max_decoding_message_size(MESSAGE_BYTES);
                    let reply = match wants_values {
                        true => client.label_values(request).await?,
                        false => client.label_names(request).await?,
                    };
                    let broken = || Refused::Replica("its answer makes no sense".to_owned());
                    let answer = reply.into_inner().shards.pop().ok_or_else(broken)?;
                    if let Some(error) = &answer.error {
                        return Err(Refused::of_shard(error, query.limit_bytes, || query.to_string()));
                    }
                    let held = held_of(&answer.header.ok_or_else(broken)?);
                    let texts = match answer.texts.is_empty() {
                        true => Texts::from_joined(answer.joined, answer.lengths).ok_or_else(broken)?,
                        // It knows no other way.
                        false => answer.texts.iter().collect(),
                    };
                    Ok((texts.cut_before(answer.truncated), (shard, held)))
                }
            })
            .await
    }
}
