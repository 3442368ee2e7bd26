use auth_domain::Language;

use super::{
    Template, Templates, Translation, names,
    template::{Flaw, Gap, Piece, Plain},
};

/// The files of one language: name, text, HTML.
type Files = [(&'static str, &'static str, &'static str); 11];

macro_rules! files {
    ($language:literal) => {
        files!($language: "sign-up-code" "sign-in-code" "email-code" "key-pair-code" "address-already-registered"
            "address-claimed-elsewhere" "address-added" "address-removed" "address-preferred" "address-locked" "invitation")
    };
    ($language:literal: $($name:literal)*) => {
        [$((
            $name,
            include_str!(concat!("../../templates/", $language, "/", $name, ".txt")),
            include_str!(concat!("../../templates/", $language, "/", $name, ".html")),
        )),*]
    };
}

const ALL: [(&str, Files); 2] = [("en", files!("en")), ("es", files!("es"))];

pub(super) fn read() -> Templates {
    let translations = ALL.iter().filter_map(|(tag, files)| Some((Language::parse(tag)?, translation(files))));
    Templates(translations.collect())
}

fn translation(files: &Files) -> Translation {
    let read = |(name, gap)| {
        let (_, text, html) = files.iter().find(|(found, ..)| *found == name)?;
        // They are compiled in, and a test reads every one of them.
        let template = template(text, html, gap).unwrap_or_else(|flaw| unreachable!("{name}: {flaw}"));
        Some((name, template))
    };
    names().filter_map(read).collect()
}

fn template(text: &str, html: &str, gap: Gap) -> Result<Template, Flaw> {
    Ok(Template { plain: Plain::parse(text.as_bytes(), gap)?, html: Piece::parse_html(html.as_bytes(), gap)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> impl Iterator<Item = (String, &'static str)> {
        let in_all = ALL.iter().flat_map(|(tag, files)| files.iter().map(move |file| (tag, file)));
        in_all.flat_map(|(tag, (name, text, html))| {
            [(format!("{tag}/{name}.txt"), *text), (format!("{tag}/{name}.html"), *html)]
        })
    }

    #[test]
    fn every_mail_has_a_sound_template_in_every_language() {
        for (tag, files) in &ALL {
            for (name, gap) in names() {
                let (_, text, html) = files.iter().find(|(found, ..)| *found == name).unwrap();
                assert_eq!(template(text, html, gap).err(), None, "{tag}/{name}");
            }
            assert_eq!(read().0.get(&Language::parse(tag).unwrap()).unwrap().len(), files.len(), "{tag}");
        }
        assert_eq!(read().0.len(), ALL.len());
    }

    #[test]
    fn html_says_which_language_it_is_in() {
        for (tag, files) in &ALL {
            for (name, _, html) in files {
                assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{tag}/{name}");
            }
        }
    }

    #[test]
    fn lines_are_short() {
        for (path, text) in files() {
            assert!(text.lines().all(|line| line.chars().count() <= 72), "{path}");
        }
    }

    #[test]
    fn there_is_nothing_that_a_link_scanner_could_follow_but_in_an_invitation() {
        for (path, text) in files().filter(|(path, _)| !path.contains("invitation")) {
            for link in ["://", "href", "src=", "url(", "www.", "<form", "<a ", "mailto:"] {
                assert!(!text.to_lowercase().contains(link), "{link} in {path}");
            }
        }
    }
}
