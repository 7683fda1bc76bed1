//! `ringwood ctl`: what operators ask of a cluster, one file for each family of commands.

mod catalog;
mod cluster;
mod orders;
mod recover;
mod slots;
mod status;
mod verify;

use std::io::IsTerminal;
use std::process::ExitCode;

use model::{NodeId, ShardId, Slot};
use proto::meta::MoveReplica;
use serde_json::{Value, json};

use self::cluster::Cluster;
use crate::flags::{CatalogCommand, Ctl, CtlCommand, Output, RecoverCommand};

pub(crate) use self::status::to_json;

/// What a command comes to.
struct Answer {
    /// For scripts: one object.
    data: Value,
    /// For people, lines that end like lines.
    text: String,
    /// Whether all is well: else the process ends with exit code 1.
    is_good: bool,
}

impl Answer {
    fn good(data: Value, text: impl Into<String>) -> Self {
        Self { data, text: text.into(), is_good: true }
    }
}

/// Runs a command.
pub(crate) fn run(ctl: Ctl) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("start the runtime: {error}"))?;
    let output = ctl.output;
    match (runtime.block_on(answer(ctl)), output) {
        (Ok(answer), _) => {
            match output {
                Output::Table => print!("{}", answer.text),
                Output::Json => println!("{}", answer.data),
            }
            Ok(if answer.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        (Err(message), Output::Table) => Err(message),
        (Err(message), Output::Json) => {
            println!("{}", json!({"error": message}));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn answer(ctl: Ctl) -> Result<Answer, String> {
    let Ctl { place, output, command } = ctl;
    match command {
        CtlCommand::Status => {
            let status = cluster::status(&place).await?;
            let text = status::text_of(&status);
            Ok(Answer::good(status, text))
        }
        CtlCommand::Nodes => {
            let status = cluster::status(&place).await?;
            Ok(Answer::good(json!({"nodes": status["nodes"]}), status::nodes_text(&status)))
        }
        CtlCommand::Shards => {
            let status = cluster::status(&place).await?;
            Ok(Answer::good(status::shards_of(&status), status::shards_text(&status)))
        }
        CtlCommand::Drain { node, cancel } => {
            orders::drain(&Cluster::connect(&place).await?, NodeId(node), cancel, output).await
        }
        CtlCommand::Remove { node, force } => {
            orders::remove(&Cluster::connect(&place).await?, NodeId(node), force).await
        }
        CtlCommand::TransferLeader { shard, node } => {
            orders::transfer_leader(&Cluster::connect(&place).await?, ShardId(shard), NodeId(node)).await
        }
        CtlCommand::Move { shard, from, to, force } => {
            let order = MoveReplica { from, to, force };
            orders::move_replica(&Cluster::connect(&place).await?, ShardId(shard), order, output).await
        }
        CtlCommand::Rebuild { shard, node } => {
            orders::rebuild(&Cluster::connect(&place).await?, ShardId(shard), NodeId(node), output).await
        }
        CtlCommand::MoveSlot { slot, shard } => {
            slots::move_slot(&Cluster::connect(&place).await?, Slot(slot), ShardId(shard), output).await
        }
        CtlCommand::Verify { what, settings } => verify::verify(&what, &settings, &place).await,
        CtlCommand::Catalog { command: CatalogCommand::Rebuild { bucket, dry_run } } => {
            catalog::rebuild(&Cluster::with_catalog(&place).await?, &bucket, dry_run).await
        }
        CtlCommand::Recover { command: RecoverCommand::Bucket { bucket, yes } } => {
            recover::bucket(&Cluster::with_catalog(&place).await?, &bucket, yes, output).await
        }
        CtlCommand::Recover { command: RecoverCommand::Shard { shard, survivor, yes, .. } } => {
            let cluster = Cluster::with_catalog(&place).await?;
            recover::shard(&cluster, ShardId(shard), survivor, yes, output).await
        }
        CtlCommand::Release { shard } => orders::release(&Cluster::connect(&place).await?, ShardId(shard)).await,
    }
}

/// Asks before something is done that can't be undone.
///
/// # Errors
/// If the answer is not yes, or nobody can be asked.
fn confirm(yes: bool, question: &str) -> Result<(), String> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(format!("{question} Nobody can be asked here: --yes says that it is wanted"));
    }
    eprint!("{question} Type yes to go on: ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| format!("read the answer: {error}"))?;
    if answer.trim() == "yes" { Ok(()) } else { Err("nothing was done".to_owned()) }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// Says how far something is while it goes on. Scripts want one object on stdout and nothing else.
fn progress(output: Output, text: &str) {
    match output {
        Output::Table => println!("{text}"),
        Output::Json => eprintln!("{text}"),
    }
}
