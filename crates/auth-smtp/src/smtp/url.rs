use std::{fmt, net::Ipv6Addr, path::PathBuf, str::FromStr};

use lettre::transport::smtp::authentication::Credentials;
use percent_encoding::percent_decode_str;

/// Where mail clients hand in mail (RFC 6409 §3.1).
const SUBMISSION: u16 = 587;
/// The same, encrypted from the first octet (RFC 8314 §7.3).
const SUBMISSIONS: u16 = 465;
/// Where a mail server on the same machine or network listens.
const RELAY: u16 = 25;

/// Where the mail server is and how it is reached: `smtp://user:password@host:port?tls=…&ca=…`, or `smtps://…`.
///
/// | written | encrypted | port, if none is given |
/// |---|---|---|
/// | `smtps://` | from the first octet | 465 |
/// | `smtp://`, or with `?tls=required` | after STARTTLS, or else no mail is sent | 587 |
/// | `?tls=opportunistic` | after STARTTLS, where the server offers it; whoever the server is | 587 |
/// | `?tls=none` | never | 25 |
///
/// Under the first two the server must prove that it is the host in the URL, to the public authorities or, with
/// `ca=FILE`, to those in a PEM file. There is no way to switch that off: `opportunistic` does not check, since whoever
/// could pretend to be the server could as well hide the offer. User and password are percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
}

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Never.
    Never,
    /// After STARTTLS if the server offers it, whoever it is.
    IfOffered,
    /// After STARTTLS, and not a mail before.
    StartTls(Authorities),
    /// From the first octet.
    Implicit(Authorities),
}

/// Who vouches for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authorities {
    /// The public ones.
    Public,
    /// Those in this PEM file, and no others.
    File(PathBuf),
}

/// What is wrong with a URL. No part of it is ever quoted: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSmtpUrl {
    /// It is no URL for SMTP.
    #[error("not a URL such as smtp://user:password@host:587, user and password percent-encoded")]
    Malformed,
    /// A user without a password.
    #[error("a user takes a password, as in smtp://user:password@host")]
    NoPassword,
    /// A parameter that means nothing here.
    #[error("unknown parameter, expected tls or ca")]
    Parameter,
    /// A `tls` that we do not know.
    #[error("unknown tls, expected required, opportunistic or none")]
    Tls,
    /// Both `smtps` and `tls`.
    #[error("tls takes smtp://, since smtps:// is always encrypted")]
    TlsTwice,
    /// Authorities, but nobody to be checked against them.
    #[error("ca takes smtps:// or tls=required")]
    AuthoritiesWithoutVerification,
}

impl SmtpUrl {
    /// Whether user and password may travel in the clear.
    pub fn shows_password(&self) -> bool {
        self.credentials.is_some() && matches!(self.encryption, Encryption::Never | Encryption::IfOffered)
    }
}

impl FromStr for SmtpUrl {
    type Err = InvalidSmtpUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidSmtpUrl::Malformed)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, place) = match place.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, place),
        };
        // An @ here is one of a password with an unencoded question mark.
        if query.contains('@') {
            return Err(InvalidSmtpUrl::Malformed);
        }
        let (host, port) = host_and_port(place.strip_suffix('/').unwrap_or(place))?;
        let encryption = encryption(scheme, query)?;
        let port = port.unwrap_or(match encryption {
            Encryption::Never => RELAY,
            Encryption::IfOffered | Encryption::StartTls(_) => SUBMISSION,
            Encryption::Implicit(_) => SUBMISSIONS,
        });
        Ok(Self { host, port, encryption, credentials: login.map(credentials).transpose()? })
    }
}

fn credentials(login: &str) -> Result<Credentials, InvalidSmtpUrl> {
    let (user, password) = login.split_once(':').ok_or(InvalidSmtpUrl::NoPassword)?;
    let (user, password) = (decoded(user)?, decoded(password)?);
    if user.is_empty() || password.is_empty() {
        return Err(InvalidSmtpUrl::NoPassword);
    }
    Ok(Credentials::new(user, password))
}

