use clap::{Args, Subcommand};

/// What can be typed behind `auth-http secrets`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the server keys by their ids, the one that signs first, with what hangs on each.
    List {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Let a new key sign, in the key file of an embedded database. Nobody is signed out: older keys still verify.
    Rotate,
    /// Remove a key that no longer signs. What hangs on it ends, and nothing else.
    Remove {
        /// The key's id, as `list` shows it.
        id: String,
        /// Remove it. Without this, what would end is shown and nothing is done.
        #[arg(long)]
        yes: bool,
    },
    /// Print a new key, for `AUTH__SECRETS__KEY`.
    Generate,
}
