//! The option that lets a controller be looked at before it is trusted.

use clap::Args;

/// Taken by programs that go on until they are told to end. What runs once has
/// `plan` for this.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DryRunArgs {
    /// Decide everything and say what would be done, and change nothing: no pod
    /// is created or deleted, no agent stopped, and nothing else is written
    #[arg(long)]
    pub dry_run: bool,
}
