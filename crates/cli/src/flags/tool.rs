//! What can be said to a tool.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The tools.
#[derive(Debug, Args)]
pub(crate) struct Tool {
    #[command(subcommand)]
    pub(crate) command: ToolCommand,
}

/// A tool.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    /// Runs test scripts of PromQL, and says what passed and what did not.
    Promqltest(Promqltest),
    /// Writes an expression in the usual form.
    FormatQuery {
        /// The expression.
        expression: String,
    },
    /// Evaluates an expression once.
    Query {
        /// The expression.
        expression: String,
        /// When: RFC 3339 or seconds since 1970. Default: now.
        #[arg(long)]
        time: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Evaluates an expression over and over between two times.
    QueryRange {
        /// The expression.
        expression: String,
        #[command(flatten)]
        span: Span,
        /// The time between two evaluations, such as 15s. Default: so that there are about 250.
        #[arg(long)]
        step: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Lists series.
    Series {
        /// What they match, such as up or '{job="api"}': all that match one of several.
        #[arg(value_name = "SELECTOR")]
        selectors: Vec<String>,
        /// The same, as promtool has it.
        #[arg(long = "match", value_name = "SELECTOR")]
        matches: Vec<String>,
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        server: Server,
    },
    /// Lists the names of labels, or the values of one.
    Labels {
        /// The label whose values are wanted.
        name: Option<String>,
        /// Only those of series that match: all that match one of several.
        #[arg(long = "match", value_name = "SELECTOR")]
        matches: Vec<String>,
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        server: Server,
    },
}

/// How scripts are run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Promqltest {
    /// The scripts.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Runs them through a whole cluster in this process: samples are appended to shards, questions asked over HTTP. Without
    /// it, the engine alone reads series from memory.
    #[arg(long)]
    pub(crate) cluster: bool,
    /// How many shards the cluster has.
    #[arg(long, default_value_t = 4, requires = "cluster")]
    pub(crate) shards: u32,
    /// Cuts about two thirds of what is loaded, and ships it to a bucket, before anything is asked.
    #[arg(long, requires = "cluster")]
    pub(crate) ship: bool,
}

/// Whom to ask, and how to show what it says.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// Where a process of the role querier, or a Prometheus, answers HTTP.
    #[arg(long = "server", env = "RINGWOOD_SERVER", default_value = "http://localhost:9090")]
    pub(crate) url: String,
    /// A header to send, such as X-Scope-OrgID=team-a. May be given several times.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = super::setting)]
    pub(crate) headers: Vec<(String, String)>,
    /// How to write the answer.
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Columns, for people.
    #[default]
    Table,
    /// The data of the answer, for scripts.
    Json,
}

/// From when to when.
#[derive(Clone, Debug, Args)]
pub(crate) struct Span {
    /// The earliest time: RFC 3339 or seconds since 1970. Default: five minutes before the end for queries, else whatever the
    /// server has.
    #[arg(long)]
    pub(crate) start: Option<String>,
    /// The latest time. Default: now.
    #[arg(long)]
    pub(crate) end: Option<String>,
}
