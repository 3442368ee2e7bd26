//! E-mail addresses, names, pages to invite people to, languages.

use actix_web::{
    http::{
        Uri,
        header::{ACCEPT_LANGUAGE, HeaderValue},
    },
    test::TestRequest,
};
use auth_domain::{Alias, EmailAddress, FullName, GroupName, KeyName, Language, PortalUrl, RoleName};

/// An address is kept as it was written, can stand in the head of a mail, and has one key, by which it is found again.
pub(crate) fn addresses(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(address) = EmailAddress::parse(&text) else { return };
    assert_eq!(address.as_str(), text);
    let (local, domain) = text.split_once('@').unwrap();
    assert!(!domain.contains('@'), "{text:?}");
    assert!(!text.contains(|c: char| c.is_control() || c.is_whitespace() || "<>()[]\\,;:\"".contains(c)), "{text:?}");
    let key = address.key();
    let (folded, hosts) = key.as_str().split_once('@').unwrap();
    assert_eq!(folded.is_ascii(), local.is_ascii(), "it passes for another one: {text:?}");
    assert!(hosts.is_ascii() && local.len() + 1 + hosts.len() <= 254, "{text:?}");
    // Folding can make an address longer than one may be.
    if let Ok(folded) = EmailAddress::from_stored(key.as_str()) {
        assert_eq!(folded.key(), key, "the key's key is another one: {text:?}");
    }
    let loud = EmailAddress::parse(&text.to_ascii_uppercase()).unwrap();
    assert_eq!(loud.key(), key, "{text:?}");
}

/// A name is kept as it was written, and has nothing in it that it may not have.
pub(crate) fn names(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(alias) = Alias::parse(&text) {
        assert_eq!(alias.as_str(), text);
        assert_eq!(Alias::parse(&alias.key()).unwrap().key(), alias.key());
        assert!(alias.key().bytes().all(|octet| octet.is_ascii_graphic() && !b"/,%?#&=\"".contains(&octet)));
    }
    if let Ok(role) = RoleName::parse(&text) {
        assert_eq!(role.as_str(), text);
        // Several stand in one header, with commas between.
        assert!(text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b','));
    }
    assert_eq!(RoleName::parse(&text).is_ok(), GroupName::parse(&text).is_ok());
    for name in [
        FullName::parse(&text).map(|name| name.as_str().to_owned()),
        KeyName::parse(&text).map(|name| name.as_str().to_owned()),
    ] {
        assert!(
            name.is_err() || (name == Ok(text.to_string()) && !text.is_empty() && !text.contains(char::is_control))
        );
    }
    if let Ok(portal) = PortalUrl::parse(&text) {
        assert_eq!(portal.as_str(), text);
        assert!(text.len() <= 512 && text.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"'<>".contains(&octet)));
        // Whoever else reads it finds the same host in it.
        let uri: Uri = text.split('#').next().unwrap().parse().unwrap();
        let authority = uri.authority().unwrap();
        assert!(matches!(uri.scheme_str(), Some("http" | "https")) && !authority.as_str().contains('@'), "{text:?}");
        assert!(text.split_once("://").unwrap().1.starts_with(authority.as_str()), "{text:?}");
    }
}

/// Whatever is asked for, the language is one that is on offer.
pub(crate) fn languages(input: &[u8]) {
    let offered = ["en", "es", "pt-br"].map(|tag| Language::parse(tag).unwrap());
    if let Ok(value) = HeaderValue::from_bytes(input) {
        let request = TestRequest::get().insert_header((ACCEPT_LANGUAGE, value)).to_http_request();
        assert!(offered.contains(&auth_http::language(&request, &offered)));
    }
    let text = String::from_utf8_lossy(input);
    if let Some(tag) = Language::parse(&text) {
        assert_eq!(Language::parse(tag.as_str()), Some(tag.clone()));
        assert_eq!(Language::parse(tag.primary().as_str()), Some(tag.primary()));
        assert!(
            tag.as_str().bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-')
        );
        let primary = tag.primary();
        let request = TestRequest::get().insert_header((ACCEPT_LANGUAGE, primary.as_str())).to_http_request();
        let expected = if offered.contains(&primary) { primary } else { Language::default() };
        assert_eq!(auth_http::language(&request, &offered), expected);
    }
}
