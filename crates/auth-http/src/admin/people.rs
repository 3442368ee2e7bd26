use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use auth_domain::{Account, KeyPair, Session, Timestamp};
use comfy_table::{Table, presets::NOTHING};

use super::errand::Outcome;

/// How many characters of a user agent are shown: most begin with what tells them apart.
const USER_AGENT_AT_MOST: usize = 40;
/// The first second that RFC 3339 has no year for.
const YEAR_10000: u64 = 253_402_300_800;
/// Characters that turn the direction of what stands around them: nobody can put one beside a column of ours.
const DIRECTIONS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Tells people what came of it: a table for a list, a sentence for a change.
pub(super) fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    match outcome {
        Outcome::Created(user) => writeln!(out, "user {user} made: they can sign in with their address"),
        Outcome::Granted(user, role) => writeln!(out, "role {role} given to user {user}"),
        Outcome::Revoked(user, role) => writeln!(out, "role {role} taken from user {user}"),
        Outcome::Disabled(user) => writeln!(out, "user {user} disabled: their sessions and key pairs have ended"),
        Outcome::Enabled(user) => writeln!(out, "user {user} enabled"),
        Outcome::SessionsRevoked(user, 1) => writeln!(out, "1 session of user {user} closed"),
        Outcome::SessionsRevoked(user, closed) => writeln!(out, "{closed} sessions of user {user} closed"),
        Outcome::Unlocked(true) => {
            writeln!(out, "unlocked: what was guessed wrong at the address's codes is forgotten")
        }
        Outcome::Unlocked(false) => writeln!(out, "nothing was guessed wrong at the address's codes: it is not locked"),
        Outcome::Accounts(accounts) => write_table(out, ACCOUNTS, accounts.iter().map(account)),
        Outcome::Sessions(sessions) => write_table(out, SESSIONS, sessions.iter().map(session)),
        Outcome::KeyPairs(key_pairs) => write_table(out, KEY_PAIRS, key_pairs.iter().map(key_pair)),
    }
}

const ACCOUNTS: [&str; 7] = ["USER ID", "ALIAS", "FULL NAME", "PREFERRED ADDRESS", "ROLES", "ENABLED", "VERIFIED"];

fn account(Account { user, emails }: &Account) -> [String; 7] {
    let preferred = emails.iter().find(|email| email.preferred).map(|email| email.address.as_str());
    [
        user.id.to_string(),
        user.alias.as_str().to_owned(),
        on_one_line(user.full_name.as_str()),
        preferred.map(on_one_line).unwrap_or_default(),
        user.roles.join(","),
        yes_or_no(user.enabled),
        yes_or_no(user.verified),
    ]
}

const SESSIONS: [&str; 7] = ["SESSION ID", "IP", "USER AGENT", "CREATED", "LAST USED", "EXPIRES", "VERIFIED"];

fn session(session: &Session) -> [String; 7] {
    [
        session.id.to_string(),
        session.client.ip.to_string(),
        on_one_line(&shortened(&session.client.user_agent, USER_AGENT_AT_MOST)),
        in_utc(session.created_at),
        session.last_used_at.map_or_else(|| "never".to_owned(), in_utc),
        in_utc(session.expires_at),
        yes_or_no(session.is_verified()),
    ]
}

const KEY_PAIRS: [&str; 7] = ["KEY ID", "NAME", "API KEY", "ROLES", "CREATED", "EXPIRES", "VERIFIED"];

fn key_pair(key_pair: &KeyPair) -> [String; 7] {
    [
        key_pair.id.to_string(),
        on_one_line(key_pair.name.as_str()),
        key_pair.api_key.as_str().to_owned(),
        // No role is called that: all that its owner has.
        key_pair.roles.as_ref().map_or_else(|| "*".to_owned(), |roles| roles.join(",")),
        in_utc(key_pair.created_at),
        in_utc(key_pair.expires_at),
        yes_or_no(key_pair.verified),
    ]
}

pub(crate) fn write_table<const COLUMNS: usize>(
    out: &mut impl Write,
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `text` without what a terminal would obey rather than show: it was written by strangers.
fn on_one_line(text: &str) -> String {
    let obeyed = |c: char| c.is_control() || DIRECTIONS.contains(&c) || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn shortened(text: &str, at_most: usize) -> String {
    match text.char_indices().nth(at_most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(at_most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// As RFC 3339 writes it, to the second. What it cannot write stays a number of seconds.
fn in_utc(at: Timestamp) -> String {
    let seconds = at.unix_seconds();
    match u64::try_from(seconds) {
        Ok(since) if since < YEAR_10000 => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(since)).to_string()
        }
        Ok(_) | Err(_) => seconds.to_string(),
    }
}

fn yes_or_no(is_so: bool) -> String {
    (if is_so { "yes" } else { "no" }).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_what_it_shows_and_nothing_trails() {
        let mut out = Vec::new();
        let rows = [["用户", "x"], ["ada", ""]].map(|row| row.map(str::to_owned));
        write_table(&mut out, ["NAME", "B"], rows.into_iter()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME  B\n用户  x\nada\n");
    }

    #[test]
    fn nothing_that_a_stranger_wrote_steers_the_terminal() {
        assert_eq!(on_one_line("a\u{1b}[2Jb\nc\u{202e}d"), "a�[2Jb�c�d");
        assert_eq!(on_one_line("Δοκιμή, O'Hara"), "Δοκιμή, O'Hara");
    }

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(shortened("curl/8", 6), "curl/8");
        assert_eq!(shortened("curl/8.5", 6), "curl/…");
    }

    #[test]
    fn moments_are_in_utc_and_those_without_a_year_are_numbers() {
        for (seconds, expected) in [
            (1_795_478_400, "2026-11-24T00:00:00Z"),
            (0, "1970-01-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "253402300800"),
            (-1, "-1"),
        ] {
            assert_eq!(in_utc(Timestamp::from_unix_millis(seconds * 1000)), expected);
        }
    }
}
