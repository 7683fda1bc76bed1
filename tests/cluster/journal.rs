//! What was acknowledged against what can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, wait_until};
use crate::fleet::Fleet;
use crate::http::{get_json, get_with};

/// What is older is not asked for.
const CHECKED: Minutes = Minutes(50);
/// So much of the end of a journal tells what is going on now, in bytes.
const TAIL: u64 = 64 << 10;

/// A query may lack what was acknowledged so shortly before it.
const MAY_LACK: Duration = Duration::from_millis(250);

/// A time to look back.
#[derive(Clone, Copy)]
pub(crate) struct Minutes(pub(crate) i64);

/// (target, time in ms) of each scrape in journals that found its page.
pub(crate) fn acknowledged(journals: &str) -> BTreeSet<(usize, i64)> {
    let lines = journals.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    // A duplicate may be the scrape of another owner of the target, at another time.
    let stored = lines.filter(|line| line["outcome"] == "stored");
    let good = stored.filter(|line| line["samples"].as_u64().unwrap_or(0) as usize > Fleet::series().len());
    good.filter_map(|line| {
        let target = line["labels"]["fleet"].as_str()?.parse().ok()?;
        Some((target, line["timestamp_ms"].as_i64()?))
    })
    .collect()
}

/// How old an answer may be, as the header `X-Read-Consistency` says it.
#[derive(Clone, Copy)]
enum Freshness {
    /// Nothing is lacking that was acknowledged before the question.
    Strong,
    /// What was acknowledged in the last [`MAY_LACK`] may be lacking, as in any answer unless something else is asked for.
    Bounded,
}

impl Freshness {
    const ALL: [Self; 2] = [Self::Strong, Self::Bounded];

    fn header(self) -> (&'static str, &'static str) {
        let name = match self {
            Self::Strong => "strong",
            Self::Bounded => "bounded",
        };
        ("X-Read-Consistency", name)
    }

    /// Waits until an answer must have what has been acknowledged by now.
    fn wait(self) {
        match self {
            Self::Strong => {}
            #[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
            Self::Bounded => std::thread::sleep(MAY_LACK),
        }
    }
}

/// Asks for all samples of the fleet since then, and a little longer: what was acknowledged last is older than the question.
fn everything(since: Minutes) -> String {
    format!("/api/v1/query?query=%7B__name__%3D~%22fleet_.%2A%22%7D%5B{}m%5D", since.0 * 6 / 5 + 1)
}

/// The last lines of a journal.
pub(crate) fn tail(path: &Path) -> String {
    let Ok(mut file) = File::open(path) else { return String::new() };
    let length = file.seek(SeekFrom::End(0)).unwrap();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).unwrap();
    let mut text = Vec::new();
    file.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// (series, time in ms) → value.
pub(crate) type Samples = BTreeMap<(String, i64), String>;

/// Everything of the fleet that can be read now.
pub(crate) fn readable(cluster: &Cluster) -> Samples {
    readable_since(cluster, CHECKED)
}

/// What of the fleet can be read now of the last minutes.
pub(crate) fn readable_since(cluster: &Cluster, since: Minutes) -> Samples {
    read(cluster, since, Freshness::Bounded)
}

fn read(cluster: &Cluster, since: Minutes, freshness: Freshness) -> Samples {
    let answer = wait_until("the query is answered", Duration::from_secs(60), || {
        let (status, body) = ask(cluster, since, freshness)?;
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    });
    samples_of(&answer)
}

/// The status and body of the answer to a query for everything; `None` if nobody answers.
fn ask(cluster: &Cluster, since: Minutes, freshness: Freshness) -> Option<(u16, String)> {
    let querier = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.querier_port));
    get_with(querier, &everything(since), &[freshness.header()])
}

fn samples_of(answer: &Value) -> Samples {
    let mut samples = BTreeMap::new();
    for series in answer["data"]["result"].as_array().unwrap() {
        let name = format!("{}/{}", series["metric"]["__name__"], series["metric"]["fleet"]);
        for sample in series["values"].as_array().unwrap() {
            let time = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
            let before = samples.insert((name.clone(), time), sample[1].as_str().unwrap().to_owned());
            assert_eq!(before, None, "{name} has two samples at {time}");
        }
    }
    samples
}

/// The value of an instant query with one result; the expression is percent-encoded.
pub(crate) fn query_value(cluster: &Cluster, expression: &str) -> f64 {
    let path = format!("/api/v1/query?query={expression}");
    wait_until("the query has a result", Duration::from_secs(60), || {
        let answer = get_json(cluster.querier_port, &path)?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    })
}

/// Every acknowledged scrape can be read, with values that its target gave, one at each time and none twice.
pub(crate) fn check(cluster: &Cluster, fleet: &Fleet) {
    check_since(cluster, fleet, CHECKED);
}

/// The same of the last minutes only.
pub(crate) fn check_since(cluster: &Cluster, fleet: &Fleet, since: Minutes) {
    let acknowledged = acknowledged(&cluster.journals());
    for freshness in Freshness::ALL {
        freshness.wait();
        compare(&acknowledged, &read(cluster, since, freshness), (fleet, since));
    }
}

/// Asks for everything once, in each way. An answer must be whole; else the error is returned that stands in its place.
pub(crate) fn check_once(cluster: &Cluster, fleet: &Fleet) -> Result<(), String> {
    let acknowledged = acknowledged(&cluster.journals());
    for freshness in Freshness::ALL {
        freshness.wait();
        let (status, body) = ask(cluster, CHECKED, freshness).expect("a querier says what it lacks, and soon");
        let answer: Value = serde_json::from_str(&body).unwrap();
        if status != 200 {
            return Err(answer["error"].as_str().unwrap().to_owned());
        }
        compare(&acknowledged, &samples_of(&answer), (fleet, CHECKED));
    }
    Ok(())
}

fn compare(acknowledged: &BTreeSet<(usize, i64)>, readable: &Samples, (fleet, since): (&Fleet, Minutes)) {
    let newest = acknowledged.iter().map(|(_, time)| *time).max().unwrap_or(0);
    for (target, time) in acknowledged.iter().filter(|(_, time)| *time > newest - since.0 * 60_000) {
        let mut values = BTreeSet::new();
        for name in Fleet::series() {
            let value = readable.get(&(format!("\"{name}\"/\"{target}\""), *time));
            let value =
                value.unwrap_or_else(|| panic!("{name} of target {target} at {time} was acknowledged and is gone"));
            values.insert(value.clone());
        }
        assert_eq!(values.len(), 1, "the samples of one scrape are of one page: target {target} at {time}: {values:?}");
        let value: u64 = values.pop_first().unwrap().parse().unwrap();
        assert!(fleet.has_given(*target, value), "target {target} never gave {value}");
    }
    let mut given: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for ((series, time), value) in readable {
        let is_new = given.entry(series).or_default().insert(value);
        assert!(is_new, "{series} has the page with {value} twice, again at {time}");
    }
}
