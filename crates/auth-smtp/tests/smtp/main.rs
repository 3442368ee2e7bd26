//! `SmtpMailer` over real sockets, against a mail server that misbehaves as it is told.

mod encryption;
mod mailing;
mod pooling;
mod refusals;
mod silence;
