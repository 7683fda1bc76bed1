//! Leaders are lost, and hand over.

use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use processes::list;
use serde_json::Value;

use super::{Figure, Probes, quantile};
use crate::cluster::Cluster;

/// Kills the ingester that leads most, again and again, and writes into all shards that it led at once.
pub(super) async fn losses(cluster: &mut Cluster, probes: &Probes, count: usize) -> anyhow::Result<Figure> {
    let mut waits = Vec::new();
    for round in 0..count {
        let status = cluster.status().await?;
        let led_by = |number: usize| led(&status, &cluster.address(number));
        let victim = (1..=3).max_by_key(|number| led_by(*number).len()).context("there are ingesters")?;
        let shards = led_by(victim);
        cluster.kill(victim);
        let lost = try_join_all(shards.iter().map(|shard| probes.write(*shard))).await?;
        eprintln!("  {}: {} shards, {:?} at most", round + 1, lost.len(), lost.iter().max());
        waits.extend(lost);
        cluster.restart(victim).await?;
        cluster.settled().await?;
    }
    let [p50, p99, most] = [500, 990, 1000].map(|thousandths| quantile(&mut waits, thousandths));
    Ok(Figure {
        what: format!("leader killed, until a write is acknowledged again ({count} kills, {} shards)", waits.len()),
        wanted: "p50 600 ms, p99 2,000 ms",
        measured: format!("p50 {p50} ms, p99 {p99} ms, at most {most} ms"),
    })
}

/// The data shards that the ingester at an address leads.
fn led(status: &Value, address: &str) -> Vec<u64> {
    let node = list(&status["nodes"]).iter().find(|node| node["address"] == address && node["state"] != "gone");
    let replicas = node.map_or(&[][..], |node| list(&node["replicas"]));
    let led = replicas.iter().filter(|replica| replica["isLeader"] == true && replica["shard"] != 0);
    led.filter_map(|replica| replica["shard"].as_u64()).collect()
}

/// Has shards led by another node, one after the other, while each is written to without a pause.
pub(super) async fn moves(cluster: &Cluster, probes: &Probes, count: usize) -> anyhow::Result<Figure> {
    let (mut longest, mut usual, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for shard in probes.shards().cycle().take(count) {
        let status = cluster.status().await?;
        let heir = heir(&status, shard).with_context(|| format!("shard {shard} has a follower"))?.to_string();
        for _ in 0..3 {
            usual.push(probes.write(shard).await?);
        }
        let began = cluster.clock.now();
        let (shard_argument, mut most) = (shard.to_string(), Duration::ZERO);
        let arguments = ["transfer-leader", &*shard_argument, &*heir];
        let mut order = std::pin::pin!(cluster.order(&arguments));
        loop {
            tokio::select! {
                done = &mut order => {
                    done?;
                    break;
                }
                written = probes.write(shard) => most = most.max(written?),
            }
        }
        took.push(cluster.clock.now().duration_since(began));
        // One that was under way when the order was done.
        longest.push(most.max(probes.write(shard).await?));
    }
    let [p50, p99] = [500, 990].map(|thousandths| quantile(&mut longest, thousandths));
    Ok(Figure {
        what: format!("leader moved on order, the longest write meanwhile ({count} moves, no error)"),
        wanted: "50 ms more than usual",
        measured: format!(
            "p50 {p50} ms, p99 {p99} ms; usually a write takes {} ms, the order {} ms",
            quantile(&mut usual, 500),
            quantile(&mut took, 500)
        ),
    })
}

/// A node that has a vote in a shard and does not lead it.
fn heir(status: &Value, shard: u64) -> Option<u64> {
    let follows = |node: &&Value| {
        let replica = list(&node["replicas"]).iter().find(|replica| replica["shard"] == shard);
        node["state"] == "up" && replica.is_some_and(|replica| replica["isLeader"] == false)
    };
    list(&status["nodes"]).iter().find(follows)?["id"].as_u64()
}
