//! Mail over SMTP: where the server is, how it is trusted, and how a mail is handed to it.
//!
//! lettre speaks the protocol; the sockets, the pool and the deadlines are ours. Its own pool bounds idle connections
//! only, and its own sockets wait 40 ms for an acknowledgement in the middle of every mail.

mod connection;
mod mailer;
mod pool;
mod reply;
mod server;
mod trouble;
mod url;
mod wire;

pub use mailer::SmtpMailer;
pub use reply::told;
pub use server::InvalidAuthorities;
pub use url::{InvalidSmtpUrl, SmtpUrl};