fn decoded(text: &str) -> Result<String, InvalidSmtpUrl> {
    let Ok(decoded) = percent_decode_str(text).decode_utf8() else { return Err(InvalidSmtpUrl::Malformed) };
    if text.contains('/') || decoded.contains('\0') { Err(InvalidSmtpUrl::Malformed) } else { Ok(decoded.into_owned()) }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), InvalidSmtpUrl> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(InvalidSmtpUrl::Malformed)?;
        let Ok(host) = host.parse::<Ipv6Addr>() else { return Err(InvalidSmtpUrl::Malformed) };
        (host.to_string(), port)
    } else {
        let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(InvalidSmtpUrl::Malformed);
        }
        (host.to_owned(), port)
    };
    match port.strip_prefix(':').map(str::parse) {
        Some(Ok(port)) if port > 0 => Ok((host, Some(port))),
        None if port.is_empty() => Ok((host, None)),
        Some(_) | None => Err(InvalidSmtpUrl::Malformed),
    }
}

fn encryption(scheme: &str, query: &str) -> Result<Encryption, InvalidSmtpUrl> {
    let (mut tls, mut authorities) = (None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("tls", mode)) => tls = Some(mode),
            Some(("ca", "")) | None => return Err(InvalidSmtpUrl::Parameter),
            Some(("ca", file)) => authorities = Some(PathBuf::from(decoded_path(file)?)),
            Some(_) => return Err(InvalidSmtpUrl::Parameter),
        }
    }
    let checked = |authorities: Option<PathBuf>| authorities.map_or(Authorities::Public, Authorities::File);
    match (scheme, tls, authorities) {
        ("smtps", None, authorities) => Ok(Encryption::Implicit(checked(authorities))),
        ("smtps", Some(_), _) => Err(InvalidSmtpUrl::TlsTwice),
        ("smtp", None | Some("required"), authorities) => Ok(Encryption::StartTls(checked(authorities))),
        ("smtp", Some("opportunistic" | "none"), Some(_)) => Err(InvalidSmtpUrl::AuthoritiesWithoutVerification),
        ("smtp", Some("opportunistic"), None) => Ok(Encryption::IfOffered),
        ("smtp", Some("none"), None) => Ok(Encryption::Never),
        ("smtp", Some(_), _) => Err(InvalidSmtpUrl::Tls),
        (_, _, _) => Err(InvalidSmtpUrl::Malformed),
    }
}

