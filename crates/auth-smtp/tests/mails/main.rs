//! What stands in a mail, and how it becomes a file: read back from the folder that a `FileMailer` delivers to.

mod content;
mod files;
mod outbox;
mod templates;
