use std::io::{self, Write};

use auth_domain::{KeyId, KeyInUse, KeyRole};
use serde::Serialize;

use crate::admin::people::write_table;

const COLUMNS: [&str; 6] = ["KEY", "ROLE", "SESSIONS", "KEY PAIRS", "CODES", "MAILS"];

/// A table.
pub(super) fn for_people(keys: &[KeyInUse], out: &mut impl Write) -> io::Result<()> {
    let row = |key: &KeyInUse| {
        let hanging = key.hanging;
        let counts = [hanging.sessions, hanging.key_pairs, hanging.codes, hanging.mails];
        let [sessions, key_pairs, codes, mails] = counts.map(|count| count.to_string());
        [key.id.to_string(), named(key.role).to_owned(), sessions, key_pairs, codes, mails]
    };
    write_table(out, COLUMNS, keys.iter().map(row))
}

#[derive(Serialize)]
struct Document {
    keys: Vec<Listed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(rename = "keyID")]
    key_id: String,
    role: &'static str,
    sessions: u64,
    key_pairs: u64,
    codes: u64,
    mails: u64,
}

/// The same as JSON, in one line.
pub(super) fn for_programs(keys: &[KeyInUse], out: &mut impl Write) -> io::Result<()> {
    let listed = |key: &KeyInUse| Listed {
        key_id: key.id.to_string(),
        role: named(key.role),
        sessions: key.hanging.sessions,
        key_pairs: key.hanging.key_pairs,
        codes: key.hanging.codes,
        mails: key.hanging.mails,
    };
    serde_json::to_writer(&mut *out, &Document { keys: keys.iter().map(listed).collect() })?;
    writeln!(out)
}

fn named(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Signs => "signs",
        KeyRole::Verifies => "verifies",
        KeyRole::Gone => "gone",
    }
}

/// What an operator does whose keys are configured.
pub(super) fn how_to_rotate(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "The server keys are configured, so they are rotated where AUTH__SECRETS__KEY is set, in two steps:\n\
         1. Append a new key (auth-http secrets generate prints one) behind the others, for every process, and restart\n   \
         the processes one after the other.\n\
         2. Move it to the front, for every process, and restart them again. From then on it signs.\n\
         Nobody is signed out. Older keys verify until they are removed: auth-http secrets list shows what hangs on them."
    )
}

/// The same for removing one.
pub(super) fn how_to_remove(id: KeyId, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "The server keys are configured, so {id} is removed where AUTH__SECRETS__KEY is set, for every process, whereupon\n\
         they are restarted one after the other. The keys there are in the order of auth-http secrets list."
    )
}
