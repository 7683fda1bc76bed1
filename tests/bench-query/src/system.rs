//! A system as a process of this machine, and what it uses.

use std::fs::{File, read_to_string, write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use http_client::{HttpClient, Request};
use stdx::Clock;

/// A running system. It is killed when this is dropped.
pub struct System {
    child: Child,
    /// Where it answers queries.
    pub url: String,
}

impl System {
    /// Starts a program that answers at a port, and waits until it is ready.
    ///
    /// # Errors
    /// If it can't be started, ends, or is not ready within a minute.
    pub async fn start(
        client: &HttpClient,
        (program, arguments): (&Path, &[String]),
        port: u16,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut system = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            if let Some(status) = system.child.try_wait()? {
                bail!("{} ended: {status}", program.display());
            }
            let request = Request::get(format!("{}/-/ready", system.url).parse()?, Duration::from_secs(1));
            if client.send(request).await.is_ok_and(|response| response.status.is_success()) {
                return Ok(system);
            }
            Clock::system().sleep(Duration::from_millis(100)).await;
        }
        bail!("{} is not ready after a minute", program.display())
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator would, and waits until it has.
    ///
    /// # Errors
    /// If it can't be told so.
    pub fn end(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// The CPU time of all its threads so far, user and system, in ms.
    ///
    /// # Errors
    /// If the system does not tell it.
    pub fn cpu_ms(&self) -> anyhow::Result<f64> {
        /// `getconf CLK_TCK`: what Linux counts in on all machines that this runs on.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program may have spaces, but ends with the last parenthesis.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<f64>().ok()));
        let ticks = user.zip(system).map(|(user, system)| user + system);
        Ok(ticks.context("read the CPU time")? * 1000.0 / TICKS_PER_SECOND)
    }

    /// From now on the peak of its memory is counted anew. Its memory now, in KiB.
    ///
    /// # Errors
    /// If the system does not tell it.
    pub fn reset_peak(&self) -> anyhow::Result<u64> {
        write(format!("/proc/{}/clear_refs", self.child.id()), "5")?;
        self.memory("VmRSS:")
    }

    /// The peak of its memory, in KiB.
    ///
    /// # Errors
    /// If the system does not tell it.
    pub fn peak(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> anyhow::Result<u64> {
        let status = read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.and_then(|line| line.split_whitespace().next()).context("read the memory")?.parse()?)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
