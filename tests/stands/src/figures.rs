//! How fast a cluster heals, and what it costs when nothing happens.

mod heal;
mod leaders;
mod leaving;
mod probes;

use std::path::Path;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::figures::probes::Probes;

/// Measures one cluster of three ingesters, and of six in the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Shards of the cluster.
    #[arg(long, default_value_t = 64)]
    shards: u32,
    /// How long the cluster idles.
    #[arg(long, default_value_t = 60)]
    idle_seconds: u64,
    /// How many leaders are killed, and as many moved.
    #[arg(long, default_value_t = 30)]
    losses: usize,
    /// Series of the cluster that restarts and heals, with two hours of samples, one every 15 seconds.
    #[arg(long, default_value_t = 1_000_000)]
    series: usize,
}

/// A line of the table.
struct Figure {
    what: String,
    wanted: &'static str,
    measured: String,
}

pub(crate) async fn run(binary: &Path, flags: &Flags) -> anyhow::Result<()> {
    // Samples of two hours ago must not be too old to be taken.
    let options = [format!("--shards={}", flags.shards), "--storage.local-retention=1000d".to_owned()];
    let mut cluster = Cluster::start(binary, &options).await?;
    eprintln!("idle");
    let mut figures = vec![idle(&cluster, flags).await?];
    let probes = Probes::connect(&cluster).await?;
    eprintln!("leaders are killed");
    figures.push(leaders::losses(&mut cluster, &probes, flags.losses).await?);
    eprintln!("leaders move");
    figures.push(leaders::moves(&cluster, &probes, flags.losses).await?);
    eprintln!("{} series come in", flags.series);
    heal::load(&cluster, flags.series).await?;
    eprintln!("clients leave");
    figures.push(leaving::leaving(&mut cluster).await?);
    eprintln!("an ingester restarts");
    figures.extend(heal::restart(&mut cluster, flags.series).await?);
    eprintln!("an ingester loses its disk");
    figures.push(heal::wiped(&mut cluster, flags.series).await?);
    eprintln!("three more come, and one goes");
    figures.push(heal::drain(&mut cluster, &probes).await?);
    probes.end().await;
    print(&figures);
    Ok(())
}

async fn idle(cluster: &Cluster, flags: &Flags) -> anyhow::Result<Figure> {
    /// Everything that comes with a start is over by then.
    const REST: Duration = Duration::from_secs(15);
    cluster.clock.sleep(REST).await;
    let used = || cluster.running().map(|(_, system)| system.cpu_ms()).collect::<anyhow::Result<Vec<f64>>>();
    let before = used()?;
    cluster.clock.sleep(Duration::from_secs(flags.idle_seconds)).await;
    let cores = before.iter().zip(used()?).map(|(before, after)| (after - before) / 1000.0 / flags.idle_seconds as f64);
    let cores: Vec<String> = cores.map(|cores| format!("{cores:.3}")).collect();
    Ok(Figure {
        what: format!("{} shards on three ingesters, idle", flags.shards),
        wanted: "0.02 cores each",
        measured: format!("{} cores", cores.join(", ")),
    })
}

fn print(figures: &[Figure]) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("All processes on one machine with {cores} cores.\n");
    println!("| what | wanted | measured |\n| --- | --- | --- |");
    for Figure { what, wanted, measured } in figures {
        println!("| {what} | {wanted} | {measured} |");
    }
}

/// A number of series for people.
fn thousands(series: usize) -> String {
    format!("{} k", series / 1000)
}

/// What is not exceeded by so many of a thousand durations, in ms.
fn quantile(durations: &mut [Duration], thousandths: usize) -> u128 {
    durations.sort_unstable();
    let at = (durations.len() * thousandths).div_ceil(1000).saturating_sub(1);
    durations.get(at).map_or(0, Duration::as_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_durations_that_were_measured() {
        let mut hundred: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!([500, 990, 1000].map(|thousandths| quantile(&mut hundred, thousandths)), [50, 99, 100]);
        assert_eq!(quantile(&mut [], 500), 0);
        assert_eq!(quantile(&mut [Duration::from_millis(7)], 10), 7);
    }
}
