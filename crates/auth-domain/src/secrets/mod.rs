//! What must not leak, and the keys it hangs on.
//!
//! Every type here prints as its name alone, has no `Display`, and is wiped when dropped.

mod base62;
mod bearer;
mod code;
mod sealing;
mod server_keys;

pub use bearer::{Bearer, TokenDigest};
pub use code::VerificationCode;
pub use server_keys::{KeyId, NoServerKey, ServerKeys};

pub(crate) use sealing::{open, seal};
