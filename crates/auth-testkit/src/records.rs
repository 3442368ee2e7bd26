//! One installation with everything in it: what a copy must carry.

use std::net::IpAddr;

use auth_domain::{
    Alias, ApiKey, Client, CodeHash, CodePurpose, Event, EventKind, EventOutcome, Failures, FullName, KeyId, KeyName,
    MailClass, Network, SessionKind, Standing, ThrottleKey, ThrottleKind, Timestamp, TokenDigest, User,
    archive::{
        AttemptOutcome, AttemptRecord, Batch, CodeRecord, EmailRecord, FailureRecord, KeyPairRecord,
        KnownNetworkRecord, MailRecord, MailState, SessionRecord, ThrottleRecord, UserRecord,
    },
};
use uuid::Uuid;

use crate::samples::address;

/// The server keys that [`everything`] hangs on.
pub fn key_ids() -> [KeyId; 2] {
    ["0badcafe", "00000001"].map(|id| id.parse().expect("a key id"))
}

/// A batch of every table: in each there is a record that has every field, and one that lacks what can be lacking. Moments
/// are in the order of their fields, a millisecond apart, from 2026-11-24 00:00:00.001 UTC.
pub fn everything() -> Vec<Batch> {
    vec![
        Batch::Users(users()),
        Batch::Emails(emails()),
        Batch::Sessions(sessions()),
        Batch::KeyPairs(key_pairs()),
        Batch::Codes(codes()),
        Batch::Outbox(outbox()),
        Batch::MailAttempts(mail_attempts()),
        Batch::KnownNetworks(known_networks()),
        Batch::Failures(failures()),
        Batch::Throttles(throttles()),
        Batch::Events(events()),
    ]
}

fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

fn after_midnight(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_478_400_000 + millis)
}

