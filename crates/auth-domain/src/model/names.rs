use crate::InvalidInput;

/// The handle other users know somebody by: 1 to 32 ASCII letters, digits, `.`, `_`, `-`; unique without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias(String);

impl Alias {
    /// The alias in `text`, or [`InvalidInput::Alias`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::Alias)
        }
    }

    /// The alias as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What aliases are compared by.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// What a person calls themselves: 1 to 128 characters, of which one at least can be seen. No control characters, and none that turn the
/// direction of writing: these would rearrange what is shown beside the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// The name in `text`, or [`InvalidInput::FullName`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        if is_name(text, 128) { Self::from_stored(text) } else { Err(InvalidInput::FullName) }
    }

    /// The name that was written down earlier, whatever names may be now; or [`InvalidInput::FullName`] for a control character or a wrong
    /// length.
    pub fn from_stored(text: &str) -> Result<Self, InvalidInput> {
        if has_length(text, 128) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::FullName) }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is a name of at most `max` characters.
pub(super) fn is_name(text: &str, max: usize) -> bool {
    has_length(text, max) && !text.chars().any(turns_direction) && !text.chars().all(is_invisible)
}

/// The same by the rule for names that are stored: no control character, and 1 to `max` characters.
pub(super) fn has_length(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Unicode's `Bidi_Control`.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// White space, Unicode's `Default_Ignorable_Code_Point`, and the pattern of Braille without dots.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_something_to_see_and_turns_no_direction() {
        for good in ["Ada", "أدا", "\u{5e2}\u{5d3}\u{5d4}", "A\u{200d}B", "नेहा\u{200c}", "👩\u{200d}💻", "\u{feff}Ada"]
        {
            assert_eq!(FullName::parse(good).unwrap().as_str(), good);
        }
        for bad in
            [" ", "\u{200b}", "\u{2800}\u{3164} \u{200d}", "\u{202e}adA", "Ada\u{2066}", "\u{200f}Ada", "\u{e0041}"]
        {
            assert_eq!(FullName::parse(bad), Err(InvalidInput::FullName), "{bad:?}");
            assert_eq!(FullName::from_stored(bad).unwrap().as_str(), bad);
        }
        assert_eq!(FullName::from_stored("a\nb"), Err(InvalidInput::FullName));
    }

    #[test]
    fn an_alias_is_up_to_32_letters_digits_dots_underscores_and_dashes() {
        for good in ["a", "Ada", "ada.lovelace_1815-1852", &"x".repeat(32)] {
            assert_eq!(Alias::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "ada!", "äda", "a\n", "a/b", &"x".repeat(33)] {
            assert_eq!(Alias::parse(bad), Err(InvalidInput::Alias), "{bad:?}");
        }
    }

    #[test]
    fn aliases_that_differ_in_case_have_one_key() {
        assert_eq!(Alias::parse("ADA").unwrap().key(), Alias::parse("ada").unwrap().key());
    }

    #[test]
    fn a_full_name_is_counted_in_characters_not_octets() {
        assert!(FullName::parse(&"ü".repeat(128)).is_ok());
        assert!(FullName::parse(&"ü".repeat(129)).is_err());
    }

    #[test]
    fn a_full_name_has_no_control_characters() {
        for bad in ["", "Ada\r\nBcc: x", "Ada\0", "A\u{7f}", "A\u{85}"] {
            assert_eq!(FullName::parse(bad), Err(InvalidInput::FullName), "{bad:?}");
        }
    }
}
