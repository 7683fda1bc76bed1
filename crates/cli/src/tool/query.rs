//! `ringwood tool query` and its kin.

use std::process::ExitCode;

use crate::flags::ToolCommand;

pub(super) async fn run(_: ToolCommand) -> Result<ExitCode, String> {
    Err("soon".to_owned())
}
