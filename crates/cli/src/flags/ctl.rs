//! What can be said to `ringwood ctl`.

use clap::{Args, Subcommand};

use super::Output;

/// How to look after a cluster.
#[derive(Debug, Args)]
pub(crate) struct Ctl {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How to write the answer. With json it is one object, and so is an error; what goes on meanwhile goes to stderr.
    #[arg(long, short, value_enum, default_value_t, global = true)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

/// Where the cluster is: one of its ingesters is enough, or the URL of any process.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// gRPC addresses of ingesters, separated by commas. Commands go to them. Default: those that --url knows.
    #[arg(
        long = "cluster.peers",
        visible_alias = "address",
        env = "RINGWOOD_CLUSTER_PEERS",
        value_delimiter = ',',
        global = true
    )]
    pub(crate) peers: Vec<String>,
    /// Where any process of the cluster answers HTTP; asked where ingesters live unless --cluster.peers says it.
    /// [default: http://localhost:9090]
    #[arg(long = "url", env = "RINGWOOD_URL", global = true)]
    pub(crate) url: Option<String>,
}

impl Place {
    /// Whether anybody said where the cluster is.
    pub(crate) fn is_given(&self) -> bool {
        !self.peers.is_empty() || self.url.is_some()
    }
}

/// A bucket.
#[derive(Clone, Debug, Args)]
pub(crate) struct BucketPlace {
    /// Where the blocks are: file:///folder, s3://bucket/prefix, gs://…, az://….
    #[arg(long = "bucket.url", env = "RINGWOOD_BUCKET_URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) settings: BucketSettings,
}

/// How a store is reached.
#[derive(Clone, Debug, Args)]
pub(crate) struct BucketSettings {
    /// A setting of the store, such as aws_endpoint=http://localhost:9000. What is not set comes from the usual variables
    /// AWS_…, GOOGLE_… and AZURE_….
    #[arg(long = "bucket.setting", env = "RINGWOOD_BUCKET_SETTING", value_delimiter = ',', value_parser = super::setting)]
    pub(crate) settings: Vec<(String, String)>,
}

/// What to look at, or to do.
#[derive(Debug, Subcommand)]
pub(crate) enum CtlCommand {
    /// Nodes, shards, leaders, how far each replica is, the catalog, scrapers and their targets.
    Status,
    /// The nodes: where they live, and what they hold.
    Nodes,
    /// The shards: who holds them, who leads, how far each replica is.
    Shards,
    /// Empties an ingester: its replicas go to others. Returns when it holds none any more; it goes on without this command.
    Drain {
        /// The number of the node, as `ctl nodes` shows it.
        node: u64,
        /// Lets it take part again instead.
        #[arg(long)]
        cancel: bool,
    },
    /// Ends the identity of an ingester that will never come back. Its replicas are replaced.
    Remove {
        /// The number of the node, as `ctl nodes` shows it.
        node: u64,
        /// Even if it holds replicas. What no other node has is lost.
        #[arg(long)]
        force: bool,
    },
    /// Lets another replica of a shard lead. Placement leaves the shard alone from then on, until `ctl release`.
    TransferLeader {
        /// The number of the shard; 0 is meta.
        shard: u32,
        /// The node that is to lead it.
        node: u64,
    },
    /// Moves a replica. Returns when it is moved; it goes on without this command. Placement leaves the shard alone from then
    /// on, until `ctl release`.
    Move {
        /// The number of the shard; 0 is meta.
        shard: u32,
        /// The node that holds it.
        #[arg(long)]
        from: u64,
        /// The node that is to hold it instead.
        #[arg(long)]
        to: u64,
        /// Even if fewer zones hold the shard then.
        #[arg(long)]
        force: bool,
    },
    /// Drops a replica and builds it anew from the others. Returns when it has everything; it goes on without this command.
    Rebuild {
        /// The number of the shard.
        shard: u32,
        /// The node whose replica is dropped.
        node: u64,
    },
    /// Moves a slot to another shard. Returns when it is there; it goes on without this command.
    MoveSlot {
        /// The number of the slot.
        slot: u16,
        /// The shard that is to have it.
        shard: u32,
    },
    /// Looks at everything in a data directory or a bucket, and lists all that is wrong. Changes nothing.
    Verify {
        /// The --storage.path of an ingester that does not run, or the URL of a bucket. With --cluster.peers or --url, a bucket
        /// is compared with the catalog of that cluster.
        #[arg(value_name = "PATH|URL")]
        what: String,
        #[command(flatten)]
        settings: BucketSettings,
    },
    /// The catalog of blocks.
    Catalog {
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// When more is lost than the cluster can mend by itself.
    Recover {
        #[command(subcommand)]
        command: RecoverCommand,
    },
    /// Lets placement even out loads with a shard again that was moved, or whose leader was chosen, by hand.
    Release {
        /// The number of the shard.
        shard: u32,
    },
}

/// What to do with the catalog.
#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Makes the catalog from what the blocks in the bucket say of themselves: adds those that it lacks, and forgets those whose
    /// files are gone.
    Rebuild {
        #[command(flatten)]
        bucket: BucketPlace,
        /// Only shows what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What to recover.
#[derive(Debug, Subcommand)]
pub(crate) enum RecoverCommand {
    /// All ingesters are lost, and the bucket is left: a new cluster takes over its blocks. Says which times are lost, then asks.
    Bucket {
        #[command(flatten)]
        bucket: BucketPlace,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Most replicas of a shard are lost for ever: it goes on with the one that is left, or begins anew. Says which times are
    /// lost, then asks.
    #[command(group(clap::ArgGroup::new("rest").required(true).args(["survivor", "empty"])))]
    Shard {
        /// The number of the shard.
        shard: u32,
        /// The node whose replica goes on.
        #[arg(long, value_name = "NODE")]
        survivor: Option<u64>,
        /// No replica is left: the shard begins anew, and keeps what it has in the bucket.
        #[arg(long)]
        empty: bool,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
}
