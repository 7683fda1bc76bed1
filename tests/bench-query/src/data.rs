//! What all systems are given: targets with series, and a value for each of them at any time.

use model::Labels;

/// A target of some hundred series, as a node with containers and a web server has them.
pub struct Target {
    /// The labels of all series.
    pub common: Labels,
    /// The other labels of each series.
    pub series: Vec<Labels>,
    kinds: Vec<Kind>,
    seed: u64,
}

/// How a series goes on.
#[derive(Clone, Copy)]
enum Kind {
    /// A counter of seconds.
    Seconds,
    /// A counter of whole numbers, of so many a tick at most.
    Counter(u64),
    /// The bucket of a histogram: one of so many below it.
    Bucket(u64),
    /// A number of bytes, in pages.
    Bytes,
    Constant,
}

/// The times at which targets are scraped, in ms: `start`, and every `interval` up to and including `end`.
#[derive(Clone, Copy)]
pub struct Times {
    /// The first one.
    pub start_ms: i64,
    /// The last one may be this one.
    pub end_ms: i64,
    /// The time between two of them.
    pub interval_ms: i64,
}

/// Targets that are scraped at the same times.
pub struct Fleet {
    /// All of them.
    pub targets: Vec<Target>,
    /// When they are scraped.
    pub times: Times,
}

/// The bounds of the histogram's buckets.
const BOUNDS: [&str; 12] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
const MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];

impl Target {
    /// Five hundred series of a node.
    pub fn node(number: usize) -> Self {
        let mut target = Self::empty(&format!("node-{number:04}"), "node", number as u64);
        for (cpu, mode) in (0..16).flat_map(|cpu| MODES.map(|mode| (cpu, mode))) {
            target.add("node_cpu_seconds_total", &[("cpu", &cpu.to_string()), ("mode", mode)], Kind::Seconds);
        }
        for (device, name) in (0..20).flat_map(|device| [(device, "receive"), (device, "transmit")]) {
            let name = format!("node_network_{name}_bytes_total");
            target.add(&name, &[("device", &format!("veth{device:02}"))], Kind::Counter(4_000_000));
        }
        for handler in 0..10 {
            for (place, bound) in (1..).zip(BOUNDS) {
                let labels = [("handler", &*format!("/api/v1/resource{handler}")), ("le", bound)];
                target.add("http_request_duration_seconds_bucket", &labels, Kind::Bucket(place));
            }
        }
        for container in 0..150 {
            let labels = [
                ("container", &*format!("container-{}", container % 3)),
                ("namespace", &*format!("namespace-{}", container % 7)),
                ("pod", &*format!("application-{number}-{container}-7d4b9c6f5d-x{container:03}")),
            ];
            target.add("container_cpu_usage_seconds_total", &labels, Kind::Seconds);
        }
        target.add("node_memory_MemAvailable_bytes", &[], Kind::Bytes);
        target.add("node_memory_MemTotal_bytes", &[], Kind::Constant);
        for family in 0..60 {
            let kind = if family % 3 == 0 { Kind::Bytes } else { Kind::Constant };
            target.add(&format!("node_synthetic_subsystem_{family:03}_state"), &[("device", "nvme0n1p1")], kind);
        }
        target
    }

    /// A hundred series of an application that is kept for long.
    pub fn application(number: usize) -> Self {
        let mut target = Self::empty(&format!("application-{number:04}"), "application", 1_000_000 + number as u64);
        for path in 0..100 {
            let labels = [("code", ["200", "404", "500"][path % 3]), ("path", &*format!("/path/{path:03}"))];
            target.add("week_requests_total", &labels, Kind::Counter(900));
        }
        target
    }

    /// One series, to see whether it can be written.
    pub fn probe(number: usize) -> Self {
        let mut target = Self::empty(&format!("probe-{number:04}"), "probe", 2_000_000 + number as u64);
        target.add("probe", &[], Kind::Counter(900));
        target
    }

    fn empty(instance: &str, job: &str, seed: u64) -> Self {
        let common = Labels::from_pairs([("instance", instance), ("job", job)]);
        Self { common, series: Vec::new(), kinds: Vec::new(), seed }
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], kind: Kind) {
        let pairs = labels.iter().copied().chain([("__name__", name)]);
        self.series.push(Labels::from_pairs(pairs));
        self.kinds.push(kind);
    }

    /// The values of all series at a tick, by their position. They depend on nothing else, so that all systems get the same.
    pub fn values(&self, tick: u64, values: &mut Vec<f64>) {
        values.clear();
        values.extend(self.kinds.iter().zip(0..).map(|(kind, at)| {
            let own = scramble(self.seed * 1000 + at);
            let step = |most: u64| (own % most) * tick + scramble(own ^ tick) % most;
            match kind {
                Kind::Seconds => step(1500) as f64 / 100.0,
                Kind::Counter(most) => step(*most) as f64,
                // Each bucket has what those below it have: all grow by the same steps, the higher the more.
                Kind::Bucket(place) => (scramble(self.seed) % 50 * tick * place) as f64,
                Kind::Bytes => (own % 1_000_000 + scramble(own ^ tick) % 1000) as f64 * 4096.0,
                Kind::Constant => (own % (1 << 24)) as f64 * 4096.0,
            }
        }));
    }
}

impl Times {
    /// How many there are.
    pub fn count(self) -> u64 {
        ((self.end_ms - self.start_ms) / self.interval_ms + 1) as u64
    }

    /// The time of a tick.
    pub fn of(self, tick: u64) -> i64 {
        self.start_ms + tick as i64 * self.interval_ms
    }
}

impl Fleet {
    /// How many series there are.
    pub fn series(&self) -> usize {
        self.targets.iter().map(|target| target.series.len()).sum()
    }
}

/// A number that looks like chance.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
