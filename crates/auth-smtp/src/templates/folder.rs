use std::{
    fs::{self, DirEntry, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use auth_domain::Language;

use super::{
    Template, Templates, Translation, names,
    template::{Flaw, LONGEST, Piece, Plain},
};

/// Why the templates in a folder cannot be used. Each names the file or folder.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTemplates {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Something that is neither hidden nor the folder of a language, or a second one for the same.
    #[error("{} is no folder called after a language such as en or pt-br, or the second one for it", .0.display())]
    NotALanguage(PathBuf),
    /// Something that is neither hidden nor called after a mail.
    #[error("{} is not called after a mail, as sign-in-code.txt is", .0.display())]
    NotATemplate(PathBuf),
    /// A language that is not built in lacks it.
    #[error("{} is missing: a language that is not built in takes every mail, as .txt and as .html", .0.display())]
    Missing(PathBuf),
    /// Its content will not do.
    #[error("{}: {flaw}", path.display())]
    Flawed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: Flaw,
    },
}

pub(super) fn read(mut templates: Templates, folder: &Path) -> Result<Templates, InvalidTemplates> {
    let mut read = Vec::new();
    for entry in entries(folder)? {
        let path = entry.path();
        let language = entry.file_name().to_str().and_then(Language::parse);
        let Some(language) = language.filter(|language| path.is_dir() && !read.contains(language)) else {
            return Err(InvalidTemplates::NotALanguage(path));
        };
        let built_in = templates.0.remove(&language).unwrap_or_default();
        templates.0.insert(language.clone(), translation(built_in, &path)?);
        read.push(language);
    }
    Ok(templates)
}

fn translation(mut built_in: Translation, folder: &Path) -> Result<Translation, InvalidTemplates> {
    let is_template = |entry: &DirEntry| {
        names().any(|(name, _)| ["txt", "html"].iter().any(|end| entry.file_name() == *format!("{name}.{end}")))
    };
    if let Some(stranger) = entries(folder)?.iter().find(|entry| !is_template(entry)) {
        return Err(InvalidTemplates::NotATemplate(stranger.path()));
    }
    let mut translation = Translation::new();
    for (name, gap) in names() {
        let (text, html) = (folder.join(format!("{name}.txt")), folder.join(format!("{name}.html")));
        let (mut plain, mut piece) = built_in.remove(name).map(|Template { plain, html }| (plain, html)).unzip();
        if let Some(octets) = contents(&text)? {
            plain = Some(Plain::parse(&octets, gap).map_err(flawed(&text))?);
        }
        if let Some(octets) = contents(&html)? {
            piece = Some(Piece::parse_html(&octets, gap).map_err(flawed(&html))?);
        }
        let plain = plain.ok_or(InvalidTemplates::Missing(text))?;
        let html = piece.ok_or(InvalidTemplates::Missing(html))?;
        translation.insert(name, Template { plain, html });
    }
    Ok(translation)
}

fn flawed(path: &Path) -> impl FnOnce(Flaw) -> InvalidTemplates {
    let path = path.to_owned();
    move |flaw| InvalidTemplates::Flawed { path, flaw }
}

/// What is in the folder and not hidden, in the order of its names.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, InvalidTemplates> {
    let unreadable = |source| InvalidTemplates::Unreadable { path: folder.to_owned(), source };
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// The octets of a file, no more than tell that it is too long; `None` if there is no such file.
fn contents(path: &Path) -> Result<Option<Vec<u8>>, InvalidTemplates> {
    let mut octets = Vec::new();
    let enough = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    match File::open(path).and_then(|file| file.take(enough).read_to_end(&mut octets)) {
        Ok(_length) => Ok(Some(octets)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(InvalidTemplates::Unreadable { path: path.to_owned(), source }),
    }
}
