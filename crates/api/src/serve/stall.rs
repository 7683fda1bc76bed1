//! Clients that do not read on.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use futures::StreamExt;
use stdx::{Clock, Tasks};
use tokio::sync::mpsc;

/// Breaks an answer off when its client has not read on for so long, and with it whatever the answer holds: memory of a
/// query's budget, streams from other processes, a turn.
///
/// A server only looks at an answer when its client makes room for more, so somebody else has to watch the time.
pub(super) fn end_stalled(response: Response, limit: Duration, clock: &Clock, tasks: &Tasks) -> Response {
    if response.body().size_hint().exact().is_some() {
        // It is all there already, and holds nothing but itself.
        return response;
    }
    let (parts, body) = response.into_parts();
    // What waits here is no more than one piece: whoever makes them stays as far ahead of the client as it was.
    let (pieces, sent) = mpsc::channel(1);
    tasks.spawn("http-answer", send(body, pieces, limit, clock.clone()));
    let body = futures::stream::unfold(sent, |mut sent| async {
        match sent.recv().await {
            Some(Piece::Last) => None,
            Some(Piece::Of(piece)) => Some((piece, sent)),
            None => Some((Err(axum::Error::new(Stalled)), sent)),
        }
    });
    Response::from_parts(parts, Body::from_stream(body))
}

enum Piece {
    Of(Result<Bytes, axum::Error>),
    /// Without it an answer that was broken off would look like a whole one.
    Last,
}

#[derive(Debug, thiserror::Error)]
#[error("the client did not read on")]
struct Stalled;

async fn send(body: Body, pieces: mpsc::Sender<Piece>, limit: Duration, clock: Clock) {
    let mut body = body.into_data_stream();
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            () = pieces.closed() => return,
        };
        let is_last = piece.is_none();
        let sending = pieces.send(piece.map_or(Piece::Last, Piece::Of));
        match clock.timeout(limit, sending).await {
            Some(Ok(())) if !is_last => {}
            Some(_) => return,
            None => return tracing::warn!(?limit, "a client did not read on: its answer is broken off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Says when it is gone.
    struct Held(Arc<AtomicBool>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn answer(pieces: usize, is_gone: &Arc<AtomicBool>) -> Response {
        let held = Held(is_gone.clone());
        let pieces = futures::stream::iter(0..pieces).map(move |_| {
            let _ = &held;
            Ok::<_, std::io::Error>(Bytes::from_static(b"piece"))
        });
        Response::new(Body::from_stream(pieces))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_gets_everything() {
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let response = end_stalled(answer(3, &Arc::default()), Duration::from_secs(1), &clock, &tasks);
        let mut body = response.into_body().into_data_stream();
        let mut read = 0;
        while let Some(piece) = body.next().await {
            read += piece.unwrap().len();
            clock.sleep(Duration::from_millis(900)).await;
        }
        assert_eq!(read, 15);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stalls_or_leaves_frees_what_the_answer_holds() {
        for leaves in [false, true] {
            let (clock, tasks, is_gone) = (Clock::system(), Tasks::new(), Arc::default());
            let response = end_stalled(answer(9, &is_gone), Duration::from_secs(1), &clock, &tasks);
            let mut body = response.into_body().into_data_stream();
            assert!(body.next().await.unwrap().is_ok());
            if leaves {
                drop(body);
                clock.sleep(Duration::from_millis(1)).await;
                assert!(is_gone.load(Ordering::Relaxed));
                continue;
            }
            clock.sleep(Duration::from_millis(999)).await;
            assert!(!is_gone.load(Ordering::Relaxed));
            clock.sleep(Duration::from_millis(2)).await;
            assert!(is_gone.load(Ordering::Relaxed));
            // What was on its way still comes, then the answer breaks.
            assert!(body.next().await.unwrap().is_ok());
            assert!(body.next().await.unwrap().is_err());
        }
    }
}
