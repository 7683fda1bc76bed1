//! Answers that are no errors.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use engine::{Annotation, Severity};
use futures::StreamExt;
use http::header;
use series::Charge;

use crate::json::{Json, ToJson};

/// An answer is sent in pieces of about this size. Making one takes well under a millisecond.
const PIECE_BYTES: usize = 64 << 10;
/// So many remarks of each kind are shown; a remark more says how many are not.
const MAX_REMARKS: usize = 10;

/// Data that is written a little at a time, so that an answer of a gigabyte never is in memory as text.
pub(crate) trait Pieces: Send + 'static {
    /// Writes some of what is left, a few kilobytes. Answers whether anything is left then.
    fn write_next(&mut self, json: &mut Json) -> bool;
}

/// What should be known beside an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    warnings: Vec<String>,
    infos: Vec<String>,
}

impl Remarks {
    /// What a query remarked.
    pub(crate) fn new(annotations: Vec<Annotation>) -> Self {
        let mut remarks = Self::default();
        for annotation in annotations {
            match annotation.severity {
                Severity::Warning => remarks.warnings.push(annotation.text),
                Severity::Info => remarks.infos.push(annotation.text),
            }
        }
        remarks
    }

    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Says that a limit cut something off.
    pub(crate) fn warn_truncated(&mut self) {
        self.warn("results truncated due to limit");
    }

    /// Writes the members of an answer that follow the data.
    fn write(&self, json: &mut Json) {
        for (key, kind, remarks) in [("warnings", "warning", &self.warnings), ("infos", "info", &self.infos)] {
            if remarks.is_empty() {
                continue;
            }
            json.key(key).open_array();
            for remark in remarks.iter().take(MAX_REMARKS) {
                json.text(remark);
            }
            if let Some(more) = remarks.len().checked_sub(MAX_REMARKS).filter(|more| *more > 0) {
                json.text(&format!("{more} more {kind} annotations omitted"));
            }
            json.close_array();
        }
    }
}

/// Answers with small data.
pub(crate) fn success(data: impl ToJson) -> Response {
    let mut json = begin();
    data.write(&mut json);
    end(&mut json, &Remarks::default());
    respond(Body::from(json.into_bytes()))
}

/// Answers with data that may be large, piece by piece as the client takes it.
///
/// What the data hold is freed with the last piece, or when the client goes away.
pub(crate) fn success_in_pieces(data: impl Pieces, remarks: Remarks) -> Response {
    let mut writing = Writing { json: begin(), data: Some(data), remarks };
    respond(body_in_pieces(move || writing.next_piece()))
}

/// A body of the pieces that `next_piece` makes as the client takes them. Each should take less than a millisecond.
pub(crate) fn body_in_pieces(mut next_piece: impl FnMut() -> Option<Vec<u8>> + Send + 'static) -> Body {
    let first = next_piece().unwrap_or_default();
    let Some(second) = next_piece() else {
        // All of it: its length can be said.
        return Body::from(first);
    };
    let rest = futures::stream::unfold(next_piece, |mut next_piece| async move {
        // Others may want the thread: a fast client could keep it for as long as the answer is.
        tokio::task::yield_now().await;
        next_piece().map(|piece| (piece, next_piece))
    });
    let pieces = futures::stream::iter([first, second]).chain(rest);
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}

/// An answer that is being written.
struct Writing<P> {
    json: Json,
    /// `None` once all is written.
    data: Option<P>,
    remarks: Remarks,
}

impl<P: Pieces> Writing<P> {
    fn next_piece(&mut self) -> Option<Vec<u8>> {
        while self.json.len() < PIECE_BYTES {
            let data = self.data.as_mut()?;
            if !data.write_next(&mut self.json) {
                self.data = None;
                end(&mut self.json, &self.remarks);
                break;
            }
        }
        Some(self.json.take())
    }
}

/// A long list of values.
pub(crate) struct List<T> {
    values: std::vec::IntoIter<T>,
    is_open: bool,
    /// What the values take in memory.
    _charge: Option<Charge>,
}

impl<T> List<T> {
    pub(crate) fn new(values: Vec<T>) -> Self {
        Self { values: values.into_iter(), is_open: false, _charge: None }
    }

    /// A list that gives back the memory it takes when it is written.
    pub(crate) fn charged(values: Vec<T>, charge: Charge) -> Self {
        Self { _charge: Some(charge), ..Self::new(values) }
    }
}

impl<T: ToJson + Send + 'static> Pieces for List<T> {
    fn write_next(&mut self, json: &mut Json) -> bool {
        if !std::mem::replace(&mut self.is_open, true) {
            json.open_array();
        }
        let Some(value) = self.values.next() else {
            json.close_array();
            return false;
        };
        value.write(json);
        true
    }
}

/// The beginning of an answer, where its data is to follow.
fn begin() -> Json {
    let mut json = Json::new();
    json.open_object();
    json.member("status", "success");
    json.key("data");
    json
}

fn end(json: &mut Json, remarks: &Remarks) {
    remarks.write(json);
    json.close_object();
}

fn respond(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use http_body_util::BodyExt;

    use super::*;

    fn body(response: Response) -> String {
        let bytes = block_on(response.into_body().collect()).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn remarks_beyond_ten_are_counted() {
        let texts: Vec<_> = (0..10).map(|number| format!("\"{number}\"")).collect();
        let annotation = |number| Annotation { severity: Severity::Info, text: format!("{number}") };
        let mut remarks = Remarks::new((0..12).map(annotation).collect());
        remarks.warn_truncated();
        let expected = format!(
            r#"{{"status":"success","data":[true],"warnings":["results truncated due to limit"],"infos":[{},"2 more info annotations omitted"]}}"#,
            texts.join(",")
        );
        assert_eq!(body(success_in_pieces(List::new(vec![true]), remarks)), expected);
    }

    #[test]
    fn pieces_make_one_answer() {
        for count in [0, 1, 10, 100_000] {
            let expected = format!(r#"{{"status":"success","data":[{}]}}"#, vec!["7"; count].join(","));
            assert_eq!(body(success_in_pieces(List::new(vec![7i64; count]), Remarks::default())), expected);
        }
    }
}
