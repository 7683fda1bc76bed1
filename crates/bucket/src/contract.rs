//! What any store must do. A store for which [`run`] passes can hold blocks.

use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt, join};

use crate::{Bucket, ErrorKind, Listed};

/// More than a part of an upload has in [`run`]'s buckets.
const LARGE_BYTES: usize = 12 << 20;

/// Checks a store. `bucket` is empty, and its parts have less than 6 MiB.
///
/// # Panics
/// If the store does not do what it must.
pub async fn run(bucket: &Bucket) {
    run_without_races(bucket).await;
    one_creator_wins(bucket).await;
}

/// Checks all but that of many who create an object at once one wins: that is more than some servers made for tests do.
///
/// # Panics
/// As [`run`].
pub async fn run_without_races(bucket: &Bucket) {
    objects_are_created_once(bucket).await;
    ranges_are_read(bucket).await;
    what_is_not_there_is_not_found(bucket).await;
    lists_are_sorted_and_deep(bucket).await;
    large_objects_are_uploaded(bucket).await;
    interrupted_uploads_leave_nothing_by_halves(bucket).await;
    odd_keys_are_borne(bucket).await;
}

/// What a test expects to succeed.
#[track_caller]
fn done<T>(result: Result<T, crate::BucketError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string)))
}

async fn objects_are_created_once(bucket: &Bucket) {
    done(bucket.create("once/a", Bytes::from_static(b"first")).await);
    done(bucket.create("once/a", Bytes::from_static(b"first")).await);
    for other in ["other", "longer", "", "FIRST"] {
        let again = bucket.create("once/a", other.into()).await.map_err(|error| error.kind());
        assert_eq!(again, Err(ErrorKind::AlreadyExists), "{other:?}");
    }
    assert_eq!(done(bucket.read("once/a", 100).await), "first");
    done(bucket.create("once/empty", Bytes::new()).await);
    assert_eq!(done(bucket.size("once/empty").await), 0);
    assert_eq!(done(bucket.read("once/empty", 0).await), "");
}

