//! A mail of the domain as an RFC 5322 message.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_domain::{EmailAddress, Mail, MailError, MailId, Timestamp};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Body, Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use crate::{
    Sender, Templates,
    templates::{Piece, Text},
};

/// The last second of the year 9999, the latest that a `Date` header can tell.
const LAST_SECOND: u64 = 253_402_300_799;

/// The message that `mail` is: headers, both parts, and the envelope to carry it in.
///
/// The same mail makes the same message, octet by octet, at every attempt. The message holds the code and would show
/// it if it were printed for debugging.
pub(crate) fn message_of(mail: &Mail, from: &Sender, templates: &Templates) -> Result<Message, MailError> {
    let name = letters(mail.id);
    let Some(Text { spoken_subject, subject, plain, html }) = templates.text_of(mail) else {
        return Err(MailError::Permanent(format!("there is no template called {}", mail.content.template())));
    };
    let to = recipient(&mail.to)?;
    let from_address = from.mailbox().email.clone();
    Message::builder()
        .date(date(mail.created_at))
        .from(from.mailbox().clone())
        .to(Mailbox::from(to.clone()))
        // Encoded when the template was read; a code has nothing to encode.
        .raw_header(HeaderValue::dangerous_new_pre_encoded(
            HeaderName::new_from_ascii_str("Subject"),
            spoken_subject,
            subject,
        ))
        .message_id(Some(format!("<{name}@{}>", from.message_id_domain())))
        // RFC 3834 §5.1: no out-of-office reply is wanted.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        // Given, since lettre would otherwise parse it back from the headers and refuse what `recipient` lets pass.
        .envelope(Envelope::new(Some(from_address), vec![to]).map_err(|error| not_built(&error))?)
        .multipart(
            MultiPart::alternative()
                .boundary(name)
                .singlepart(part(ContentType::TEXT_PLAIN, plain))
                .singlepart(part(ContentType::TEXT_HTML, html)),
        )
        .map_err(|error| not_built(&error))
}

/// The address as lettre knows it.
///
/// Lettre's own parser is not asked: it refuses combining marks in local parts, and many scripts cannot be written
/// without those. What it guards against, an [`EmailAddress`] does not contain: no space, no control character, no bracket,
/// no quotation mark, no comma, one `@`.
fn recipient(address: &EmailAddress) -> Result<Address, MailError> {
    let mailbox = address.mailbox();
    let (user, domain) =
        mailbox.split_once('@').ok_or_else(|| MailError::Permanent("the recipient's address has no @".to_owned()))?;
    Ok(Address::new_dangerous(user, domain))
}

/// A part that stands in the mail as it was encoded when its template was read.
fn part(content_type: ContentType, Piece { encoded, encoding, .. }: Piece) -> SinglePart {
    let body = Body::dangerous_pre_encoded(encoded.into_bytes(), encoding);
    SinglePart::builder().header(content_type).body(body)
}

/// The id in the letters `a` to `p`, one for each hexadecimal digit: it can never be taken for a code.
fn letters(id: MailId) -> String {
    id.uuid()
        .as_bytes()
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 0xf])
        .map(|digit| char::from(b'a' + digit))
        .collect()
}

/// The moment as lettre wants it, moved into the years 1970 to 9999: it panics on any other.
fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.unix_seconds()).unwrap_or(0).min(LAST_SECOND);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn not_built(error: &lettre::error::Error) -> MailError {
    MailError::Permanent(format!("the message cannot be built: {error}"))
}

#[cfg(test)]
mod tests {
    use auth_domain::{Language, MailContent, Notice};
    use lettre::message::header::Date;
    use uuid::Uuid;

    use super::*;
    use crate::digits::has_six_digits;

    fn message(id: u128, created_at: Timestamp) -> Message {
        let mail = Mail {
            id: MailId::from(Uuid::from_u128(id)),
            to: EmailAddress::parse("ada@example.org").unwrap(),
            language: Language::default(),
            content: MailContent::Notice(Notice::AddressAlreadyRegistered),
            created_at,
        };
        message_of(&mail, &"Auth <auth@localhost>".parse().unwrap(), &Templates::built_in()).unwrap()
    }

    #[test]
    fn an_id_has_no_digits_as_letters_and_stays_itself() {
        assert_eq!(letters(MailId::from(Uuid::from_u128(0))), "a".repeat(32));
        assert_eq!(
            letters(MailId::from(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef))),
            "abcdefghijklmnop".repeat(2)
        );
    }

    #[test]
    fn no_mail_id_looks_like_a_code() {
        for digit in 0..16 {
            let id = u128::MAX / 15 * digit;
            let raw = message(id, Timestamp::from_unix_millis(0)).formatted();
            assert!(!has_six_digits(&String::from_utf8(raw).unwrap()), "{id:x}");
        }
    }

    #[test]
    fn a_time_that_no_header_can_tell_is_moved_to_the_nearest_that_one_can() {
        for (millis, seconds) in [
            (i64::MIN, 0),
            (-1, 0),
            (1_999, 1),
            (253_402_300_799_999, LAST_SECOND),
            (253_402_300_800_000, LAST_SECOND),
            (i64::MAX, LAST_SECOND),
        ] {
            let date = message(1, Timestamp::from_unix_millis(millis)).headers().get::<Date>().unwrap();
            assert_eq!(SystemTime::from(date), UNIX_EPOCH + Duration::from_secs(seconds), "{millis}");
        }
    }

    #[test]
    fn the_envelope_names_the_sender_and_the_recipient() {
        let message = message(1, Timestamp::from_unix_millis(0));
        assert_eq!(message.envelope().from().unwrap().to_string(), "auth@localhost");
        assert_eq!(message.envelope().to().iter().map(ToString::to_string).collect::<Vec<_>>(), ["ada@example.org"]);
    }
}
