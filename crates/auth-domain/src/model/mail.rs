use std::fmt;

use zeroize::Zeroizing;

use crate::{
    CodeId, EmailAddress, Entropy, EntropyError, KeyId, Language, MailContent, MailId, ServerKeys, Timestamp,
    secrets::{open, seal},
};

/// A mail ready to be sent.
#[derive(Debug)]
pub struct Mail {
    /// The mail's id: the same at every attempt, so that a receiver can recognise a repetition.
    pub id: MailId,
    /// Where it goes.
    pub to: EmailAddress,
    /// The language it is best written in.
    pub language: Language,
    /// What it says.
    pub content: MailContent,
    /// When it was owed.
    pub created_at: Timestamp,
}

/// How a queued mail is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailClass {
    /// Carries a code: goes first, and is worthless once the code has ended.
    Code,
    /// Tells somebody something: may be late by a day.
    Notice,
    /// Stands in for a code mail that nobody is owed: settled like one, sent to nobody.
    Decoy,
}

impl MailClass {
    /// The class as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Decoy => "decoy",
        }
    }

    /// The class that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Code, Self::Notice, Self::Decoy].into_iter().find(|class| class.as_str() == text)
    }
}

/// An encrypted mail. Its recipient is sealed with it, unless it goes to the address on record that its code is for.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedMail {
    /// The server key it is sealed under.
    pub key_id: KeyId,
    /// The sealed octets.
    pub bytes: Vec<u8>,
}

/// A mail to be stored with the fact that owes it.
#[derive(Debug, Clone)]
pub struct QueuedMail {
    /// The mail's id.
    pub id: MailId,
    /// How it is handled.
    pub class: MailClass,
    /// The code, if any, whose life starts to run out when this mail is handed over.
    pub code_id: Option<CodeId>,
    /// The mail itself.
    pub sealed: SealedMail,
    /// When it was owed.
    pub created_at: Timestamp,
}

/// A queued mail that one worker holds for a while.
#[derive(Debug, Clone)]
pub struct ClaimedMail {
    /// The mail's id.
    pub id: MailId,
    /// How it is handled.
    pub class: MailClass,
    /// The mail itself.
    pub sealed: SealedMail,
    /// When it was owed.
    pub created_at: Timestamp,
    /// Which attempt this is, from 1. It also fences: only the latest attempt can settle the mail.
    pub attempt: u32,
    /// Whether the code it carries could still be redeemed.
    pub code_is_living: bool,
    /// The address on record that its code is for, if it has one: where a mail goes that was sealed without recipient.
    pub on_record: Option<EmailAddress>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The mail server took it. Its sealed body is erased, its code's last ten minutes begin.
    Delivered,
    /// To be tried again, not before this moment.
    Deferred(Timestamp),
    /// Given up. Its sealed body is erased.
    Abandoned,
}

/// Why a claimed mail cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Its server key was removed, or it is not what was sealed: nothing will change that.
    Unreadable,
    /// It goes to an address on record, and its store knows none that makes sense. With the address its code would have gone: the
    /// row is damaged, and somebody may mend it.
    Nowhere,
}

impl SealedMail {
    /// The mail `id` as the outbox keeps it. Without recipient, it goes to the address on record that its code is for: whose that
    /// is, its store finds out.
    pub(crate) fn seal(
        id: MailId,
        to: Option<&EmailAddress>,
        language: &Language,
        content: &MailContent,
        keys: &ServerKeys,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        // No field can contain a line feed: neither an address nor a tag, a code or a URL does, and the names are ours.
        let to = to.map_or("", EmailAddress::as_str);
        let text = Zeroizing::new([content.template(), language.as_str(), to, content.particulars()].join("\n"));
        seal(text.as_bytes(), id, keys, entropy)
    }
}

impl Mail {
    /// The mail that was sealed.
    pub(crate) fn open(claimed: &ClaimedMail, keys: &ServerKeys) -> Result<Self, Unopened> {
        let (to, language, content) = unseal(claimed, keys).ok_or(Unopened::Unreadable)?;
        let to = to.or_else(|| claimed.on_record.clone()).ok_or(Unopened::Nowhere)?;
        Ok(Self { id: claimed.id, to, language, content, created_at: claimed.created_at })
    }
}

/// What was sealed, with the recipient if that was sealed too; `None` when the key is gone, or it is not what we sealed.
fn unseal(claimed: &ClaimedMail, keys: &ServerKeys) -> Option<(Option<EmailAddress>, Language, MailContent)> {
    let plain = open(&claimed.sealed, claimed.id, keys)?;
    let mut fields = std::str::from_utf8(&plain).ok()?.split('\n');
    let (template, language, to, particulars) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let to = if to.is_empty() { None } else { Some(EmailAddress::from_stored(to).ok()?) };
    Some((to, Language::parse(language)?, MailContent::from_sealed(template, particulars)?))
}

impl fmt::Debug for SealedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedMail").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Notice, system::SystemEntropy};

    #[test]
    fn a_mail_goes_to_its_own_recipient_or_else_to_the_address_on_record() {
        let keys = ServerKeys::new([[1; 32]]).unwrap();
        let (id, content) = (MailId::from(Uuid::from_u128(1)), MailContent::Notice(Notice::AddressAdded));
        let [own, on_record] = ["own@example.org", "record@example.org"].map(|text| EmailAddress::parse(text).unwrap());
        for (sealed_for, on_record, expected) in [
            (Some(&own), None, Ok(&own)),
            (Some(&own), Some(&on_record), Ok(&own)),
            (None, Some(&on_record), Ok(&on_record)),
            (None, None, Err(Unopened::Nowhere)),
        ] {
            let language = Language::default();
            let claimed = ClaimedMail {
                id,
                class: MailClass::Code,
                sealed: SealedMail::seal(id, sealed_for, &language, &content, &keys, &SystemEntropy).unwrap(),
                created_at: Timestamp::from_unix_millis(0),
                attempt: 1,
                code_is_living: true,
                on_record: on_record.cloned(),
            };
            assert_eq!(Mail::open(&claimed, &keys).map(|mail| mail.to).as_ref(), expected.as_ref().copied());
        }
    }
}
