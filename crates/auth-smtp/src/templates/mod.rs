//! The texts of the mails: built-in ones, and those of a folder in their place or besides.

mod built_in;
mod encoding;
mod folder;
mod template;

use std::{collections::BTreeMap, path::Path};

use auth_domain::{CodeMail, Language, Mail, Notice, VerificationCode};

pub use folder::InvalidTemplates;
pub use template::Flaw;
pub(crate) use template::Piece;
use template::Plain;

/// Stands for the code in a template. As long as a code, so that lines break where they did when they were checked.
const CODE: &str = "{code}";

/// What every mail says, in every language there is.
///
/// English and Spanish are built in. A folder can replace single files of these and add languages. In it, as in
/// `templates/` of this crate, each language has a folder called after its tag, and each mail two files: `<name>.txt`,
/// whose first line is `Subject: …` and whose second is empty, and `<name>.html`. The names are those of
/// [`CodeMail::as_str`] and [`Notice::as_str`].
///
/// `{code}` stands exactly once in the subject, the text and the HTML of a mail that carries a code, and in no other. All
/// of that is checked when the templates are read, and so is that no other six digits stand in a row, even once the text is
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
        Some(translation.get(mail.content.template())?.with(mail.content.code()))
    }
}

impl Template {
    fn with(&self, code: Option<&VerificationCode>) -> Text {
        let code = code.map_or(CODE, VerificationCode::expose);
        let fill = |piece: &Piece| Piece { encoded: piece.filled(code), encoding: piece.encoding };
        Text {
            spoken_subject: self.plain.spoken_subject.replace(CODE, code),
            subject: self.plain.subject.filled(code),
            plain: fill(&self.plain.text),
            html: fill(&self.html),
        }
    }
}

/// The name of every mail, and whether it carries a code.
fn names() -> impl Iterator<Item = (&'static str, bool)> {
    let codes = CodeMail::ALL.map(|mail| (mail.as_str(), true));
    codes.into_iter().chain(Notice::ALL.map(|notice| (notice.as_str(), false)))
}
