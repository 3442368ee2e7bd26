//! The [`Mailer`](auth_domain::Mailer) port on [`lettre`]: what a mail says, how it is written down, and who takes it.
//!
//! A mail is a multipart message of plain text and HTML. Its code stands in the subject and in both parts as one
//! unbroken run of six digits, the only one of that length apart from what somebody's address is made of, so that a
//! person, a phone's autofill and a test all find it: whatever the language, and however the text travels. No built-in
//! mail contains a link that a scanner could follow, and none at all has text that a stranger chose.
//!
//! | module | what it holds |
//! |---|---|
//! | `templates` | [`Templates`]: the texts, checked and encoded once, from `templates/` or a folder of the operator's |
//! | `message` | a domain mail as an RFC 5322 message, whatever carries it |
//! | `sender` | [`Sender`]: who the mails are from |
//! | `smtp` | [`SmtpMailer`]: the server that an [`SmtpUrl`] names, over a few connections that are kept open |
//! | `file_mailer` | [`FileMailer`]: a folder of `.eml` files, for a machine without a mail server |
//! | `digits` | what could be taken for a code |
//!
//! # Example
//!
//! ```
//! use auth_domain::system::{SystemClock, SystemEntropy};
//! use auth_domain::{Clock, CodeMail, EmailAddress, Language, Mail, MailContent, MailId, Mailer, VerificationCode};
//! use auth_smtp::FileMailer;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let mailer = FileMailer::new(folder.path().join("outbox"), "Auth <auth@localhost>".parse()?)?;
//!
//! let now = SystemClock.now();
//! let mail = Mail {
//!     id: MailId::mint(now, &SystemEntropy)?,
//!     to: EmailAddress::parse("ada@example.org")?,
//!     language: Language::default(),
//!     content: MailContent::Code(CodeMail::SignIn, VerificationCode::mint(&SystemEntropy)?),
//!     created_at: now,
//! };
//! let reply = mailer.deliver(&mail).await?;
//! assert!(reply.ends_with(&format!("{}.eml", mail.id)));
//! # Ok(())
//! # }
//! ```

mod digits;
mod file_mailer;
mod message;
mod sender;
mod smtp;
mod templates;

pub use file_mailer::{FileMailer, MailFolderError};
pub use sender::{InvalidSender, Sender};
pub use smtp::{InvalidAuthorities, InvalidSmtpUrl, SmtpMailer, SmtpUrl, told};
pub use templates::{Flaw, InvalidTemplates, Templates};
