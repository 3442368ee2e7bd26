mod archive;
mod clock;
mod entropy;
mod mailer;
mod store;

pub use archive::InMemoryArchive;
pub use clock::ManualClock;
pub use entropy::CountingEntropy;
pub use mailer::{RecordingMailer, SentMail};
pub use store::InMemoryStore;
