use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::names::is_invisible;
use crate::InvalidInput;

/// The longest address with its domain in ASCII, in bytes (RFC 5321 §4.5.3.1.3, less the two angle brackets).
const MAX_ADDRESS: usize = 254;
/// No spelling of an address is longer, in bytes: a character takes four at most, and becomes one in ASCII at least.
const MAX_SPELLING: usize = 4 * MAX_ADDRESS;
/// The longest part before the `@`, in octets (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;

/// A valid e-mail address, as its owner wrote it. Mail goes to its [`mailbox`](Self::mailbox).
///
/// The local part is a dot-atom (RFC 5322 §3.2.3), letters of any script included (RFC 6531); the domain is a host
/// name, international ones in either form included (UTS #46). Quoted local parts and address literals are refused: nobody signs in with
/// them, and mailers disagree on them.
///
/// Two addresses are one account when their [`AddressKey`]s are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// What addresses are compared by: the local part in one Unicode form (NFC) and one case, the domain as hosts are called in ASCII.
///
/// `bücher.example` and `xn--bcher-kva.example` are one domain, `straße.example` and `strasse.example` two, as registries have it.
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
        // Its length comes first: no more is mapped than could be an address.
        let address = Self::from_stored(text)?;
        let (local, domain) = parts(text).ok_or(InvalidInput::EmailAddress)?;
        let domain = ascii_domain(domain).ok_or(InvalidInput::EmailAddress)?;
        let fits = local.len() + 1 + domain.len() <= MAX_ADDRESS;
        let passes_for_another = !local.is_ascii() && folded(local).is_ascii();
        if fits && !passes_for_another { Ok(address) } else { Err(InvalidInput::EmailAddress) }
    }

    /// The address that was written down earlier, whatever look-alikes and domains were refused by then.
    ///
    /// # Errors
    /// [`InvalidInput`] when it cannot stand in the head of a mail.
    pub fn from_stored(text: &str) -> Result<Self, InvalidInput> {
        if is_address(text) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::EmailAddress) }
    }

    /// The address as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where its mail goes: the domain in ASCII, so that no relay takes it for another one than it is compared by.
    pub fn mailbox(&self) -> String {
        match parts(&self.0) {
            Some((local, domain)) if !domain.is_ascii() => {
                format!("{local}@{}", ascii_domain(domain).as_deref().unwrap_or(domain))
            }
            _ => self.0.clone(),
        }
    }

    /// What this address is compared by.
    pub fn key(&self) -> AddressKey {
        let (local, domain) = parts(&self.0).unwrap_or((&self.0, ""));
        let domain = ascii_domain(domain).unwrap_or_else(|| domain.to_lowercase());
        AddressKey(format!("{}@{domain}", folded(local)))
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

/// What stands before and behind the `@`.
fn parts(text: &str) -> Option<(&str, &str)> {
    text.split_once('@')
}

fn is_address(text: &str) -> bool {
    text.len() <= MAX_SPELLING
        && parts(text).is_some_and(|(local, domain)| is_local_part(local) && !domain.is_empty() && is_harmless(domain))
}

fn is_local_part(local: &str) -> bool {
    local.len() <= MAX_LOCAL_PART
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_international(c)
}

/// Nothing in it ends a line, an address or a comment in the head of a mail.
fn is_harmless(domain: &str) -> bool {
    let is_special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-' && c != '.';
    !domain.contains(|c: char| c.is_control() || c.is_whitespace() || is_special(c))
}

/// One Unicode form and one case.
fn folded(local: &str) -> String {
    let folded: String = local
        .nfc()
        .flat_map(char::to_lowercase)
        // The one Greek letter with two lower-case shapes.
        .map(|c| if c == 'ς' { 'σ' } else { c })
        .collect();
    folded.nfc().collect()
}

/// What hosts of a domain are called in ASCII, in lower case (UTS #46, non-transitional); `None` for what is no domain. The lengths of
/// RFC 1035 §2.3.4 hold in this form.
fn ascii_domain(domain: &str) -> Option<String> {
    // Mapped to nothing, they would make a spelling that looks like another one.
    if domain.chars().any(|c| is_invisible(c) && !is_joiner(c)) {
        return None;
    }
    let uts46 = Uts46::new();
    let ascii =
        uts46.to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify).ok()?;
    let top_level_is_a_name = ascii.rsplit('.').next().is_some_and(|label| !label.bytes().all(|b| b.is_ascii_digit()));
    top_level_is_a_name.then(|| ascii.into_owned())
}