fn decoded_path(text: &str) -> Result<String, InvalidSmtpUrl> {
    let Ok(decoded) = percent_decode_str(text).decode_utf8() else { return Err(InvalidSmtpUrl::Malformed) };
    Ok(decoded.into_owned())
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Host and port; never user or password.
impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SmtpUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_url_says_how_the_server_is_reached() {
        let own = || Authorities::File("/etc/mail/ca one.pem".into());
        for (text, host, port, encryption) in [
            ("smtp://mail.example.org", "mail.example.org", 587, Encryption::StartTls(Authorities::Public)),
            (
                "smtp://mail.example.org/?tls=required",
                "mail.example.org",
                587,
                Encryption::StartTls(Authorities::Public),
            ),
            ("smtp://10.0.0.1:2525?tls=opportunistic", "10.0.0.1", 2525, Encryption::IfOffered),
            ("smtp://localhost?tls=opportunistic", "localhost", 587, Encryption::IfOffered),
            ("smtp://localhost?tls=none", "localhost", 25, Encryption::Never),
            ("smtp://[::1]?tls=none", "::1", 25, Encryption::Never),
            ("smtps://[2001:db8::1]:4465", "2001:db8::1", 4465, Encryption::Implicit(Authorities::Public)),
            ("smtps://mail?ca=/etc/mail/ca%20one.pem", "mail", 465, Encryption::Implicit(own())),
            ("smtp://mail?ca=/etc/mail/ca%20one.pem&tls=required", "mail", 587, Encryption::StartTls(own())),
        ] {
            assert_eq!(url(text), SmtpUrl { host: host.to_owned(), port, encryption, credentials: None }, "{text}");
        }
    }

    #[test]
    fn user_and_password_are_percent_encoded() {
        for (text, user, password) in [
            ("smtps://ada:hunter2@mail", "ada", "hunter2"),
            ("smtps://ada%40example.org:p%3A%2Fss%3F%23%40%25@mail", "ada@example.org", "p:/ss?#@%"),
            ("smtps://ada@example.org:p:ss+@mail", "ada@example.org", "p:ss+"),
            ("smtps://usuario:contrase%C3%B1a@mail", "usuario", "contraseña"),
        ] {
            assert_eq!(url(text).credentials, Some(Credentials::new(user.to_owned(), password.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_nothing_of_the_url_is() {
        use InvalidSmtpUrl as Wrong;
        for (text, wrong) in [
            ("", Wrong::Malformed),
            ("smtp:mail", Wrong::Malformed),
            ("imap://ada:hunter2@mail", Wrong::Malformed),
            ("smtp://", Wrong::Malformed),
            ("smtp://ada:hunter2@", Wrong::Malformed),
            ("smtp://ada:hunter2@mail:", Wrong::Malformed),
            ("smtp://ada:hunter2@mail:0", Wrong::Malformed),
            ("smtp://ada:hunter2@mail:65536", Wrong::Malformed),
            ("smtp://ada:hunter2@mail:smtp", Wrong::Malformed),
            ("smtp://ada:hunter2@mail/folder", Wrong::Malformed),
            ("smtp://ada:hunter2@ma il", Wrong::Malformed),
            ("smtp://ada:hunter2@[::1", Wrong::Malformed),
            ("smtp://ada:hunter2@[mail]", Wrong::Malformed),
            ("smtp://ada:hun/ter2@mail", Wrong::Malformed),
            ("smtp://ada:hun?ter2@mail", Wrong::Malformed),
            ("smtp://ada:%ff@mail", Wrong::Malformed),
            ("smtp://ada@mail", Wrong::NoPassword),
            ("smtp://ada:@mail", Wrong::NoPassword),
            ("smtp://:hunter2@mail", Wrong::NoPassword),
            ("smtp://ada:hunter2@mail?hunter2=1", Wrong::Parameter),
            ("smtp://ada:hunter2@mail?verify=none", Wrong::Parameter),
            ("smtp://ada:hunter2@mail?ca=", Wrong::Parameter),
            ("smtp://ada:hunter2@mail?tls", Wrong::Parameter),
            ("smtp://ada:hunter2@mail?tls=hunter2", Wrong::Tls),
            ("smtps://ada:hunter2@mail?tls=none", Wrong::TlsTwice),
            ("smtp://ada:hunter2@mail?tls=none&ca=/ca.pem", Wrong::AuthoritiesWithoutVerification),
            ("smtp://ada:hunter2@mail?tls=opportunistic&ca=/ca.pem", Wrong::AuthoritiesWithoutVerification),
        ] {
            let refused = text.parse::<SmtpUrl>().unwrap_err();
            assert_eq!(refused, wrong, "{text}");
            assert!(!refused.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_printed_url_shows_neither_user_nor_password() {
        let printed = |text: &str| format!("{} {:?}", url(text), url(text));
        assert_eq!(printed("smtps://admin:hunter2@mail.example.org"), "mail.example.org:465 mail.example.org:465");
        assert_eq!(printed("smtp://admin:hunter2@[::1]"), "[::1]:587 [::1]:587");
    }

    #[test]
    fn it_is_known_when_a_password_may_travel_in_the_clear() {
        for (text, shown) in [
            ("smtps://ada:hunter2@mail", false),
            ("smtp://ada:hunter2@mail", false),
            ("smtp://ada:hunter2@mail?tls=opportunistic", true),
            ("smtp://ada:hunter2@mail?tls=none", true),
            ("smtp://mail?tls=none", false),
        ] {
            assert_eq!(url(text).shows_password(), shown, "{text}");
        }
    }
}
