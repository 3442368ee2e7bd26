use std::fmt;

use crate::InvalidInput;

/// The page that an invitation links to: where the invited person signs in.
///
/// An `https://` or `http://` URL of at most 512 printable ASCII characters that can stand in a mail as it is: it needs no
/// escaping in HTML, and has no six digits in a row, which could be taken for a code.
#[derive(Clone, PartialEq, Eq)]
pub struct PortalUrl(String);

impl PortalUrl {
    /// The URL in `text`, or [`InvalidInput::PortalUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let has_host = host.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '['));
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"'<>`\\{}|^".contains(&b);
        let looks_like_a_code = text.as_bytes().windows(6).any(|run| run.iter().all(u8::is_ascii_digit));
        if text.len() <= 512 && has_host && text.bytes().all(plain) && !looks_like_a_code {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInput::PortalUrl)
        }
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// It may carry an invitation's own token.
impl fmt::Debug for PortalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortalUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_is_a_plain_web_page() {
        for good in ["https://app.example.org", "http://localhost:3000/sign-in?from=mail&x=1", "https://[::1]:8443/#a"]
        {
            assert_eq!(PortalUrl::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://example.org/{}", "a".repeat(500));
        for bad in [
            "",
            "example.org",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https://example.org/\" onclick=x",
            "https://example.org/<b>",
            "https://example.org/ x",
            "https://example.org/\r\nBcc: x",
            "https://exämple.org",
            "https://example.org/123456",
            &long,
        ] {
            assert_eq!(PortalUrl::parse(bad), Err(InvalidInput::PortalUrl), "{bad:?}");
        }
    }
}
