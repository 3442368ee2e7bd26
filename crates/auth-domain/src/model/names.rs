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

/// What a person calls themselves: 1 to 128 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// The name in `text`, or [`InvalidInput::FullName`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        if (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::FullName)
        }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
