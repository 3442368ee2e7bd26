use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use auth_domain::{Language, Mail, MailContent, MailError, MailId, Mailer, VerificationCode};

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
    /// The name of its template.
    pub template: &'static str,
    /// The language it was to be written in.
    pub language: Language,
    /// The code in it; empty when it carries none.
    pub code: String,
    /// The page that it links to; empty when there is none.
    pub portal: String,
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
        recording.sent.push(SentMail {
            id: mail.id,
            to: mail.to.as_str().to_owned(),
            template: mail.content.template(),
            language: mail.language.clone(),
            code: mail.content.code().map_or("", VerificationCode::expose).to_owned(),
            portal: portal_in(&mail.content).to_owned(),
        });
        Ok("250 kept".to_owned())
    }
}

fn portal_in(content: &MailContent) -> &str {
    match content {
        MailContent::Invitation(portal) => portal.as_str(),
        MailContent::Code(..) | MailContent::Notice(_) => "",
    }
}
