use std::{fmt, net::Ipv6Addr};

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
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let has_host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).is_some_and(is_authority);
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

/// Whether this is a host and perhaps a port. A user before the host is refused: `https://app.example.org@evil.example`
/// leads somewhere else than a reader thinks.
fn is_authority(text: &str) -> bool {
    let is_port = |after: &str| after.is_empty() || after.strip_prefix(':').is_some_and(|n| n.parse::<u16>().is_ok());
    if let Some((address, after)) = text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok() && is_port(after);
    }
    let (host, after) = text.split_at(text.find(':').unwrap_or(text.len()));
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    host.split('.').all(is_label) && is_port(after)
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
            "https://example.org:80@evil.example/",
            "https://ada@example.org",
            "https://a..b",
            "https://example.org:port",
            "https://example.org:70000",
            "https://[",
            "https://[::g]/",
            &long,
        ] {
            assert_eq!(PortalUrl::parse(bad), Err(InvalidInput::PortalUrl), "{bad:?}");
        }
    }
}
