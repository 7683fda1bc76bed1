//! What other processes of the cluster say over HTTP.

use std::time::Duration;

use api::{ActiveTarget, DroppedTarget, Health, TargetMetadata, TargetStates, Targets};
use http_client::{HttpClient, HttpClientConfig, Request};
use model::{Labels, Metadata, Timestamp};
use serde_json::Value;
use stdx::Clock;

/// How long another process may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The largest answer: the targets of a large scraper.
const ANSWER_BYTES: u64 = 256 << 20;

/// Asks other processes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Peers {
    client: HttpClient,
}

impl Peers {
    /// # Errors
    /// If no client can be made.
    pub(crate) fn new(clock: Clock) -> Result<Self, String> {
        let client = HttpClient::new(HttpClientConfig::default(), clock).map_err(|error| error.to_string())?;
        Ok(Self { client })
    }

    /// The targets of another scraper.
    ///
    /// # Errors
    /// Why they can't be had.
    pub(crate) async fn targets(&self, address: &str, states: TargetStates) -> Result<Targets, String> {
        let state = match states {
            TargetStates::Active => "active",
            TargetStates::Dropped => "dropped",
            TargetStates::Any => "any",
        };
        let answer = self.get(&format!("http://{address}/api/v1/targets?scope=process&state={state}")).await?;
        targets_of(&answer["data"]).ok_or_else(|| "its answer makes no sense".to_owned())
    }

    /// What the targets of another scraper say about a metric, or about all of theirs.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(crate) async fn target_metadata(
        &self,
        address: &str,
        metric: Option<&str>,
    ) -> Result<Vec<TargetMetadata>, String> {
        // All of it is asked for, so that each answer names its metric; names need no escaping then, either.
        let answer = self.get(&format!("http://{address}/api/v1/targets/metadata?scope=process")).await?;
        let all = answer["data"].as_array().and_then(|all| all.iter().map(metadata_of).collect::<Option<Vec<_>>>());
        let mut all = all.ok_or("its answer makes no sense")?;
        all.retain(|found| metric.is_none_or(|metric| metric == &*found.metric));
        Ok(all)
    }

    /// A JSON document at a URL.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(crate) async fn get(&self, url: &str) -> Result<Value, String> {
        let uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let request = Request { max_bytes: ANSWER_BYTES, ..Request::get(uri, LIMIT) };
        let response = self.client.send(request).await.map_err(|error| error.to_string())?;
        let body = response.decoded(ANSWER_BYTES).map_err(|error| error.to_string())?;
        if !response.status.is_success() {
            return Err(format!("{}: {}", response.status, String::from_utf8_lossy(&body).trim()));
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

fn targets_of(data: &Value) -> Option<Targets> {
    let active = data["activeTargets"].as_array()?.iter().map(active_of).collect::<Option<_>>()?;
    let dropped = data["droppedTargets"].as_array()?.iter().map(dropped_of).collect::<Option<_>>()?;
    let counts = data["droppedTargetCounts"].as_object();
    let counts = counts.into_iter().flatten().filter_map(|(pool, count)| Some((pool.clone(), count.as_u64()?)));
    Some(Targets { active, dropped, dropped_counts: counts.collect() })
}

fn active_of(value: &Value) -> Option<ActiveTarget> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(ActiveTarget {
        discovered_labels: labels_of(&value["discoveredLabels"])?,
        labels: labels_of(&value["labels"])?,
        scrape_pool: text("scrapePool")?,
        scrape_url: text("scrapeUrl")?,
        global_url: text("globalUrl")?,
        last_error: text("lastError")?,
        last_scrape: timestamp_of(value["lastScrape"].as_str()?),
        last_scrape_duration: Duration::try_from_secs_f64(value["lastScrapeDuration"].as_f64()?).ok()?,
        health: match value["health"].as_str()? {
            "up" => Health::Up,
            "down" => Health::Down,
            _ => Health::Unknown,
        },
        scrape_interval: text("scrapeInterval")?,
        scrape_timeout: text("scrapeTimeout")?,
    })
}

fn dropped_of(value: &Value) -> Option<DroppedTarget> {
    let scrape_pool = value["scrapePool"].as_str()?.to_owned();
    Some(DroppedTarget { discovered_labels: labels_of(&value["discoveredLabels"])?, scrape_pool })
}

fn metadata_of(value: &Value) -> Option<TargetMetadata> {
    let text = |name: &str| value[name].as_str();
    Some(TargetMetadata {
        target: labels_of(&value["target"])?,
        metric: text("metric")?.into(),
        metadata: Metadata {
            metric_type: text("type")?.parse().ok()?,
            help: text("help")?.into(),
            unit: text("unit")?.into(),
        },
    })
}

fn labels_of(value: &Value) -> Option<Labels> {
    let pairs = value.as_object()?.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    Some(Labels::from_pairs(pairs.collect::<Option<Vec<_>>>()?))
}

/// A time as the API writes it, in UTC: `2026-01-02T03:04:05.678Z`; `None` for the zero time.
fn timestamp_of(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    // Days since the epoch by the civil calendar: years begin in March, so that leap days come last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let ms = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millis;
    (year > 1).then_some(Timestamp(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(timestamp_of("1970-01-01T00:00:00.001Z"), Some(Timestamp(1)));
        assert_eq!(timestamp_of("2026-11-21T09:27:55.5Z"), Some(Timestamp(1_795_253_275_500)));
        assert_eq!(timestamp_of("2024-02-29T23:59:59Z"), Some(Timestamp(1_709_251_199_000)));
        assert_eq!(timestamp_of("0001-01-01T00:00:00Z"), None);
        assert_eq!(timestamp_of("yesterday"), None);
    }
}
