use std::str::FromStr;

use lettre::{
    address::AddressError,
    message::{
        Mailbox, Mailboxes,
        header::{From, Headers},
    },
};

use crate::digits::has_six_digits;

/// Stands after the `@` of a Message-ID when the sender's own domain cannot (RFC 2606 §2).
const NEUTRAL_DOMAIN: &str = "auth.invalid";

/// Who the mails are from: `auth@example.org`, or with a name, `Auth <auth@example.org>` (RFC 5322 §3.4).
///
/// Parsed from text. Whatever parses can stand in a `From` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// Why a text does not name a sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSender {
    /// It is neither an address nor a name with an address.
    #[error("a sender is written `user@host` or `Name <user@host>`")]
    NotAMailbox(#[source] AddressError),
    /// A line break or another control character is in it.
    #[error("a sender's name and address hold no line breaks or other control characters")]
    ControlCharacter,
    /// Its name has six digits in a row, in plain sight or once it is encoded for the header.
    #[error("a sender's name has no six digits in a row, which could be taken for a code")]
    LooksLikeACode,
}

impl Sender {
    /// The sender as lettre knows it.
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    /// The domain that mails come from.
    pub(crate) fn domain(&self) -> &str {
        self.0.email.domain()
    }

    /// What stands after the `@` of a Message-ID: the sender's domain, if it is ASCII and cannot be taken for a code.
    pub(crate) fn message_id_domain(&self) -> &str {
        let domain = self.domain();
        if domain.is_ascii() && !has_six_digits(domain) { domain } else { NEUTRAL_DOMAIN }
    }
}

impl FromStr for Sender {
    type Err = InvalidSender;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(char::is_control) {
            return Err(InvalidSender::ControlCharacter);
        }
        let mailbox: Mailbox = text.parse().map_err(InvalidSender::NotAMailbox)?;
        let name_looks_like_a_code = mailbox.name.as_deref().is_some_and(has_six_digits);
        if name_looks_like_a_code || has_six_digits(&header_without_address(&mailbox)) {
            return Err(InvalidSender::LooksLikeACode);
        }
        Ok(Self(mailbox))
    }
}

/// The `From` header of `mailbox` with its name encoded as it will be, which may be base64, and its address left out.
fn header_without_address(mailbox: &Mailbox) -> String {
    let mut headers = Headers::new();
    headers.set(From::from(Mailboxes::from(mailbox.clone())));
    headers.to_string().replace(mailbox.email.as_ref() as &str, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(text: &str) -> Sender {
        text.parse().unwrap()
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("auth@localhost", None, "auth@localhost"),
            ("<auth@localhost>", None, "auth@localhost"),
            ("Auth <auth@localhost>", Some("Auth"), "auth@localhost"),
            ("The A. Team <a@example.org>", Some("The A. Team"), "a@example.org"),
            ("\"Acme, Inc.\" <no-reply@example.org>", Some("Acme, Inc."), "no-reply@example.org"),
            ("Müller & Söhne <auth@bücher.example>", Some("Müller & Söhne"), "auth@bücher.example"),
            ("Auth <1234567@example.org>", Some("Auth"), "1234567@example.org"),
        ] {
            let Sender(mailbox) = sender(text);
            assert_eq!((mailbox.name.as_deref(), mailbox.email.as_ref()), (name, address), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form_it_should_have() {
        for text in ["", "auth", "@localhost", "Auth <>", "Auth auth@localhost", "a@b, c@d", "A <a@b>, C <c@d>"] {
            let refused = text.parse::<Sender>().unwrap_err();
            assert!(matches!(refused, InvalidSender::NotAMailbox(_)), "{text}");
            assert!(refused.to_string().contains("`Name <user@host>`"));
        }
    }

    #[test]
    fn a_sender_cannot_bring_a_header_of_its_own() {
        for text in [
            "auth@localhost\r\nBcc: x@example.org",
            "Auth\r\nBcc: x@example.org\r\n <auth@localhost>",
            "\"Auth\nBcc: x@example.org\" <auth@localhost>",
            "\"Auth\\\r\\\nBcc: x@example.org\" <auth@localhost>",
            "auth@localhost\r\n",
            "A\0B <auth@localhost>",
        ] {
            assert_eq!(text.parse::<Sender>(), Err(InvalidSender::ControlCharacter), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_could_be_taken_for_a_code_is_refused_even_where_base64_hides_it() {
        for text in
            ["Auth 123456 <auth@localhost>", "日本 123456 <auth@localhost>", "\u{3774}\u{3774} <auth@localhost>"]
        {
            assert_eq!(text.parse::<Sender>(), Err(InvalidSender::LooksLikeACode), "{text}");
        }
    }

    #[test]
    fn a_message_id_takes_the_senders_domain_where_that_is_plain_enough() {
        assert_eq!(sender("auth@mail.example.org").message_id_domain(), "mail.example.org");
        assert_eq!(sender("auth@bücher.example").message_id_domain(), NEUTRAL_DOMAIN);
        assert_eq!(sender("auth@123456.example").message_id_domain(), NEUTRAL_DOMAIN);
    }
}
