//! Where the database is and how it is reached.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use auth_domain::Timeouts;
use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config, Host, SslMode};

/// How long a connection is quiet before the kernel asks whether the other side is still there.
const QUIET_FOR: Duration = Duration::from_secs(10);
/// How long the kernel waits for an acknowledgement before it takes the connection for dead.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(3);

/// Where the database is: `postgres://user:password@host:port/name?sslmode=…&sslrootcert=…`.
///
/// `sslmode` is `disable`, `prefer` (the default), `require` or `verify-full`, as PostgreSQL's own tools understand them;
/// `sslrootcert` names a PEM file with the authorities to trust under `verify-full`, instead of the public ones.
/// Everything else of the URL is read as
/// [tokio-postgres](https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html) does.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Config,
    tls: TlsMode,
}

/// Whether and how a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Never.
    Disable,
    /// If the server offers it; whoever it is.
    Prefer,
    /// Always; whoever the server is.
    Require,
    /// Always, with a server that proves that it is the host in the URL.
    VerifyFull {
        /// The authorities to trust; `None` for the public ones.
        authorities: Option<PathBuf>,
    },
}

/// What is wrong with a URL. The URL itself is never quoted: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is no URL for PostgreSQL.
    #[error("not a URL such as postgres://user:password@host:5432/name")]
    Malformed,
    /// A parameter that means nothing here.
    #[error("{0}")]
    Parameter(String),
    /// An `sslmode` that we do not know.
    #[error("unknown sslmode, expected disable, prefer, require or verify-full")]
    SslMode,
    /// Authorities, but nobody to be checked against them.
    #[error("sslrootcert takes sslmode=verify-full")]
    RootWithoutVerification,
}

impl PostgresUrl {
    /// Whether the server is reached over a network without proving who it is: whoever stands in between could read and change
    /// everything.
    pub fn trusts_the_network(&self) -> bool {
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        // If there are addresses, they are what is connected to, whatever the hosts are called.
        let addresses = self.config.get_hostaddrs();
        let is_near = match addresses {
            [] => self.config.get_hosts().iter().all(is_here),
            addresses => addresses.iter().all(|address| address.to_canonical().is_loopback()),
        };
        !is_near && !matches!(self.tls, TlsMode::VerifyFull { .. })
    }

    pub(crate) fn tls(&self) -> &TlsMode {
        &self.tls
    }

