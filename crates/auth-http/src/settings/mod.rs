//! Defaults, then a file, then the environment: what each setting is and what makes one impossible.
//!
//! Everything is parsed before anything is started, and what is wrong is said in one line that names the setting.

mod places;
mod secret_text;
mod shapes;
mod tls_files;

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv6Addr, SocketAddr},
    num::NonZero,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use auth_domain::{
    GroupName, ImpossibleLifetimes, InvalidInput, Lifetimes, Limits, Policy, RoleName, ServerKeys, SessionKind,
    SessionKinds,
};
use auth_postgres::PoolOptions;
use config::{Config, ConfigBuilder, ConfigError, Environment, File, FileFormat, builder::DefaultState};
use humantime::format_duration;
use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    ForwardedHeader,
    key_file::parse_keys,
    logging::Format,
    traces::{InvalidCollector, Telemetry},
};
pub use places::{Database, MailPlace, UnknownPlace};
pub use secret_text::SecretText;
use shapes::{Often, Span, SpanOrOff};
pub use tls_files::TlsFiles;

const DEFAULTS: &str = include_str!("defaults.toml");
/// What `database.timeout` may be. Less is too little for its parts; with more, answers could not be paced any more, and the lease of a
/// mail could end while it is handed over.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(3);

/// All settings, valid.
#[derive(Debug)]
pub struct Settings {
    /// The HTTP side.
    pub http: Http,
    /// Where everything is kept.
    pub database: Database,
    /// How many connections a database server is asked for, and how long a call waits for one.
    pub pool: PoolOptions,
    /// Where mails go.
    pub mail_place: MailPlace,
    /// Who mails come from.
    pub mail_from: String,
    /// How many mails are handed over at once.
    pub mail_senders: NonZero<u16>,
    /// The folder of templates, if there is one.
    pub mail_templates: Option<PathBuf>,
    /// The server keys, if they are configured rather than kept beside the database.
    pub server_keys: Option<ServerKeys>,
    /// What the operator decides about sign-up, sessions and limits.
    pub policy: Policy,
    /// How long a network stays known from which the owner of an address has signed in: remembered whether limits are on or
    /// not.
    pub networks_known_for: Duration,
    /// How many credentials are remembered; `None` when none is.
    pub remembered: Option<NonZero<u32>>,
    /// How long the audit log is kept.
    pub events_kept: Duration,
    /// Logging.
    pub log: Log,
    /// Where spans are sent, if anywhere.
    pub telemetry: Option<Telemetry>,
}

/// The HTTP side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where the service listens.
    pub bind: SocketAddr,
    /// How many connections there are at once, at most.
    pub connections: NonZero<u32>,
    /// The proxies that are believed.
    #[serde(deserialize_with = "shapes::list")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header they write.
    pub forwarded_header: ForwardedHeader,
    /// The web origins whose scripts may call the API.
    #[serde(deserialize_with = "shapes::list")]
    pub cors_origins: Vec<String>,
    /// The certificate that clients are shown, if any.
    pub tls: TlsFiles,
}

