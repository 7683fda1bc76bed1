//! Answers that are no errors.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use engine::{Annotation, Severity};
use futures::StreamExt;
use http::header;

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
    success_with(data, &Remarks::default())
}

/// Answers with small data and remarks.
pub(crate) fn success_with(data: impl ToJson, remarks: &Remarks) -> Response {
    let mut json = begin();
    data.write(&mut json);
    end(&mut json, remarks);
    respond(Body::from(json.into_bytes()))
}

/// Answers with data that may be large, piece by piece as the client takes it.
///
/// What the data hold is freed with the last piece, or when the client goes away.
pub(crate) fn success_in_pieces(data: impl Pieces, remarks: Remarks) -> Response {
    let mut writing = Writing { json: begin(), data: Some(data), remarks };
    let first = writing.next_piece();
    if writing.data.is_none() {
        // All of it: its length can be said.
        return respond(Body::from(first));
    }
    let rest = futures::stream::unfold(writing, |mut writing| async move {
        writing.data.as_ref()?;
        // Others may want the thread: a fast client could keep it for as long as the answer is.
        tokio::task::yield_now().await;
        Some((writing.next_piece(), writing))
    });
    let pieces = futures::stream::once(async move { first }).chain(rest);
    respond(Body::from_stream(pieces.map(Ok::<_, Infallible>)))
}

/// An answer that is being written.
struct Writing<P> {
    json: Json,
    /// `None` once all is written.
    data: Option<P>,
    remarks: Remarks,
}

impl<P: Pieces> Writing<P> {
    fn next_piece(&mut self) -> Vec<u8> {
        while let Some(data) = &mut self.data {
            if !data.write_next(&mut self.json) {
                self.data = None;
                end(&mut self.json, &self.remarks);
            } else if self.json.len() >= PIECE_BYTES {
                break;
            }
        }
        self.json.take()
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

    struct Sevens {
        is_open: bool,
        left: usize,
    }

    impl Sevens {
        fn new(left: usize) -> Self {
            Self { is_open: false, left }
        }
    }

    impl Pieces for Sevens {
        fn write_next(&mut self, json: &mut Json) -> bool {
            if !std::mem::replace(&mut self.is_open, true) {
                json.open_array();
            }
            json.integer(7);
            self.left -= 1;
            if self.left == 0 {
                json.close_array();
            }
            self.left > 0
        }
    }

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
            r#"{{"status":"success","data":true,"warnings":["results truncated due to limit"],"infos":[{},"2 more info annotations omitted"]}}"#,
            texts.join(",")
        );
        assert_eq!(body(success_with(true, &remarks)), expected);
    }

    #[test]
    fn pieces_make_one_answer() {
        for count in [1, 10, 100_000] {
            let expected = format!(r#"{{"status":"success","data":[{}]}}"#, vec!["7"; count].join(","));
            assert_eq!(body(success_in_pieces(Sevens::new(count), Remarks::default())), expected);
        }
    }
}
