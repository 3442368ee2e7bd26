use std::{error::Error, fmt, time::Duration};

use auth_domain::MailError;
use lettre::transport::smtp;

use super::reply::{cleaned, told};

/// Replies that ask for a log-in, or refuse one (RFC 4954 §6): whatever mail they are given for, it is the operator
/// who has to act.
const LOG_IN: [u16; 4] = [530, 534, 535, 538];

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// On the way to a connection, encrypted where it has to be.
    Connection,
    /// Being logged in.
    LogIn,
    /// Naming the sender.
    Sender,
    /// Naming the recipient.
    Recipient,
    /// Handing over the message.
    Message,
}

/// What went wrong in an attempt.
#[derive(Debug)]
pub(super) struct Trouble {
    /// Where.
    pub(super) step: Step,
    /// What.
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) enum Reason {
    /// The server said no.
    Refused(u16, String),
    /// It said nothing, or nothing that can be understood. The connection is of no more use.
    Broken(String),
    /// What the mail takes is more than the server offers.
    Lacking(&'static str),
}

impl Reason {
    pub(super) fn no_answer_within(span: Duration) -> Self {
        Self::Broken(format!("no answer within {} s", span.as_secs()))
    }

    pub(super) const fn at(self, step: Step) -> Trouble {
        Trouble { step, reason: self }
    }
}

impl From<smtp::Error> for Reason {
    fn from(error: smtp::Error) -> Self {
        match error.status() {
            Some(code) => Self::Refused(code.into(), error.source().map(ToString::to_string).unwrap_or_default()),
            None => Self::Broken(innermost(&error)),
        }
    }
}

/// What the first of a chain of causes says; the others only say that something is wrong.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Trouble {
    /// Whether the server is still there: it has answered, and not that it is about to go (RFC 5321 §3.8).
    pub(super) const fn leaves_connection(&self) -> bool {
        !matches!(self.reason, Reason::Broken(_) | Reason::Refused(421, _))
    }

    /// What becomes of the mail to `recipient`, in words that name neither them nor a code.
    ///
    /// A mail is given up when the server refuses this very mail for good. Whatever is wrong with all of them, such as a
    /// password or a certificate, gets repaired, and no mail must be lost until then.
    pub(super) fn verdict(&self, recipient: &str) -> MailError {
        let Self { step, reason } = self;
        let is_about_this_mail = matches!(step, Step::Sender | Step::Recipient | Step::Message);
        match reason {
            Reason::Refused(code, text) => {
                let words = format!("{step}: {}", told(*code, text, recipient));
                if is_about_this_mail && *code >= 500 && !LOG_IN.contains(code) {
                    MailError::Permanent(words)
                } else {
                    MailError::Transient(words)
                }
            }
            Reason::Broken(text) => MailError::Transient(format!("{step}: {}", cleaned(text, recipient))),
            Reason::Lacking(what) if *step == Step::Recipient => MailError::Permanent(format!("{step}: {what}")),
            Reason::Lacking(what) => MailError::Transient(format!("{step}: {what}")),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "no connection",
            Self::LogIn => "not logged in",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_given_up_for_what_is_said_of_it_and_for_nothing_else() {
        for (step, code, given_up) in [
            (Step::Connection, 554, false),
            (Step::LogIn, 535, false),
            (Step::Sender, 451, false),
            (Step::Sender, 530, false),
            (Step::Sender, 550, true),
            (Step::Recipient, 450, false),
            (Step::Recipient, 550, true),
            (Step::Message, 421, false),
            (Step::Message, 554, true),
        ] {
            let verdict = Reason::Refused(code, "no".to_owned()).at(step).verdict("ada@example.org");
            let expected = format!("{step}: {code} no");
            assert_eq!(verdict, if given_up { MailError::Permanent(expected) } else { MailError::Transient(expected) });
        }
        let broken = Reason::no_answer_within(Duration::from_secs(10)).at(Step::Message);
        assert_eq!(broken.verdict(""), MailError::Transient("message: no answer within 10 s".to_owned()));
        assert!(matches!(Reason::Lacking("x").at(Step::Recipient).verdict(""), MailError::Permanent(_)));
        assert!(matches!(Reason::Lacking("x").at(Step::Sender).verdict(""), MailError::Transient(_)));
    }
}