/// Those that some scripts need between letters: UTS #46 knows between which.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
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
            "ada@xn--a.example",
            "ada@exa\u{ad}mple.org",
            "ada@exam\u{200b}ple.org",
            "ada@exam\u{200d}ple.org",
            "ada@xn--\u{fc}.example",
            "ada@b\u{2e}\u{2e}c.example",
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
    fn a_domain_is_one_in_both_of_its_forms_and_however_wide_its_letters_are() {
        for (spelled, ascii) in [
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER.Example", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("\u{ff45}x\u{ff41}mple.org", "example.org"),
            ("example\u{3002}org", "example.org"),
            ("\u{212a}yoto.example", "kyoto.example"),
            ("col\u{b7}legi.example", "xn--collegi-xma.example"),
            ("\u{646}\u{627}\u{645}\u{647}\u{200c}\u{627}\u{6cc}.example", "xn--mgba3gch31f060k.example"),
            ("r3---sn.example", "r3---sn.example"),
        ] {
            assert_eq!(key(&format!("ada@{spelled}")), format!("ada@{ascii}"), "{spelled}");
            assert_eq!(key(&format!("ada@{ascii}")), format!("ada@{ascii}"), "{ascii}");
        }
        assert_ne!(key("ada@stra\u{df}e.example"), key("ada@strasse.example"));
    }

    #[test]
    fn mail_goes_where_the_address_is_compared_by() {
        for (spelled, mailbox) in [
            ("Ada@Example.org", "Ada@Example.org"),
            ("Ada@b\u{fc}cher.example", "Ada@xn--bcher-kva.example"),
            ("\u{e4}da@\u{ff45}xample.org", "\u{e4}da@example.org"),
        ] {
            assert_eq!(EmailAddress::parse(spelled).unwrap().mailbox(), mailbox);
        }
    }

    #[test]
    fn what_was_no_domain_by_todays_tables_is_read_where_it_was_stored() {
        for stored in ["x@xn--a.example", "x@1\u{5d0}\u{5d1}.example", "x@a_b.example"] {
            let is_read = EmailAddress::from_stored(stored).is_ok_and(|address| address.as_str() == stored);
            assert_eq!((is_read, EmailAddress::parse(stored).is_err()), (!stored.contains('_'), true), "{stored}");
        }
        for damaged in ["x@", "x@a b", "x@a\r\nBcc: y", "x@a@b", "x@<a>", "x@a,b"] {
            assert!(EmailAddress::from_stored(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn lengths_count_in_ascii() {
        // Three bytes a letter as it is written, and one in ASCII.
        let wide = |letters| "\u{ff41}".repeat(letters);
        assert!(EmailAddress::parse(&format!("ada@{}.example", wide(63))).is_ok());
        assert!(EmailAddress::parse(&format!("ada@{}.example", wide(64))).is_err());
        let labels = |letters| [wide(62), wide(62), wide(62), wide(letters)].join(".");
        let address = |letters| format!("{}@{}", "a".repeat(62), labels(letters));
        assert!(EmailAddress::parse(&address(2)).is_ok());
        assert!(EmailAddress::parse(&address(3)).is_err());
        assert!(EmailAddress::from_stored(&format!("a@{}", "b".repeat(1015))).is_err(), "no spelling is so long");
    }

    #[test]
    fn what_passes_for_an_ascii_address_is_refused_now_and_read_where_it_was_stored() {
        for (text, passes_for) in
            [("\u{212a}ate@example.org", "kate@example.org"), ("jac\u{212a}@example.org", "jack@example.org")]
        {
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
