use std::fmt;

/// A language that mails are written in: a BCP 47 tag (RFC 5646) such as `en` or `pt-br`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

impl Language {
    /// The language tagged `tag`, or `None` when that is no tag: up to 35 ASCII letters and digits in groups of one to
    /// eight with a `-` between, of which the first has letters only.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut groups = tag.split('-');
        let letters = |group: &str| group.bytes().all(|b| b.is_ascii_alphabetic());
        let sound = |group: &str| (1..=8).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_alphanumeric());
        let first_is_letters = groups.next().is_some_and(|first| letters(first) && sound(first));
        (tag.len() <= 35 && first_is_letters && groups.all(sound)).then(|| Self(tag.to_ascii_lowercase()))
    }

    /// The tag, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without script, region or variant: `pt` for `pt-br`.
    #[must_use]
    pub fn primary(&self) -> Self {
        Self(self.0.split('-').next().unwrap_or_default().to_owned())
    }
}

impl Default for Language {
    /// English: what those get who ask for nothing else.
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_groups_of_letters_and_digits_and_case_does_not_matter() {
        for (tag, expected) in [("en", "en"), ("pt-BR", "pt-br"), ("zh-Hant-TW", "zh-hant-tw"), ("es-419", "es-419")] {
            assert_eq!(Language::parse(tag).unwrap().as_str(), expected);
        }
        for bad in ["", "*", "1", "e n", "en-", "-en", "en_US", "abcdefghi", "../../etc", "en\n", "é", &"a-".repeat(20)]
        {
            assert_eq!(Language::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_primary_language_has_no_region() {
        assert_eq!(Language::parse("pt-BR").unwrap().primary().as_str(), "pt");
        assert_eq!(Language::default().primary(), Language::default());
    }
}
