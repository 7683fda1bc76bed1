//! What the operating system knows about this process.

use std::fmt;

use procfs::process::{LimitValue, Process, Stat};
use procfs::{ProcResult, WithCurrentSystemInfo};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Writes the `process_*` metrics that every client library has, by their names and units.
///
/// What the system does not tell is left out: a page without it is better than none.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut page: DescriptorEncoder) -> fmt::Result {
        let Ok(process) = Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            write_usage(&mut page, &stat)?;
        }
        if let Ok(count) = process.fd_count() {
            gauge(&mut page, "process_open_fds", "Number of open file descriptors", count as f64)?;
        }
        if let Ok(limits) = process.limits() {
            let most = match limits.max_open_files.soft_limit {
                LimitValue::Value(most) => most as f64,
                LimitValue::Unlimited => f64::INFINITY,
            };
            gauge(&mut page, "process_max_fds", "Maximum number of open file descriptors", most)?;
        }
        Ok(())
    }
}

fn write_usage(page: &mut DescriptorEncoder, stat: &Stat) -> fmt::Result {
    let ticks_per_second = procfs::ticks_per_second() as f64;
    let cpu = ConstCounter::new((stat.utime + stat.stime) as f64 / ticks_per_second);
    let help = "Total user and system CPU time spent in seconds";
    write(page, "process_cpu_seconds", help, &cpu)?;
    let resident = stat.rss_bytes().get() as f64;
    gauge(page, "process_resident_memory_bytes", "Resident memory size in bytes", resident)?;
    gauge(page, "process_virtual_memory_bytes", "Virtual memory size in bytes", stat.vsize as f64)?;
    if let Ok(start) = start_time(stat, ticks_per_second) {
        let help = "Start time of the process since unix epoch in seconds";
        gauge(page, "process_start_time_seconds", help, start)?;
    }
    Ok(())
}

fn start_time(stat: &Stat, ticks_per_second: f64) -> ProcResult<f64> {
    Ok(procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks_per_second)
}

fn gauge(page: &mut DescriptorEncoder, name: &str, help: &str, value: f64) -> fmt::Result {
    write(page, name, help, &ConstGauge::new(value))
}

fn write(page: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    let encoder = page.encode_descriptor(name, &format!("{help}."), None, metric.metric_type())?;
    metric.encode(encoder)
}
