use std::fmt;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::InvalidInput;

/// The longest address, in octets (RFC 5321 §4.5.3.1.3, less the two angle brackets).
const MAX_ADDRESS: usize = 254;
/// The longest part before the `@`, in octets (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;
/// The longest part of a domain between two dots, in octets (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A valid e-mail address, as its owner wrote it: mail goes to exactly this.
///
/// The local part is a dot-atom (RFC 5322 §3.2.3), letters of any script included (RFC 6531); the domain is a host
/// name, international ones included. Quoted local parts and address literals are refused: nobody signs in with
/// them, and mailers disagree on them.
///
/// Two addresses are one account when their [`AddressKey`]s are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// What addresses are compared by: one Unicode form (NFC) and one case.
///
/// Never a place to send mail to. A request names an address by its key; the mail goes to the address on record,
/// so that a look-alike which folds to the same key cannot have the code sent elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(String);

impl EmailAddress {
    /// The address in `text`, as somebody gives it now.
    ///
    /// # Errors
    /// [`InvalidInput`] when it is no address by the rules above, or passes for another one: U+212A, the sign for kelvins,
    /// folds to `k`, so who receives mail at an address with it would own the one with the letter.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let address = Self::from_stored(text)?;
        let passes_for_another = !text.is_ascii() && address.key().as_str().is_ascii();
        if passes_for_another { Err(InvalidInput::EmailAddress) } else { Ok(address) }
    }

    /// The address that was written down earlier, when look-alikes were not refused yet.
    ///
    /// # Errors
    /// [`InvalidInput`] when it is no address by the rules above.
    pub fn from_stored(text: &str) -> Result<Self, InvalidInput> {
        if is_address(text) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::EmailAddress) }
    }

    /// The address as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What this address is compared by.
    pub fn key(&self) -> AddressKey {
        let folded: String = self
            .0
            .nfc()
            .flat_map(char::to_lowercase)
            // The one Greek letter with two lower-case shapes.
            .map(|c| if c == 'ς' { 'σ' } else { c })
            .collect();
        AddressKey(folded.nfc().collect())
    }
}

impl AddressKey {
    /// The key that a store wrote down earlier.
    pub fn from_stored(key: String) -> Self {
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Addresses are personal data: printing one takes an explicit `as_str`.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressKey(…)")
    }
}

fn is_address(text: &str) -> bool {
    text.len() <= MAX_ADDRESS
        && text.split_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain))
}

fn is_local_part(local: &str) -> bool {
    local.len() <= MAX_LOCAL_PART
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
}

fn is_domain(domain: &str) -> bool {
    let top_level_is_a_name = domain.rsplit('.').next().is_some_and(|label| !label.bytes().all(|b| b.is_ascii_digit()));
    top_level_is_a_name && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_international(c))
}

/// Letters, digits and marks of other scripts; no spaces, symbols, controls or direction marks.
fn is_international(c: char) -> bool {
    !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        EmailAddress::parse(text).unwrap().key().as_str().to_owned()
    }

    #[test]
    fn valid_addresses_are_kept_as_written() {
        for text in [
            "ada@example.org",
            "Ada.Lovelace+tag@Example.ORG",
            "o'hara@xn--bcher-kva.example",
            "x@localhost",
            "a@1.example",
            "δοκιμή@παράδειγμα.example",
            "用户@例子.example",
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long_label = format!("a@{}.org", "b".repeat(64));
        let too_long = format!("{}@{}.org", "a".repeat(64), ["b".repeat(60), "c".repeat(60), "d".repeat(65)].join("."));
        for text in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.org",
            "a b@example.org",
            "ada@exa mple.org",
            "ada@@example.org",
            ".ada@example.org",
            "ada.@example.org",
            "a..b@example.org",
            "ada@.org",
            "ada@example.",
            "ada@-a.org",
            "ada@a-.org",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            "\"a b\"@example.org",
            "ada@example.org\r\nBcc: x@y.z",
            "ada\n@example.org",
            "ada@example.org\0",
            "<ada@example.org>",
            "ada@exa_mple.org",
            "ada@exam\u{202e}ple.org",
            "ada@example\u{3002}org",
            "a\u{200b}da@example.org",
            "ada,bob@example.org",
            &long_local,
            &long_label,
            &too_long,
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidInput::EmailAddress), "{text:?}");
        }
    }

    #[test]
    fn case_does_not_tell_addresses_apart() {
        assert_eq!(key("ADA@Example.Org"), key("ada@example.org"));
        assert_eq!(key("ΣΊΣΥΦΟΣ@example.org"), key("σίσυφος@example.org"));
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_address() {
        assert_eq!(key("caf\u{e9}@example.org"), key("cafe\u{301}@example.org"));
    }

    #[test]
    fn letters_that_only_look_alike_stay_two_addresses() {
        assert_ne!(key("аda@example.org"), key("ada@example.org"), "a Cyrillic letter is not a Latin one");
        assert_ne!(key("ı@example.org"), key("i@example.org"), "a dotless i is not an i");
    }

    #[test]
    fn what_passes_for_an_ascii_address_is_refused_now_and_read_where_it_was_stored() {
        for (text, passes_for) in [
            ("\u{212a}ate@example.org", "kate@example.org"),
            ("jac\u{212a}@example.org", "jack@example.org"),
            ("ada@\u{212a}yoto.example", "ada@kyoto.example"),
            ("ada@example.u\u{212a}", "ada@example.uk"),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(InvalidInput::EmailAddress), "{text}");
            let stored = EmailAddress::from_stored(text).unwrap();
            assert_eq!((stored.as_str(), stored.key()), (text, EmailAddress::parse(passes_for).unwrap().key()));
        }
        for text in ["k\u{e4}te@example.org", "\u{130}da@example.org", "KATE@EXAMPLE.ORG"] {
            assert_eq!(EmailAddress::parse(text), EmailAddress::from_stored(text), "{text}");
        }
        assert_eq!(EmailAddress::from_stored("ada"), Err(InvalidInput::EmailAddress));
    }

    #[test]
    fn printing_an_address_for_debugging_shows_nothing_of_it() {
        let address = EmailAddress::parse("ada@example.org").unwrap();
        assert!(!format!("{address:?} {:?}", address.key()).contains("ada"));
    }
}