    /// What to connect with, for a connection whose statements may take as long as `statements_within` and are planned with
    /// these settings.
    pub(crate) fn config(&self, timeouts: Timeouts, statements_within: Option<Duration>, planning: &str) -> Config {
        let mut config = self.config.clone();
        config.connect_timeout(timeouts.connecting());
        let mut options = vec![config.get_options().unwrap_or_default().to_owned()];
        options.push("-c client_min_messages=warning".to_owned());
        // What is decided after a lock was waited for is decided on what was committed until then, whatever this server or
        // this role has as its default.
        options.push("-c default_transaction_isolation=read\\ committed".to_owned());
        if let Some(limit) = statements_within {
            let millis = limit.as_millis();
            options.push(format!(
                "-c statement_timeout={millis} -c lock_timeout={millis} -c idle_in_transaction_session_timeout={}",
                timeouts.idle_in_transaction().as_millis()
            ));
        }
        options.push(planning.to_owned());
        config.options(options.join(" ").trim());
        config
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(InvalidUrl::Malformed);
        }
        let (server, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = || percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "sslmode" => mode = Some(value()),
                "sslrootcert" => authorities = Some(PathBuf::from(value())),
                _ => rest.push(parameter),
            }
        }
        let tls = match (mode.as_deref(), authorities) {
            (Some("verify-full"), authorities) => TlsMode::VerifyFull { authorities },
            (_, Some(_)) => return Err(InvalidUrl::RootWithoutVerification),
            (Some("disable"), None) => TlsMode::Disable,
            (None | Some("prefer"), None) => TlsMode::Prefer,
            (Some("require"), None) => TlsMode::Require,
            (Some(_), None) => return Err(InvalidUrl::SslMode),
        };
        let url = format!("{server}?{}", rest.join("&"));
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // It names the parameter that it does not know, and quotes nothing else.
            match std::error::Error::source(&error).map(ToString::to_string) {
                Some(reason) if reason.starts_with("unknown option") => InvalidUrl::Parameter(reason),
                _ => InvalidUrl::Malformed,
            }
        })?;
        config
            .ssl_mode(match tls {
                TlsMode::Disable => SslMode::Disable,
                TlsMode::Prefer => SslMode::Prefer,
                TlsMode::Require | TlsMode::VerifyFull { .. } => SslMode::Require,
            })
            .keepalives(true)
            .keepalives_idle(QUIET_FOR)
            .keepalives_interval(ACKNOWLEDGED_WITHIN)
            .keepalives_retries(2)
            .tcp_user_timeout(ACKNOWLEDGED_WITHIN);
        if config.get_application_name().is_none() {
            config.application_name("auth");
        }
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        Ok(Self { config, tls })
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Host, port and database; never user or password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => write!(f, "{host}:{port}")?,
            #[cfg(unix)]
            Some(Host::Unix(folder)) => write!(f, "{}:{port}", folder.display())?,
            None => f.write_str("localhost")?,
        }
        write!(f, "/{}", self.config.get_dbname().or(self.config.get_user()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(query: &str) -> Result<TlsMode, InvalidUrl> {
        format!("postgres://auth:hunter2@db.example.org:5433/auth{query}").parse::<PostgresUrl>().map(|url| url.tls)
    }

    #[test]
    fn the_modes_of_encryption_are_postgresqls_own() {
        assert_eq!(tls(""), Ok(TlsMode::Prefer));
        assert_eq!(tls("?sslmode=disable"), Ok(TlsMode::Disable));
        assert_eq!(tls("?sslmode=require&connect_timeout=1"), Ok(TlsMode::Require));
        assert_eq!(tls("?sslmode=verify-full"), Ok(TlsMode::VerifyFull { authorities: None }));
        let own = TlsMode::VerifyFull { authorities: Some("/etc/ca.pem".into()) };
        assert_eq!(tls("?sslrootcert=/etc/ca.pem&sslmode=verify-full"), Ok(own));
        assert_eq!(tls("?sslmode=verify-ca"), Err(InvalidUrl::SslMode));
        assert_eq!(tls("?sslmode=require&sslrootcert=/etc/ca.pem"), Err(InvalidUrl::RootWithoutVerification));
    }

    #[test]
    fn whoever_stands_in_between_is_trusted_on_a_network_without_verification() {
        for (url, trusted) in [
            ("postgres://auth@db.example.org/auth", true),
            ("postgres://auth@10.0.0.7/auth?sslmode=disable", true),
            ("postgres://auth@db.example.org/auth?sslmode=require", true),
            ("postgres://auth@localhost,db.example.org/auth", true),
            ("postgres://auth@localhost/auth?hostaddr=10.0.0.7", true),
            ("postgres://auth@db.example.org/auth?sslmode=verify-full", false),
            ("postgres://auth@db.example.org/auth?hostaddr=127.0.0.1", false),
            ("postgres://auth@localhost/auth", false),
            ("postgres://auth@127.0.0.1:5433/auth?sslmode=disable", false),
            ("postgres://auth@[::1]/auth", false),
            ("postgres:///auth?host=/run/postgresql", false),
        ] {
            assert_eq!(url.parse::<PostgresUrl>().unwrap().trusts_the_network(), trusted, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_quoting_the_password() {
        for bad in ["postgres://auth:hunter2@db:99999/x", "mysql://auth:hunter2@db/x", "auth:hunter2@db", ""] {
            assert_eq!(bad.parse::<PostgresUrl>().unwrap_err(), InvalidUrl::Malformed, "{bad}");
        }
        let told = tls("?colour=blue").unwrap_err().to_string();
        assert_eq!(told, "unknown option `colour`");
    }

    #[test]
    fn a_printed_url_shows_neither_user_nor_password() {
        let url: PostgresUrl = "postgres://admin:hunter2@db.example.org:5433/auth".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "db.example.org:5433/auth db.example.org:5433/auth");
        let socket: PostgresUrl = "postgres:///auth?host=/run/postgresql".parse().unwrap();
        assert_eq!(socket.to_string(), "/run/postgresql:5432/auth");
    }
}