async fn one_creator_wins(bucket: &Bucket) {
    let creators = (0..16).map(|at| bucket.create("won", format!("by {at:02}").into()));
    let won: Vec<_> =
        join_all(creators).await.into_iter().map(|created| created.map_err(|error| error.kind())).collect();
    let winners: Vec<usize> = (0..16).filter(|at| won[*at].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{won:?}");
    let losers = won.iter().filter(|created| **created == Err(ErrorKind::AlreadyExists));
    assert_eq!(losers.count(), 15, "{won:?}");
    assert_eq!(done(bucket.read("won", 100).await), format!("by {:02}", winners[0]));
}

async fn ranges_are_read(bucket: &Bucket) {
    done(bucket.create("ranges", Bytes::from_static(b"0123456789")).await);
    for (range, expected) in [(0..10, "0123456789"), (3..4, "3"), (8..10, "89"), (5..5, "")] {
        assert_eq!(done(bucket.read_range("ranges", range.clone()).await), expected, "{range:?}");
    }
    let limited = bucket.read("ranges", 9).await.map_err(|error| error.kind());
    assert_eq!(limited, Err(ErrorKind::Rejected));
}

async fn what_is_not_there_is_not_found(bucket: &Bucket) {
    let (read, range, size) =
        join!(bucket.read("no/such", 9), bucket.read_range("no/such", 0..1), bucket.size("no/such"));
    for kind in [read.map(drop), range.map(drop), size.map(drop)].map(|result| result.map_err(|error| error.kind())) {
        assert_eq!(kind, Err(ErrorKind::NotFound));
    }
    assert_eq!(done(bucket.list("no").await), []);
    done(bucket.create("deleted", Bytes::from_static(b"x")).await);
    for _ in 0..2 {
        done(bucket.delete("deleted").await);
        assert_eq!(bucket.size("deleted").await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
    done(bucket.create("deleted", Bytes::from_static(b"anew")).await);
    assert_eq!(done(bucket.read("deleted", 9).await), "anew");
}

async fn lists_are_sorted_and_deep(bucket: &Bucket) {
    for key in ["list/b/c", "list/a/z/y", "list/b-c", "list/a/10", "list/a/9", "list/b/a", "listed"] {
        done(bucket.create(key, key.to_owned().into()).await);
    }
    let keys = |listed: Vec<Listed>| listed.into_iter().map(|object| object.key).collect::<Vec<_>>();
    let listed = done(bucket.list("list").await);
    assert!(listed.iter().all(|object| object.size_bytes == object.key.len() as u64));
    assert_eq!(keys(listed), ["list/a/10", "list/a/9", "list/a/z/y", "list/b-c", "list/b/a", "list/b/c"]);
    assert_eq!(keys(done(bucket.list("list/b").await)), ["list/b/a", "list/b/c"]);
    assert!(keys(done(bucket.list("").await)).contains(&"listed".to_owned()));
}

/// Parts whose bytes tell where they are.
fn large_parts() -> Vec<Bytes> {
    let bytes: Vec<u8> = (0..LARGE_BYTES as u64 / 8).flat_map(|at| at.to_le_bytes()).collect();
    let bytes = Bytes::from(bytes);
    vec![bytes.slice(..1), bytes.slice(1..LARGE_BYTES / 3), bytes.slice(LARGE_BYTES / 3..)]
}

async fn large_objects_are_uploaded(bucket: &Bucket) {
    let parts = large_parts();
    for _ in 0..2 {
        done(bucket.upload("large/object", &parts).await);
    }
    let whole = done(bucket.read("large/object", LARGE_BYTES as u64).await);
    assert!(whole == parts.concat(), "other bytes came back");
    let at = LARGE_BYTES as u64 / 2;
    assert_eq!(done(bucket.read_range("large/object", at..at + 8).await), &(at / 8).to_le_bytes()[..]);
    let other = bucket.upload("large/object", &parts[..1]).await.map_err(|error| error.kind());
    assert_eq!(other, Err(ErrorKind::Corrupt));
    let (one, two) = join!(bucket.upload("large/twice", &parts), bucket.upload("large/twice", &parts));
    done(one);
    done(two);
    assert_eq!(done(bucket.size("large/twice").await), LARGE_BYTES as u64);
    done(bucket.upload("large/small", &parts[..1]).await);
    assert_eq!(done(bucket.size("large/small").await), 1);
}

async fn interrupted_uploads_leave_nothing_by_halves(bucket: &Bucket) {
    let parts = large_parts();
    for steps in 1..8 {
        let key = format!("interrupted/{steps}");
        let mut upload = Box::pin(bucket.upload(&key, &parts).fuse());
        for _ in 0..steps {
            // Something else happens meanwhile, so that the upload gets on.
            let _ = (&mut upload).now_or_never();
            done(bucket.list("list").await);
        }
        drop(upload);
        match bucket.size(&key).await {
            Ok(size) => assert_eq!(size, LARGE_BYTES as u64),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        done(bucket.upload(&key, &parts).await);
        assert_eq!(done(bucket.size(&key).await), LARGE_BYTES as u64);
        done(bucket.delete(&key).await);
    }
}

async fn odd_keys_are_borne(bucket: &Bucket) {
    let keys = ["odd/!-_.*'()/x", "odd/a b+c%20&d=e", "odd/ünï-π", "odd/日本"];
    for key in keys {
        done(bucket.create(key, key.to_owned().into()).await);
        assert_eq!(done(bucket.read(key, 100).await), key);
    }
    let listed: Vec<_> = done(bucket.list("odd").await).into_iter().map(|object| object.key).collect();
    assert_eq!(listed, keys);
    for key in ["", "/a", "a//b", "a/../b", "a/\n"] {
        let created = bucket.create(key, Bytes::from_static(b"x")).await.map_err(|error| error.kind());
        assert_eq!(created, Err(ErrorKind::Rejected), "{key:?}");
    }
}
