//! What must not leak, and the keys it hangs on.
//!
//! Every type here prints as its name alone, has no `Display`, and is wiped when dropped.

mod api_key;
mod base62;
mod bearer;
mod code;
mod sealing;
mod server_keys;
mod token;

pub use api_key::{ApiKey, ApiSecret};
pub use bearer::Bearer;
pub use code::VerificationCode;
pub use server_keys::{KeyId, NoServerKey, ServerKeys};
pub use token::TokenDigest;

pub(crate) use sealing::{open, seal};
