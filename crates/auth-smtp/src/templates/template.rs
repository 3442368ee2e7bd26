use auth_domain::VerificationCode;
use lettre::message::header::ContentTransferEncoding;

use super::{CODE, URL, encoding};
use crate::digits::long_runs;

/// The longest template, in octets.
pub(super) const LONGEST: usize = 64 * 1024;
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 150;
/// How a text begins.
const SUBJECT: &str = "Subject: ";
/// As long as a code, and looking like one.
const ANY_CODE: &str = "000000";

/// What is filled in when a mail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Nothing,
    /// The code, at `{code}`.
    Code,
    /// The page that the mail links to, at `{url}`.
    Link,
}

/// A piece of a mail, encoded already, with a gap for the code.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) encoded: String,
    pub(crate) encoding: ContentTransferEncoding,
    /// The text as written, for a link: nobody knows how long that is, so it is encoded with it.
    written: Option<String>,
}

/// A `.txt` file: its first line is the subject, after an empty one follows the text.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    /// The subject as people read it.
    pub(super) spoken_subject: String,
    pub(super) subject: Piece,
    pub(super) text: Piece,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More than 64 KiB.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// Octets that are no text.
    #[error("it is not UTF-8")]
    NotText,
    /// A control character other than line feed and tab.
    #[error("there is a control character in it")]
    ControlCharacter,
    /// No subject.
    #[error("it does not begin with a line `Subject: …` of up to 150 characters and an empty line")]
    NoSubject,
    /// Nothing to read.
    #[error("there is no text in it")]
    Empty,
    /// A placeholder that stands for nothing.
    #[error(
        "{{{0}}} stands for nothing here: there is only {{code}}, in mails that carry one, and {{url}} in invitations"
    )]
    UnknownPlaceholder(String),
    /// The code stands nowhere, or twice.
    #[error("{{code}} stands {times} times in its {piece}, not once")]
    CodeNotOnce {
        /// Which piece.
        piece: &'static str,
        /// How often it stands there.
        times: usize,
    },
    /// The link stands nowhere, or in the subject.
    #[error("{{url}} stands nowhere in its text or its HTML, or it stands in its subject")]
    LinkMisplaced,
    /// The code touches digits, or letters that have to be encoded.
    #[error("{{code}} touches a digit or a letter outside ASCII in its {0}: put a space between them")]
    CodeNotAlone(&'static str),
    /// Six digits that are no code.
    #[error("its {0} has six digits in a row, as it is or encoded, which could be taken for a code")]
    LooksLikeACode(&'static str),
}

impl Plain {
    pub(super) fn parse(octets: &[u8], gap: Gap) -> Result<Self, Flaw> {
        let text = text(octets)?;
        let (first, rest) = text.split_once('\n').ok_or(Flaw::NoSubject)?;
        let spoken = first.strip_prefix(SUBJECT).map(str::trim).ok_or(Flaw::NoSubject)?;
        let body = rest.strip_prefix('\n').ok_or(Flaw::NoSubject)?;
        if spoken.is_empty() || spoken.chars().count() > LONGEST_SUBJECT {
            return Err(Flaw::NoSubject);
        }
        let encoding = ContentTransferEncoding::SevenBit;
        let subject = Piece { encoded: encoding::subject(spoken), encoding, written: None };
        if spoken.contains(URL) {
            return Err(Flaw::LinkMisplaced);
        }
        // There is no link in a subject, whatever the mail.
        let in_subject = if gap == Gap::Code { Gap::Code } else { Gap::Nothing };
        Ok(Self {
            spoken_subject: spoken.to_owned(),
            subject: subject.checked("subject", spoken, in_subject)?,
            text: Piece::body("text", body, gap)?,
        })
    }
}

impl Piece {
    /// An `.html` file.
    pub(super) fn parse_html(octets: &[u8], gap: Gap) -> Result<Self, Flaw> {
        Self::body("HTML", &text(octets)?, gap)
    }

    fn body(name: &'static str, text: &str, gap: Gap) -> Result<Self, Flaw> {
        if text.trim().is_empty() {
            return Err(Flaw::Empty);
        }
        let (encoded, encoding) = encoding::body(text);
        let written = (gap == Gap::Link).then(|| text.to_owned());
        Self { encoded, encoding, written }.checked(name, text, gap)
    }

    /// This piece, which was encoded from `written`, if the code stands in it as it must.
    fn checked(self, name: &'static str, written: &str, gap: Gap) -> Result<Self, Flaw> {
        for placeholder in placeholders(written) {
            let known = matches!((gap, placeholder), (Gap::Code, "code") | (Gap::Link, "url"));
            if !known {
                return Err(Flaw::UnknownPlaceholder(placeholder.to_owned()));
            }
        }
        let times = written.matches(CODE).count();
        if gap == Gap::Code && times != 1 {
            return Err(Flaw::CodeNotOnce { piece: name, times });
        }
        if gap == Gap::Link && !written.contains(URL) {
            return Err(Flaw::LinkMisplaced);
        }
        // Judged as it will travel: base64 can make digits, and escaped letters end in some.
        let filled = self.filled(ANY_CODE);
        let runs: Vec<&str> = long_runs(&filled).collect();
        match (gap, runs.as_slice()) {
            (Gap::Nothing | Gap::Link, []) | (Gap::Code, [ANY_CODE]) => Ok(self),
            (Gap::Code, [] | [_]) => Err(Flaw::CodeNotAlone(name)),
            (_, _) => Err(Flaw::LooksLikeACode(name)),
        }
    }

    /// The piece with `code` in its gap.
    pub(super) fn with_code(&self, code: &VerificationCode) -> Self {
        Self { encoded: self.filled(code.expose()), ..self.clone() }
    }

    /// The piece with `link` wherever one belongs.
    pub(super) fn with_link(&self, link: &str) -> Self {
        let text = self.written.as_deref().unwrap_or(&self.encoded).replace(URL, link);
        let (encoded, encoding) = encoding::body(&text);
        Self { encoded, encoding, written: None }
    }

    fn filled(&self, code: &str) -> String {
        self.encoded.replace(CODE, code)
    }
}

fn text(octets: &[u8]) -> Result<String, Flaw> {
    if octets.len() > LONGEST {
        return Err(Flaw::TooLong);
    }
    let Ok(text) = std::str::from_utf8(octets) else { return Err(Flaw::NotText) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Flaw::ControlCharacter);
    }
    Ok(text)
}

