//! The leader's side of a snapshot transfer.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::ShardId;
use openraft::raft::SnapshotResponse;
use proto::raft::{self, snapshot_frame::Frame, snapshot_reply::Reply};
use raftlog::{TypeConfig, Vote, vote_from_proto, vote_to_proto};

use tokio::sync::mpsc::Sender;

use super::{SnapshotStream, Unreachable};
use crate::SnapshotFolder;
use crate::snapshot::SnapshotData;

/// How much of a file one message carries.
const CHUNK_BYTES: usize = 256 << 10;

type Replies = BoxStream<'static, Result<raft::SnapshotReply, Unreachable>>;

/// Offers a snapshot, sends the files that the follower wants, and returns the follower's vote.
pub(super) async fn send(
    group: ShardId,
    vote: Vote,
    snapshot: &SnapshotData,
    folder: &SnapshotFolder,
    stream: SnapshotStream,
) -> Result<SnapshotResponse<TypeConfig>, Unreachable> {
    let SnapshotStream { requests, answers: mut replies } = stream;
    let manifest = snapshot.manifest.clone();
    let offer = raft::SnapshotOffer { group: group.0, vote: Some(vote_to_proto(&vote)), manifest: Some(manifest) };
    say(&requests, Frame::Offer(offer)).await?;
    loop {
        match hear(&mut replies).await? {
            Reply::Vote(vote) => return Ok(SnapshotResponse::new(vote_from_proto(&vote))),
            Reply::Refused(why) => return Err(Unreachable(why)),
            Reply::Want(want) => {
                for index in want.files {
                    send_file(index, snapshot, folder, &requests).await?;
                }
            }
        }
    }
}

async fn send_file(
    index: u32,
    snapshot: &SnapshotData,
    folder: &SnapshotFolder,
    requests: &Sender<raft::SnapshotFrame>,
) -> Result<(), Unreachable> {
    let file = snapshot.manifest.files.get(index as usize);
    let file = file.ok_or_else(|| Unreachable(format!("the follower wants file {index}, which was not offered")))?;
    let bytes = folder.map(file).map_err(|error| Unreachable(format!("read {}: {error}", file.name)))?;
    let mut rest: Bytes = bytes;
    loop {
        // An empty file still needs its one, empty chunk.
        let data = rest.split_to(rest.len().min(CHUNK_BYTES));
        say(requests, Frame::Chunk(raft::SnapshotChunk { file: index, data })).await?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

async fn say(requests: &Sender<raft::SnapshotFrame>, frame: Frame) -> Result<(), Unreachable> {
    let sent = requests.send(raft::SnapshotFrame { frame: Some(frame) }).await;
    sent.map_err(|_| Unreachable("the follower broke off the snapshot transfer".to_owned()))
}

async fn hear(replies: &mut Replies) -> Result<Reply, Unreachable> {
    let reply = replies.next().await.transpose()?.and_then(|message| message.reply);
    reply.ok_or_else(|| Unreachable("the follower ended the snapshot transfer without an outcome".to_owned()))
}
