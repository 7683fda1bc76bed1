//! Whoever asked leaves, and nothing goes on for them.

use std::time::Duration;

use anyhow::{Context, bail};
use futures::future::{Either, select, try_join_all};
use http_client::Request;

use super::{Figure, quantile};
use crate::cluster::{Cluster, get};

/// Everything that there is: seconds of work.
const QUESTION: &str = "count(rate(%7B__name__=~%22.%2B%22%7D%5B5m%5D))";
/// How much later than the last one each leaves after work has begun.
const LATER: Duration = Duration::from_millis(7);
const LEAVE: usize = 30;
const PAUSE: Duration = Duration::from_millis(2);

/// Asks, leaves in the middle, and looks how long anything is being evaluated or read in any process.
pub(super) async fn leaving(cluster: &mut Cluster) -> anyhow::Result<Figure> {
    let querier = cluster.start_querier().await?;
    let urls: Vec<String> = cluster.running().map(|(_, system)| system.url.clone()).chain([querier.clone()]).collect();
    let now_s = cluster.clock.wall_ms() / 1000;
    let range = format!("start={}&end={now_s}&step=15", now_s - 3600);
    let question = format!("{querier}/api/v1/query_range?query={QUESTION}&{range}&timeout=60s");
    let mut took = Vec::new();
    for left in 0..LEAVE {
        rest(cluster, &urls).await?;
        let asking = cluster.client.send(Request::get(question.parse()?, Duration::from_secs(60)));
        let leave = async {
            while work(cluster, &urls).await? == 0 {
                cluster.clock.sleep(PAUSE).await;
            }
            cluster.clock.sleep(LATER * u32::try_from(left)?).await;
            anyhow::Ok(())
        };
        match select(Box::pin(asking), Box::pin(leave)).await {
            Either::Left((answer, _)) => bail!("answered before anybody could leave: {:?}", answer?.status),
            Either::Right((left, _)) => left?,
        }
        let began = cluster.clock.now();
        rest(cluster, &urls).await?;
        took.push(cluster.clock.now().duration_since(began));
    }
    let [half, most] = [500, 1000].map(|thousandths| quantile(&mut took, thousandths));
    Ok(Figure {
        what: format!("a client leaves ({LEAVE} times), until no process works for it any more"),
        wanted: "100 ms",
        measured: format!("p50 {half} ms, at most {most} ms"),
    })
}

/// Waits until nothing is evaluated or read.
async fn rest(cluster: &Cluster, urls: &[String]) -> anyhow::Result<()> {
    while work(cluster, urls).await? > 0 {
        cluster.clock.sleep(PAUSE).await;
    }
    Ok(())
}

/// How many pieces of work there are for queries, in all processes.
async fn work(cluster: &Cluster, urls: &[String]) -> anyhow::Result<u64> {
    let counted = urls.iter().map(|url| async move {
        let page = get(&cluster.client, &format!("{url}/metrics")).await?;
        let page = String::from_utf8(page)?;
        let depth = |pool| {
            let name = format!("ringwood_pool_depth{{pool=\"{pool}\"}} ");
            let line = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
            anyhow::Ok(line.with_context(|| format!("{url} does not say {name}"))?.parse::<f64>()? as u64)
        };
        anyhow::Ok(depth("reading")? + depth("evaluating")?)
    });
    Ok(try_join_all(counted).await?.into_iter().sum())
}
