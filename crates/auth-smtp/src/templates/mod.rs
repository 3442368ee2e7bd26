//! The texts of the mails: built-in ones, and those of a folder in their place or besides.

mod built_in;
mod encoding;
mod folder;
mod template;

use std::{collections::BTreeMap, path::Path};

use auth_domain::{CodeMail, INVITATION, Language, Mail, MailContent, Notice};

pub use folder::InvalidTemplates;
pub use template::Flaw;
pub(crate) use template::Piece;
use template::{Gap, Plain};

/// Stands for the code in a template. As long as a code, so that lines break where they did when they were checked.
const CODE: &str = "{code}";
/// Stands for the page that an invitation links to.
const URL: &str = "{url}";

/// What every mail says, in every language there is.
///
/// English and Spanish are built in. A folder can replace single files of these and add languages. In it, as in
/// `templates/` of this crate, each language has a folder called after its tag, and each mail two files: `<name>.txt`,
/// whose first line is `Subject: …` and whose second is empty, and `<name>.html`. The names are those of
/// [`CodeMail::as_str`] and [`Notice::as_str`], and `invitation`.
///
/// `{code}` stands exactly once in the subject, the text and the HTML of a mail that carries a code, and in no other;
/// `{url}` in the text and the HTML of the invitation. All of that is checked when the templates are read, and so is that no other six digits stand in a row, even once the text is
/// encoded for its travel: a mail cannot turn out wrong when it is sent.
#[derive(Debug, Clone)]
pub struct Templates(BTreeMap<Language, Translation>);

/// The mails in one language, by name.
type Translation = BTreeMap<&'static str, Template>;

/// One mail.
#[derive(Debug, Clone)]
struct Template {
    plain: Plain,
    html: Piece,
}

/// What a mail says. Not printable even for debugging: it may hold a code.
pub(crate) struct Text {
    /// The subject as it is read.
    pub(crate) spoken_subject: String,
    /// The subject as it stands in the header.
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) plain: Piece,
    /// The same in HTML.
    pub(crate) html: Piece,
}

impl Default for Templates {
    /// The built-in ones.
    fn default() -> Self {
        Self::built_in()
    }
}

impl Templates {
    /// The templates that are compiled in: English and Spanish.
    pub fn built_in() -> Self {
        built_in::read()
    }

    /// These templates with those in `folder` in their place or besides.
    ///
    /// # Errors
    /// [`InvalidTemplates`] when the folder cannot be read, when something in it is no template or a flawed one, and when
    /// a language that is not built in lacks a file. It names the file.
    pub fn overridden_by(self, folder: &Path) -> Result<Self, InvalidTemplates> {
        folder::read(self, folder)
    }

    /// The languages there are.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.0.keys()
    }

    /// What `mail` says, in its language or else in English. `None` if no template has the name of its content.
    pub(crate) fn text_of(&self, mail: &Mail) -> Option<Text> {
        let wanted = [mail.language.clone(), mail.language.primary(), Language::default()];
        let translation = wanted.iter().find_map(|language| self.0.get(language))?;
        Some(translation.get(mail.content.template())?.with(&mail.content))
    }
}

impl Template {
    fn with(&self, content: &MailContent) -> Text {
        let Plain { spoken_subject, subject, text } = &self.plain;
        let (spoken_subject, subject) = (spoken_subject.clone(), subject.encoded.clone());
        match content {
            MailContent::Code(_, code) => Text {
                spoken_subject: spoken_subject.replace(CODE, code.expose()),
                subject: subject.replace(CODE, code.expose()),
                plain: text.with_code(code),
                html: self.html.with_code(code),
            },
            MailContent::Notice(_) => Text { spoken_subject, subject, plain: text.clone(), html: self.html.clone() },
            MailContent::Invitation(portal) => Text {
                spoken_subject,
                subject,
                plain: text.with_link(portal.as_str()),
                // In HTML, `&` is the one character of a portal's that means something.
                html: self.html.with_link(&portal.as_str().replace('&', "&amp;")),
            },
        }
    }
}

/// The name of every mail, and what is filled in.
fn names() -> impl Iterator<Item = (&'static str, Gap)> {
    let codes = CodeMail::ALL.map(|mail| (mail.as_str(), Gap::Code));
    let notices = Notice::ALL.map(|notice| (notice.as_str(), Gap::Nothing));
    codes.into_iter().chain(notices).chain([(INVITATION, Gap::Link)])
}