fn client(ip: &str, user_agent: &str) -> Client {
    Client { ip: ip.parse().expect("an address"), user_agent: user_agent.to_owned() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn users() -> Vec<UserRecord> {
    let user = |number, alias: &str, verified| User {
        id: id(number),
        alias: Alias::parse(alias).expect("an alias"),
        full_name: FullName::parse("Ada \"Countess\" O'Sample, é").expect("a name"),
        verified,
        enabled: verified,
        roles: names(if verified { &["admin", "us\\er, \"x\""] } else { &[] }),
        groups: names(&["public"]),
        created_at: after_midnight(1),
    };
    vec![
        UserRecord { user: user(0x11, "Ada", true), alias_key: "ada".to_owned(), standing: Standing::Account },
        UserRecord { user: user(0x12, "bob", false), alias_key: "bob".to_owned(), standing: Standing::Pending },
        UserRecord { user: user(0x13, "eve", false), alias_key: "eve".to_owned(), standing: Standing::Decoy },
    ]
}

fn emails() -> Vec<EmailRecord> {
    let email = |number, user, text, verified| EmailRecord {
        id: id(number),
        user_id: id(user),
        address: address(text),
        address_key: address(text).key(),
        verified,
        vouched: !verified,
        preferred: verified,
        created_at: after_midnight(1),
    };
    vec![email(0x21, 0x11, "Ada@Exämple.org", true), email(0x22, 0x12, "bob@example.org", false)]
}

fn sessions() -> Vec<SessionRecord> {
    let [newer, older] = key_ids();
    vec![
        SessionRecord {
            id: id(0x31),
            user_id: Some(id(0x11)),
            digest: TokenDigest::from_stored([0x31; 32]),
            key_id: newer,
            kind: SessionKind::standard(),
            verified_at: Some(after_midnight(1)),
            created_at: after_midnight(2),
            expires_at: after_midnight(3),
            last_used_at: Some(after_midnight(4)),
            client: client("192.0.2.7", "Sample/1.0 (é; \"quoted\")"),
        },
        SessionRecord {
            id: id(0x32),
            user_id: None,
            digest: TokenDigest::from_stored([0x32; 32]),
            key_id: older,
            kind: SessionKind::parse("kiosk").expect("a kind"),
            verified_at: None,
            created_at: after_midnight(2),
            expires_at: after_midnight(3),
            last_used_at: None,
            client: client("2001:db8::7", ""),
        },
    ]
}

fn key_pairs() -> Vec<KeyPairRecord> {
    let [newer, older] = key_ids();
    vec![
        KeyPairRecord {
            id: id(0x41),
            user_id: id(0x11),
            name: KeyName::parse("nightly, é").expect("a name"),
            api_key: ApiKey::from_stored("auk_41".to_owned()),
            digest: TokenDigest::from_stored([0x41; 32]),
            key_id: newer,
            roles: Some(names(&["admin"])),
            verified_at: Some(after_midnight(1)),
            created_at: after_midnight(2),
            expires_at: after_midnight(3),
            last_used_at: Some(after_midnight(4)),
        },
        KeyPairRecord {
            id: id(0x42),
            user_id: id(0x11),
            name: KeyName::parse("weekly").expect("a name"),
            api_key: ApiKey::from_stored("auk_42".to_owned()),
            digest: TokenDigest::from_stored([0x42; 32]),
            key_id: older,
            roles: None,
            verified_at: None,
            created_at: after_midnight(2),
            expires_at: after_midnight(3),
            last_used_at: None,
        },
    ]
}

fn codes() -> Vec<CodeRecord> {
    let [newer, older] = key_ids();
    let code = |number, purpose, ip| CodeRecord {
        id: id(number),
        purpose,
        session_id: None,
        key_pair_id: None,
        email_id: Some(id(0x21)),
        address_key: address("ada@exämple.org").key(),
        network: network(ip),
        hash: CodeHash::new([0x51; 32]),
        key_id: newer,
        created_at: after_midnight(1),
        expires_at: after_midnight(2),
        wrong_guesses: 3,
        ended: true,
    };
    vec![
        CodeRecord { session_id: Some(id(0x31)), ..code(0x51, CodePurpose::SignIn, "192.0.2.7") },
        CodeRecord { key_pair_id: Some(id(0x41)), ..code(0x52, CodePurpose::KeyPair, "2001:db8:7::7") },
        CodeRecord {
            email_id: None,
            key_id: older,
            wrong_guesses: 0,
            ended: false,
            ..code(0x53, CodePurpose::Email, "192.0.2.7")
        },
    ]
}

fn outbox() -> Vec<MailRecord> {
    let [newer, older] = key_ids();
    let mail = |number, class, state| MailRecord {
        id: id(number),
        class,
        code_id: None,
        key_id: newer,
        state,
        created_at: after_midnight(1),
        due_at: after_midnight(2),
        attempts: 2,
    };
    vec![
        MailRecord { code_id: Some(id(0x51)), ..mail(0x61, MailClass::Code, MailState::Owed(vec![0, 1, 0xff])) },
        MailRecord { key_id: older, ..mail(0x62, MailClass::Notice, MailState::Delivered(after_midnight(3))) },
        MailRecord { attempts: 0, ..mail(0x63, MailClass::Decoy, MailState::Abandoned(after_midnight(3))) },
    ]
}

fn mail_attempts() -> Vec<AttemptRecord> {
    let attempt = |mail, attempt, outcome, reply: &str| AttemptRecord {
        mail_id: id(mail),
        attempt,
        ended_at: after_midnight(1),
        outcome,
        reply: reply.to_owned(),
    };
    vec![
        attempt(0x61, 1, AttemptOutcome::Deferred, "451 \"later\", é"),
        attempt(0x61, 2, AttemptOutcome::Deferred, ""),
        attempt(0x62, 1, AttemptOutcome::Delivered, "250 ok"),
        attempt(0x63, 1, AttemptOutcome::Abandoned, "550 no"),
    ]
}

fn network(ip: &str) -> Network {
    Network::of(ip.parse().expect("an address"))
}

fn known_networks() -> Vec<KnownNetworkRecord> {
    let known =
        |ip| KnownNetworkRecord { email_id: id(0x21), network: network(ip), last_signed_in_at: after_midnight(1) };
    vec![known("192.0.2.7"), known("2001:db8:7::7")]
}

fn failures() -> Vec<FailureRecord> {
    let row = |network, told_at, owner_told_at| FailureRecord {
        address_key: address("ada@exämple.org").key(),
        network,
        failures: Failures {
            day_began_at: after_midnight(1),
            of_day: 3,
            in_a_row: 100,
            last_at: after_midnight(2),
            told_at,
            owner_told_at,
        },
    };
    vec![row(None, Some(after_midnight(3)), Some(after_midnight(4))), row(Some(network("2001:db8:7::7")), None, None)]
}

fn throttles() -> Vec<ThrottleRecord> {
    let row = |kind, address, network, told_at| ThrottleRecord {
        key: ThrottleKey { kind, address, network },
        full_at: after_midnight(1),
        told_at,
    };
    let ada = || Some(address("ada@exämple.org").key());
    vec![
        row(ThrottleKind::MailsFromNetwork, None, Some(network("192.0.2.7")), Some(after_midnight(2))),
        row(ThrottleKind::MailsToAddress, ada(), None, None),
        row(ThrottleKind::MailsToAddress, ada(), Some(network("2001:db8:7::7")), None),
        row(ThrottleKind::SignUps, None, Some(network("192.0.2.7")), None),
    ]
}

fn events() -> Vec<Event> {
    vec![
        Event {
            id: id(0x71),
            at: after_midnight(1),
            kind: EventKind::RoleGranted,
            outcome: EventOutcome::Success,
            actor: Some(id(0x11)),
            subject: Some(id(0x12)),
            credential: Some(id(0x31)),
            ip: Some(IpAddr::from([192, 0, 2, 7])),
            detail: "auditor".to_owned(),
        },
        Event {
            id: id(0x72),
            at: after_midnight(2),
            kind: EventKind::CodeFailed,
            outcome: EventOutcome::Failure,
            actor: None,
            subject: None,
            credential: None,
            ip: None,
            detail: String::new(),
        },
    ]
}