/// The names in braces. Braces with anything but letters, `-` and `_` between them, as in a style sheet, are no
/// placeholder.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_');
    let between = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    between.map(|(name, _)| name).filter(move |name| !name.is_empty() && name.chars().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Result<Plain, Flaw> {
        Plain::parse(text.as_bytes(), Gap::Code)
    }

    fn html(text: &str) -> Result<Piece, Flaw> {
        Piece::parse_html(text.as_bytes(), Gap::Code)
    }

    #[test]
    fn a_text_has_its_subject_on_its_first_line() {
        let parsed = plain("\u{feff}Subject: {code} es tu código\r\n\r\nHola,\r\n{code}\r\n").unwrap();
        assert_eq!(parsed.spoken_subject, "{code} es tu código");
        assert_eq!(parsed.text.encoded, "Hola,\r\n{code}\r\n");
        let long = format!("Subject: {{code}}{}\n\n{{code}}\n", "x".repeat(150));
        for text in ["", "{code}", "Subject:{code}\n\n{code}", "Subject: \n\n{code}", "Subject: {code}\n{code}", &long]
        {
            assert_eq!(plain(text).err(), Some(Flaw::NoSubject), "{text:?}");
        }
        assert_eq!(plain("Subject: {code}\n\n \n").err(), Some(Flaw::Empty));
    }

    #[test]
    fn a_code_stands_once_in_each_piece_and_alone() {
        let not_once = |piece, times| Some(Flaw::CodeNotOnce { piece, times });
        assert_eq!(plain("Subject: code\n\n{code}").err(), not_once("subject", 0));
        assert_eq!(plain("Subject: {code}\n\n{code} {code}").err(), not_once("text", 2));
        assert_eq!(html("<p></p>").err(), not_once("HTML", 0));
        assert_eq!(plain("Subject: código:{code}\n\n{code}").err(), Some(Flaw::CodeNotAlone("subject")));
        assert_eq!(plain("Subject: {code}\n\n{code}0").err(), Some(Flaw::CodeNotAlone("text")));
        assert_eq!(html("ó{code}").err(), Some(Flaw::CodeNotAlone("HTML")), "the 3 of =C3=B3 would touch it");
        assert!(html("ó {code}").is_ok());
    }

    #[test]
    fn nothing_else_looks_like_a_code() {
        let looks_like_one = |piece| Some(Flaw::LooksLikeACode(piece));
        assert_eq!(html("<p style='color: #333333'>{code}</p>").err(), looks_like_one("HTML"));
        assert_eq!(plain("Subject: {code} 123456\n\n{code}").err(), looks_like_one("subject"));
        let hidden = "Subject: \u{3774}\u{3774}\n\ntext";
        assert_eq!(Plain::parse(hidden.as_bytes(), Gap::Nothing).err(), looks_like_one("subject"), "even in base64");
    }

    #[test]
    fn a_placeholder_that_stands_for_nothing_is_refused() {
        let unknown = |name: &str| Some(Flaw::UnknownPlaceholder(name.to_owned()));
        assert_eq!(html("{code} {name}").err(), unknown("name"));
        assert_eq!(Piece::parse_html(b"{code}", Gap::Nothing).err(), unknown("code"), "a notice carries none");
        assert!(html("<style>p { color: red } a{b:c}</style>{code} {} {").is_ok());
        assert_eq!(
            unknown("name").unwrap().to_string(),
            "{name} stands for nothing here: there is only {code}, in mails that carry one, and {url} in invitations"
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(Piece::parse_html(b"{code}\xff", Gap::Code).err(), Some(Flaw::NotText));
        assert_eq!(html("{code}\0").err(), Some(Flaw::ControlCharacter));
        assert_eq!(html("{code}\rx").err(), Some(Flaw::ControlCharacter));
        assert_eq!(html(&format!("{{code}}{}", "x".repeat(LONGEST))).err(), Some(Flaw::TooLong));
    }

    #[test]
    fn a_link_stands_in_text_and_html_and_never_in_the_subject() {
        let html = |text: &str| Piece::parse_html(text.as_bytes(), Gap::Link);
        let plain = |text: &str| Plain::parse(text.as_bytes(), Gap::Link);
        assert_eq!(html("<p></p>").err(), Some(Flaw::LinkMisplaced));
        assert_eq!(plain("Subject: x\n\ntext").err(), Some(Flaw::LinkMisplaced));
        assert_eq!(plain("Subject: {url}\n\n{url}").err(), Some(Flaw::LinkMisplaced));
        let long = format!("https://example.org/?a=b&c={}", "d".repeat(480));
        let filled = plain("Subject: x\n\nÁbrelo: {url}\n").unwrap().text.with_link(&long).encoded;
        assert!(filled.lines().all(|line| line.len() <= 76), "{filled}");
        assert!(filled.replace("=\r\n", "").contains("https://example.org/?a=3Db&c=3Dddd"), "{filled}");
        assert!(html("<a href=\"{url}\">{url}</a>").is_ok(), "in HTML it may stand more than once");
    }
}
