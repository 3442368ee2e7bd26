use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use auth_domain::{Mail, MailContent, MailError, MailId, Mailer};

/// Keeps the mails it is handed.
#[derive(Debug, Default)]
pub struct RecordingMailer(Mutex<Recording>);

#[derive(Debug, Default)]
struct Recording {
    sent: Vec<SentMail>,
    failure: Option<MailError>,
}

/// A mail as a recipient sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    /// The mail's id.
    pub id: MailId,
    /// Where it went.
    pub to: String,
    /// What it was.
    pub template: SentTemplate,
    /// The code in it; empty when it carries none.
    pub code: String,
}

/// What a mail was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentTemplate {
    /// The code that completes a registration.
    SignUpCode,
    /// The code that opens a session.
    SignInCode,
    /// The notice to the owner of a registered address.
    AddressAlreadyRegistered,
}

impl RecordingMailer {
    /// Fails every delivery like this, until told otherwise.
    pub fn fail_with(&self, failure: Option<MailError>) {
        self.recording().failure = failure;
    }

    /// What was sent since the previous call.
    pub fn take(&self) -> Vec<SentMail> {
        mem::take(&mut self.recording().sent)
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for RecordingMailer {
    async fn deliver(&self, mail: &Mail) -> Result<String, MailError> {
        let mut recording = self.recording();
        if let Some(failure) = &recording.failure {
            return Err(failure.clone());
        }
        let (template, code) = match &mail.content {
            MailContent::SignUpCode(code) => (SentTemplate::SignUpCode, code.expose()),
            MailContent::SignInCode(code) => (SentTemplate::SignInCode, code.expose()),
            MailContent::AddressAlreadyRegistered => (SentTemplate::AddressAlreadyRegistered, ""),
        };
        let (to, code) = (mail.to.as_str().to_owned(), code.to_owned());
        recording.sent.push(SentMail { id: mail.id, to, template, code });
        Ok("250 kept".to_owned())
    }
}