/// Logging.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How lines look.
    pub format: Format,
    /// Which lines there are.
    pub filter: String,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that cannot be read, an unknown setting, a value of the wrong type.
    #[error("the settings cannot be used")]
    Unreadable(#[source] ConfigError),
    /// A file that is no TOML. It is not quoted, since the line may hold a password.
    #[error("the settings cannot be used: {place}{}", .file.as_ref().map(|file| format!(" of {file}")).unwrap_or_default())]
    NotToml {
        /// What it is and where, such as `TOML parse error at line 1, column 5`.
        place: String,
        /// The file.
        file: Option<String>,
    },
    /// `database.url` or `mail.url` names nothing we know.
    #[error("setting {setting}")]
    UnknownPlace {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        source: UnknownPlace,
    },
    /// `database.timeout` is shorter or longer than it may be.
    #[error(
        "setting database.timeout: {} is not between {} and {}",
        format_duration(*.0), format_duration(*TIMEOUTS.start()), format_duration(*TIMEOUTS.end())
    )]
    BadTimeout(Duration),
    /// `secrets.key` is no list of keys.
    #[error("setting secrets.key: {0}")]
    BadKey(String),
    /// A kind of session with a name or lifetimes that make no sense.
    #[error("setting sessions.kinds: {0}")]
    BadKind(String),
    /// An origin that a browser would never send.
    #[error("setting http.cors_origins: {0:?} is no origin such as https://app.example.org")]
    BadOrigin(String),
    /// A certificate without its key, or a key without its certificate.
    #[error("settings http.tls.cert and http.tls.key: only one of them is set")]
    HalfOfTls,
    /// Spans cannot be sent there.
    #[error("setting telemetry.otlp")]
    BadCollector(#[from] InvalidCollector),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    http: Http,
    database: RawDatabase,
    mail: RawMail,
    secrets: RawSecrets,
    registration: RawRegistration,
    sessions: RawSessions,
    limits: RawLimits,
    cache: RawCache,
    security: RawSecurity,
    audit: RawAudit,
    log: Log,
    telemetry: RawTelemetry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    url: SecretText,
    pool_size: NonZero<u16>,
    pool_wait: Span,
    timeout: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMail {
    url: SecretText,
    from: String,
    senders: NonZero<u16>,
    templates: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    key: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistration {
    open: bool,
    #[serde(deserialize_with = "shapes::list")]
    roles: Vec<Parsed<RoleName>>,
    #[serde(deserialize_with = "shapes::list")]
    groups: Vec<Parsed<GroupName>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSessions {
    kinds: BTreeMap<String, RawLifetimes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLifetimes {
    lifetime: Span,
    maximum: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    enabled: bool,
    failures_per_day: NonZero<u32>,
    failures_in_a_row: NonZero<u32>,
    first_wait: Span,
    mails_per_address: Often,
    mails_per_network: Often,
    sign_ups_per_network: Often,
    requests_per_network: Often,
    networks_known_for: Span,
}

impl From<&RawLimits> for Limits {
    fn from(raw: &RawLimits) -> Self {
        Self {
            failures_per_day: raw.failures_per_day.get(),
            failures_in_a_row: raw.failures_in_a_row.get(),
            first_wait: raw.first_wait.0,
            mails_per_address: raw.mails_per_address.0,
            mails_per_network: raw.mails_per_network.0,
            sign_ups_per_network: raw.sign_ups_per_network.0,
            requests_per_network: raw.requests_per_network.0,
            networks_known_for: raw.networks_known_for.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCache {
    enabled: bool,
    credentials: NonZero<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecurity {
    fresh_for: SpanOrOff,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    keep: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTelemetry {
    otlp: SecretText,
    service_name: String,
}

impl Settings {
    /// Reads the built-in defaults, then `file` if there is one, then the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut sources = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            sources = sources.add_source(File::from(file).format(FileFormat::Toml));
        }
        Self::of(sources, environment())
    }

    /// The built-in defaults, overridden by the TOML in `text`, overridden by `variables` as if they were the environment.
    pub fn parse(text: &str, variables: HashMap<String, String>) -> Result<Self, SettingsError> {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let sources = defaults.add_source(File::from_str(text, FileFormat::Toml));
        Self::of(sources, environment().source(Some(variables)))
    }

    fn of(sources: ConfigBuilder<DefaultState>, environment: Environment) -> Result<Self, SettingsError> {
        Self::try_from(sources.add_source(environment).build()?.try_deserialize::<Raw>()?)
    }
}

impl From<ConfigError> for SettingsError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::FileParse { uri, cause } => {
                let place = cause.to_string().lines().next().unwrap_or_default().to_owned();
                Self::NotToml { place, file: uri }
            }
            other => Self::Unreadable(other),
        }
    }
}

fn environment() -> Environment {
    Environment::with_prefix("AUTH").prefix_separator("__").separator("__")
}

impl TryFrom<Raw> for Settings {
    type Error = SettingsError;

    fn try_from(raw: Raw) -> Result<Self, SettingsError> {
        let unknown_place = |setting| move |source| SettingsError::UnknownPlace { setting, source };
        let database = Database::parse(raw.database.url.expose()).map_err(unknown_place("database.url"))?;
        let pool = PoolOptions {
            size: raw.database.pool_size.get().into(),
            wait: raw.database.pool_wait.0,
            timeout: raw.database.timeout.0,
            ..PoolOptions::default()
        };
        if !TIMEOUTS.contains(&pool.timeout) {
            return Err(SettingsError::BadTimeout(pool.timeout));
        }
        let mail_place = MailPlace::parse(raw.mail.url.expose()).map_err(unknown_place("mail.url"))?;
        let server_keys = match raw.secrets.key.expose().trim() {
            "" => None,
            keys => Some(parse_keys(keys).map_err(|wrong| SettingsError::BadKey(wrong.to_string()))?),
        };
        let policy = Policy {
            registration_open: raw.registration.open,
            session_kinds: session_kinds(raw.sessions.kinds)?,
            new_user_roles: raw.registration.roles.into_iter().map(|Parsed(role)| role).collect(),
            new_user_groups: raw.registration.groups.into_iter().map(|Parsed(group)| group).collect(),
            fresh_for: raw.security.fresh_for.0,
            limits: raw.limits.enabled.then(|| Limits::from(&raw.limits)),
        };
        if let Some(origin) = raw.http.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(SettingsError::BadOrigin(origin.clone()));
        }
        if raw.http.tls.are_half_named() {
            return Err(SettingsError::HalfOfTls);
        }
        let telemetry = match raw.telemetry.otlp.expose().trim() {
            "" => None,
            url => Some(Telemetry { collector: url.parse()?, service_name: raw.telemetry.service_name }),
        };
        Ok(Self {
            http: raw.http,
            database,
            pool,
            mail_place,
            mail_from: raw.mail.from,
            mail_senders: raw.mail.senders,
            mail_templates: Some(raw.mail.templates).filter(|folder| !folder.as_os_str().is_empty()),
            server_keys,
            policy,
            networks_known_for: raw.limits.networks_known_for.0,
            remembered: raw.cache.enabled.then_some(raw.cache.credentials),
            events_kept: raw.audit.keep.0,
            log: raw.log,
            telemetry,
        })
    }
}

fn session_kinds(raw: BTreeMap<String, RawLifetimes>) -> Result<SessionKinds, SettingsError> {
    let kinds = raw.into_iter().map(|(name, raw)| {
        let bad_name = |_| SettingsError::BadKind(format!("{name:?}: use 1 to 32 of a-z 0-9 - _"));
        let kind = SessionKind::parse(&name).map_err(bad_name)?;
        Ok((kind, Lifetimes { lifetime: raw.lifetime.0, maximum: raw.maximum.0 }))
    });
    let kinds: Vec<_> = kinds.collect::<Result<_, SettingsError>>()?;
    SessionKinds::new(kinds).map_err(|wrong: ImpossibleLifetimes| SettingsError::BadKind(wrong.to_string()))
}

/// A name of the domain's, parsed from a setting.
struct Parsed<T>(T);

impl FromStr for Parsed<RoleName> {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        RoleName::parse(text).map(Self)
    }
}

impl FromStr for Parsed<GroupName> {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        GroupName::parse(text).map(Self)
    }
}

/// Scheme, host and perhaps a port, as browsers write it (RFC 6454 §6.2): lower case, no path, no trailing slash, and no port
/// that the scheme implies. Anything else would be an origin that is never met.
fn is_origin(origin: &str) -> bool {
    let (implied, authority) = match origin.split_once("://") {
        Some(("https", authority)) => (443, authority),
        Some(("http", authority)) => (80, authority),
        _ => return false,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().map(Some)),
        _ => (authority, Ok(None)),
    };
    let is_name = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b));
    let is_ipv6 = || host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(is_ipv6);
    !host.is_empty() && (is_name || is_ipv6()) && port.is_ok_and(|port| port != Some(implied))
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_pool_are_the_usual_ones_unless_they_are_set() {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml)).build().unwrap();
        let raw: Raw = defaults.try_deserialize().unwrap();
        let settings = Settings::try_from(raw).unwrap();
        assert_eq!((settings.policy.limits, settings.pool), (Some(Limits::default()), PoolOptions::default()));
    }

    #[test]
    fn a_time_limit_that_no_answer_keeps_or_nobody_waits_for_is_refused() {
        for (timeout, told) in [
            ("499ms", Some("setting database.timeout: 499ms is not between 500ms and 3s")),
            ("500ms", None),
            ("3s", None),
            ("3001ms", Some("setting database.timeout: 3s 1ms is not between 500ms and 3s")),
        ] {
            let settings = Settings::parse(&format!("[database]\ntimeout = '{timeout}'\n"), HashMap::new());
            assert_eq!(settings.err().map(|wrong| wrong.to_string()).as_deref(), told, "{timeout}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_refused_by_its_place_and_not_quoted() {
        for file in [
            "[database]\nurl = 'postgres://auth:hunter2@db/auth\n",
            "[secrets]\nkey = hunter2\n",
            "[mail]\nurl = 'smtp://auth:hunter2@mail' # \u{1b}[2J\u{7}\nurl = 'smtp://auth:hunter2@mail'",
        ] {
            let told = crate::cli::told(&Settings::parse(file, HashMap::new()).unwrap_err());
            assert!(told.starts_with("the settings cannot be used: TOML parse error at line "), "{told:?}");
            assert!(!told.contains("hunter2") && !told.contains(char::is_control), "{told:?}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        for origin in [
            "https://app.example.org",
            "http://127.0.0.1:3000",
            "https://[2001:db8::9]:8443",
            "http://[::1]",
            "http://a",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "null",
            "*",
            "https://",
            "https://*.example.org",
            "https://App.example.org",
            "https://app.example.org/",
            "https://app.example.org/x",
            "https://app.example.org:443",
            "http://app.example.org:80",
            "https://app.example.org:",
            "https://app.example.org:many",
            "https://ada@app.example.org",
            "https://[::0001]",
            "HTTPS://app.example.org",
            "ftp://app.example.org",
            "app.example.org",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
