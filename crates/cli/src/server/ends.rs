//! What a process does until it ends, and how it ends.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ingester::{End, Ingester};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Process, Running};
use crate::reload::Settings;
use crate::settings::NODE_EXPORTER;

/// How often a process without a configuration file looks for a node_exporter.
const LOOK: Duration = Duration::from_secs(15);
/// A node_exporter on this machine that takes longer to accept is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Looks for a node_exporter now and again, if no file says what to scrape.
pub(super) fn look_for_node_exporter(process: &Process, settings: &Arc<Settings>) {
    if settings.has_file() || settings.scraper().is_none() {
        return;
    }
    let (clock, settings) = (process.clock.clone(), settings.clone());
    process.tasks.spawn_until_stopped("node-exporter", async move {
        let net = transport::TcpNet;
        loop {
            let connected = clock.timeout(CONNECT_LIMIT, transport::Net::connect(&net, NODE_EXPORTER)).await;
            if let Err(why) = settings.note_node_exporter(matches!(connected, Some(Ok(_)))) {
                tracing::error!(why, "the built-in configuration can't be used");
            }
            clock.sleep(LOOK).await;
        }
    });
}

impl Running {
    /// Runs until a signal says to end, or the node can't go on; then lets everything end in order.
    pub(super) async fn until_told(self) -> Result<ExitCode, String> {
        let on = |kind| signal(kind).map_err(|error| format!("wait for signals: {error}"));
        let (mut hangup, mut terminate, mut interrupt) =
            (on(SignalKind::hangup())?, on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
        let outcome = loop {
            tokio::select! {
                _ = hangup.recv() => {
                    // What is wrong is logged; the old configuration stays.
                    drop(self.settings.reload());
                }
                () = either(&mut terminate, &mut interrupt) => break Ok(ExitCode::SUCCESS),
                why = ended(self.ingester.as_deref()) => {
                    break Err(why.to_string());
                }
            }
        };
        tracing::info!("stopping");
        self.end().await;
        outcome
    }

    /// Lets everything end in order, within the deadline.
    pub(crate) async fn end(self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let deadline = self.process.flags.shutdown_deadline;
        if self.process.clock.timeout(deadline, self.end_in_order()).await.is_none() {
            tracing::warn!(?deadline, "ending took too long; what is committed stays committed");
        }
    }

    /// Lets everything end that depends on something else before that: scraping, shipping, shards, connections.
    async fn end_in_order(&self) {
        let limit = self.process.flags.shutdown_deadline / 3;
        if let Some(scraper) = self.settings.scraper() {
            scraper.drain(limit).await;
        }
        if let Some(distributor) = &self.distributor {
            distributor.drain(limit).await;
        }
        if let Some(ingester) = &self.ingester {
            ingester.drain(limit).await;
        }
        self.process.tasks.stop();
        self.process.tasks.wait().await;
    }
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}

async fn ended(ingester: Option<&Ingester>) -> End {
    match ingester {
        Some(ingester) => ingester.ended().await,
        None => std::future::pending().await,
    }
}
