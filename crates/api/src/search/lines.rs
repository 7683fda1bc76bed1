//! Hits as lines of JSON.

use axum::response::{IntoResponse, Response};
use http::header;

use super::asked::Asked;
use super::hits::{Hit, Hits};
use crate::answer::body_in_pieces;
use crate::backend::MetadataByMetric;
use crate::json::Json;

/// Answers with lines of some hits each, of which there is at least one, and a line that says that these are all.
///
/// `key` is what a hit is called.
pub(super) fn respond(key: &'static str, hits: Hits, asked: &Asked, metadata: MetadataByMetric) -> Response {
    let (batch_size, shows_score, has_more) = (asked.batch_size, asked.shows_score, hits.has_more);
    let mut rest = hits.hits.into_iter();
    let (mut is_first, mut is_over) = (true, false);
    let body = body_in_pieces(move || {
        if is_over {
            return None;
        }
        let batch: Vec<Hit> = rest.by_ref().take(batch_size).collect();
        is_over = batch.is_empty() && !is_first;
        is_first = false;
        if is_over {
            return Some(line(|json| write_end(json, has_more)));
        }
        Some(line(|json| {
            json.key("results").open_array();
            for hit in &batch {
                json.object(|json| write_hit(json, key, hit, shows_score, &metadata));
            }
            json.close_array();
        }))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson; charset=utf-8")], body).into_response()
}

/// A line with an object that has the members that `write` writes.
fn line(write: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut json = Json::new();
    json.object(write);
    let mut line = json.into_bytes();
    line.push(b'\n');
    line
}

fn write_hit(json: &mut Json, key: &'static str, hit: &Hit, shows_score: bool, metadata: &MetadataByMetric) {
    json.member(key, &hit.text);
    if shows_score {
        json.member("score", hit.score);
    }
    let Some(metadata) = metadata.get(hit.text.as_str()).and_then(|all| all.first()) else { return };
    json.member("type", metadata.metric_type.as_str());
    for (key, text) in [("help", &metadata.help), ("unit", &metadata.unit)] {
        if !text.is_empty() {
            json.member(key, &**text);
        }
    }
}

fn write_end(json: &mut Json, has_more: bool) {
    json.member("status", "success");
    json.member("has_more", has_more);
}
