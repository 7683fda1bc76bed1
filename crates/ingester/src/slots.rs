//! Slots that go from one shard to another: what the leaders of both do.
//!
//! The leader of the old owner fences the slot by an entry of its log, and takes what must travel from the state behind that
//! entry; the leader of the new owner writes it into its own log. Every step may be repeated, by this leader or the next one: a
//! shard knows which move of a slot it did its part of.

use std::time::Duration;

use bytes::Bytes;
use head::SlotExport;
use model::{NodeId, ShardId, Slot};
use prost::Message;
use proto::entry::entry::Entry as Command;
use proto::ingest::ingest_client::IngestClient;
use proto::{entry, ingest};
use transport::{ErrorKind, RpcError, deadline};

use crate::replica::Replica;
use crate::replicas::Replicas;

/// How long the new owner may take for a piece.
const PIECE_LIMIT: Duration = Duration::from_secs(5);

/// Gives a slot to another shard, whose leader is named. Returns when that shard has it.
///
/// # Errors
/// If this node does not lead, or the other shard could not be reached; the step is then to be repeated.
pub(crate) async fn give(replicas: &Replicas, request: ingest::GiveSlotRequest) -> Result<(), RpcError> {
    let slot = slot_of(request.slot)?;
    let replica = led(replicas, ShardId(request.from))?;
    let mut view = replica.group.view().await.1;
    if last_move(&view, slot) < request.r#move && !stdx::makes_mistake("give without a fence") {
        let fence = entry::Fence { r#move: request.r#move, slot: request.slot };
        propose(&replica, Command::Fence(fence)).await?;
        view = replica.group.view().await.1;
    }
    match view.last_move(slot) {
        // The next move of a slot begins when this one has ended: whoever asks has not heard of that yet.
        Some((by, _)) if by > request.r#move => return Ok(()),
        Some((by, true)) if by == request.r#move => {}
        _ if stdx::makes_mistake("give without a fence") => {}
        _ => return Err(unavailable(format!("shard {} has not fenced slot {slot} yet", request.from))),
    }
    if stdx::makes_mistake("give before the adoption") {
        return Ok(());
    }
    let export = replicas.reading().run(move || view.export_slot(slot)).await;
    send(replicas, &request, export).await
}

/// Sends all pieces to the new owner, one after another.
async fn send(replicas: &Replicas, request: &ingest::GiveSlotRequest, export: SlotExport) -> Result<(), RpcError> {
    let leader = NodeId(request.to_leader);
    let client = replicas.nodes().client(leader);
    let mut client =
        IngestClient::new(client.ok_or_else(|| unavailable(format!("nobody knows where node {leader} lives")))?);
    let pieces = export.pieces.len() as u32;
    for (piece, travelling) in (0..).zip(export.pieces) {
        let adopt = entry::Adopt {
            r#move: request.r#move,
            slot: request.slot,
            export: export.id,
            piece,
            pieces,
            travelling: travelling.into(),
        };
        let asked = ingest::AdoptSlotRequest { shard: request.to, piece: Some(adopt) };
        let reply = deadline(replicas.clock(), PIECE_LIMIT, client.adopt_slot(asked)).await?;
        if !reply.taken {
            return Err(unavailable(format!(
                "shard {} lacks pieces before {piece} of slot {}",
                request.to, request.slot
            )));
        }
    }
    Ok(())
}

/// Takes in a piece of a slot. Returns whether the shard has it, and all before it.
///
/// # Errors
/// If this node does not lead, or the piece makes no sense.
pub(crate) async fn adopt(replicas: &Replicas, request: ingest::AdoptSlotRequest) -> Result<bool, RpcError> {
    let piece = request.piece.ok_or_else(|| rejected("a piece of a slot is missing".to_owned()))?;
    let (slot, by) = (slot_of(piece.slot)?, piece.r#move);
    let replica = led(replicas, ShardId(request.shard))?;
    let is_done = async || last_move(&replica.group.view().await.1, slot) >= by;
    if is_done().await {
        return Ok(true);
    }
    let answer = propose(&replica, Command::Adopt(piece)).await?;
    match answer.outcome() {
        entry::Outcome::Stored => Ok(true),
        entry::Outcome::Duplicate => Ok(is_done().await),
        _ => Err(rejected(answer.reason)),
    }
}

fn led(replicas: &Replicas, shard: ShardId) -> Result<std::sync::Arc<Replica>, RpcError> {
    let replica = replicas.require(shard)?;
    match replica.leads() {
        true => Ok(replica),
        false => {
            let leader = replica.group.status().leader;
            Err(RpcError::new(ErrorKind::NotLeader(leader), "this node does not lead the shard"))
        }
    }
}

async fn propose(replica: &Replica, command: Command) -> Result<entry::RecordAnswer, RpcError> {
    let bytes = Bytes::from(entry::Entry { entry: Some(command) }.encode_to_vec());
    let proposed = replica.group.propose(bytes).await?;
    let answer = entry::Answer::decode(proposed.answer).ok().and_then(|mut answer| answer.records.pop());
    answer.ok_or_else(|| RpcError::new(ErrorKind::Bug, "the answer of a shard does not decode"))
}

/// The last move of a slot that a shard did its part of; 0: none.
fn last_move(view: &shard::ShardView, slot: Slot) -> u64 {
    view.last_move(slot).map_or(0, |(by, _)| by)
}

fn slot_of(number: u32) -> Result<Slot, RpcError> {
    let slot = u16::try_from(number).ok().filter(|slot| *slot < model::SLOT_COUNT);
    slot.map(Slot).ok_or_else(|| rejected(format!("there is no slot {number}")))
}

fn rejected(why: String) -> RpcError {
    RpcError::new(ErrorKind::Rejected, why)
}

fn unavailable(why: String) -> RpcError {
    RpcError::new(ErrorKind::Unavailable, why)
}
