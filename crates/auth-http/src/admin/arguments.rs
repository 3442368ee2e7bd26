use clap::{Args, Subcommand};

/// What can be typed behind `auth-http admin`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print one JSON document, its fields named as in the REST API.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account, which signs in by mail at once. Makes the installation as well, if there is none yet.
    Create {
        /// Where the user's codes go.
        #[arg(long)]
        email: String,
        /// The handle others know them by.
        #[arg(long)]
        alias: String,
        /// What they call themselves.
        #[arg(long, value_name = "FULL_NAME")]
        name: String,
        /// What they may do, such as `users_admin`; can be repeated. What new users may, if absent.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Give a role to a user, who may have it already.
    Grant {
        /// One of the user's addresses.
        email: String,
        /// The role.
        role: String,
    },
    /// Take a role from a user.
    Revoke {
        /// One of the user's addresses.
        email: String,
        /// The role.
        role: String,
    },
    /// List users, oldest first.
    List {
        /// Only those that hold this role.
        #[arg(long)]
        role: Option<String>,
    },
    /// Disable a user: all of their sessions and key pairs end at once.
    Disable {
        /// One of the user's addresses.
        email: String,
    },
    /// Enable a user. Nothing that disabling ended is restored.
    Enable {
        /// One of the user's addresses.
        email: String,
    },
    /// List a user's sessions, newest first: those that are live, and those that wait for their code.
    Sessions {
        /// One of the user's addresses.
        email: String,
    },
    /// Close all of a user's sessions.
    RevokeSessions {
        /// One of the user's addresses.
        email: String,
    },
    /// Forget the wrong guesses at an address's codes, so that codes are accepted there again. Nobody need own it.
    Unlock {
        /// The address.
        email: String,
    },
    /// List a user's key pairs, newest first: those that work, and those that wait for their code.
    Keys {
        /// One of the user's addresses.
        email: String,
    },
}
