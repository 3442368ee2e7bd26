//! The texts of the mails. Those in `templates/` are plain ASCII in short lines, so that no transfer encoding has to
//! break up a code.

use auth_domain::{CodeMail, MailContent, Notice, VerificationCode};

/// Stands for the code in a template.
const CODE: &str = "{code}";

const SIGN_UP_CODE: Template = Template {
    subject: "{code} is your sign-up code",
    text: include_str!("../templates/en/sign-up-code.txt"),
    html: include_str!("../templates/en/sign-up-code.html"),
};

const SIGN_IN_CODE: Template = Template {
    subject: "{code} is your sign-in code",
    text: include_str!("../templates/en/sign-in-code.txt"),
    html: include_str!("../templates/en/sign-in-code.html"),
};

const EMAIL_CODE: Template = Template {
    subject: "{code} is your confirmation code",
    text: include_str!("../templates/en/email-code.txt"),
    html: include_str!("../templates/en/email-code.html"),
};

const KEY_PAIR_CODE: Template = Template {
    subject: "{code} is your API key code",
    text: include_str!("../templates/en/key-pair-code.txt"),
    html: include_str!("../templates/en/key-pair-code.html"),
};

const ADDRESS_ALREADY_REGISTERED: Template = Template {
    subject: "Your address already has an account",
    text: include_str!("../templates/en/address-already-registered.txt"),
    html: include_str!("../templates/en/address-already-registered.html"),
};

const ADDRESS_CLAIMED_ELSEWHERE: Template = Template {
    subject: "Somebody tried to use your address",
    text: include_str!("../templates/en/address-claimed-elsewhere.txt"),
    html: include_str!("../templates/en/address-claimed-elsewhere.html"),
};

const ADDRESS_ADDED: Template = Template {
    subject: "An address was added to your account",
    text: include_str!("../templates/en/address-added.txt"),
    html: include_str!("../templates/en/address-added.html"),
};

const ADDRESS_REMOVED: Template = Template {
    subject: "An address was removed from your account",
    text: include_str!("../templates/en/address-removed.txt"),
    html: include_str!("../templates/en/address-removed.html"),
};

const ADDRESS_PREFERRED: Template = Template {
    subject: "Another address is preferred now",
    text: include_str!("../templates/en/address-preferred.txt"),
    html: include_str!("../templates/en/address-preferred.html"),
};

/// What a mail says, before the code is put in.
struct Template {
    subject: &'static str,
    text: &'static str,
    html: &'static str,
}

/// What a mail says. Not printable even for debugging: it may hold a code.
pub(crate) struct Text {
    /// The subject line.
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) plain: String,
    /// The same in HTML.
    pub(crate) html: String,
}

/// What a mail with this content says.
pub(crate) fn text_of(content: &MailContent) -> Text {
    match content {
        MailContent::Code(mail, code) => match mail {
            CodeMail::SignUp => SIGN_UP_CODE,
            CodeMail::SignIn => SIGN_IN_CODE,
            CodeMail::Email => EMAIL_CODE,
            CodeMail::KeyPair => KEY_PAIR_CODE,
        }
        .with(code),
        MailContent::Notice(notice) => match notice {
            Notice::AddressAlreadyRegistered => ADDRESS_ALREADY_REGISTERED,
            Notice::AddressClaimedElsewhere => ADDRESS_CLAIMED_ELSEWHERE,
            Notice::AddressAdded => ADDRESS_ADDED,
            Notice::AddressRemoved => ADDRESS_REMOVED,
            Notice::AddressPreferred => ADDRESS_PREFERRED,
        }
        .as_it_stands(),
    }
}

impl Template {
    fn with(&self, code: &VerificationCode) -> Text {
        let fill = |template: &str| template.replace(CODE, code.expose());
        Text { subject: fill(self.subject), plain: fill(self.text), html: fill(self.html) }
    }

    fn as_it_stands(&self) -> Text {
        Text { subject: self.subject.to_owned(), plain: self.text.to_owned(), html: self.html.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender::has_six_digits;

    const ALL: [&Template; 9] = [
        &SIGN_UP_CODE,
        &SIGN_IN_CODE,
        &EMAIL_CODE,
        &KEY_PAIR_CODE,
        &ADDRESS_ALREADY_REGISTERED,
        &ADDRESS_CLAIMED_ELSEWHERE,
        &ADDRESS_ADDED,
        &ADDRESS_REMOVED,
        &ADDRESS_PREFERRED,
    ];

    fn pieces(template: &Template) -> [&'static str; 3] {
        [template.subject, template.text, template.html]
    }

    #[test]
    fn templates_are_ascii_in_lines_that_need_no_encoding() {
        for line in ALL.into_iter().flat_map(pieces).flat_map(str::lines) {
            assert!(line.is_ascii() && line.len() <= 72, "{line:?}");
        }
    }

    #[test]
    fn nothing_in_a_template_can_be_taken_for_a_code() {
        assert!(!ALL.into_iter().flat_map(pieces).any(has_six_digits));
    }

    #[test]
    fn the_code_stands_once_in_each_piece_of_a_code_mail_and_nowhere_in_a_notice() {
        for (number, template) in ALL.into_iter().enumerate() {
            let times = usize::from(number < CodeMail::ALL.len());
            for piece in pieces(template) {
                assert_eq!(piece.matches(CODE).count(), times, "{piece}");
                assert_eq!(piece.matches('{').count(), times, "no other placeholder: {piece}");
            }
        }
    }

    #[test]
    fn there_is_nothing_that_a_link_scanner_could_follow() {
        for piece in ALL.into_iter().flat_map(pieces).map(str::to_lowercase) {
            for link in ["://", "href", "src=", "url(", "www.", "<form", "<a ", "mailto:"] {
                assert!(!piece.contains(link), "{link} in {piece}");
            }
        }
    }
}
