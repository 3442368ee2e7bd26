//! What is read and written for a fact is what the store in memory reads and writes.

use std::{net::IpAddr, path::Path, sync::Arc};

use auth_domain::{
    AddressState, Alias, Change, Changes, CodePurpose, Fact, Facts, Failures, FullName, MailClass, Network, QueuedMail,
    RoleName, Scope, SealedMail, Standing, State, ThrottleKey, TokenDigest, User,
    archive::{
        ArchiveSource, Batch, CodeRecord, EmailRecord, FailureRecord, KnownNetworkRecord, Record, SessionRecord, Table,
        ThrottleRecord, UserRecord,
    },
};
use auth_sqlite::{SqliteArchive, SqliteStore};
use auth_testkit::{
    InMemoryStore,
    records::everything,
    samples::{Decided, address, at},
};
use uuid::Uuid;

fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

fn network(third: u8) -> Network {
    Network::of(IpAddr::from([192, 0, third, 7]))
}

/// Everything, as it is inserted, but for the mails.
fn inserted() -> Vec<Change> {
    fn each<R>(records: Vec<R>, change: fn(R) -> Change) -> Vec<Change> {
        records.into_iter().map(change).collect()
    }
    let of_table = |batch| match batch {
        Batch::Users(records) => each(records, Change::InsertUser),
        Batch::Emails(records) => each(records, Change::InsertEmail),
        Batch::Sessions(records) => each(records, Change::InsertSession),
        Batch::KeyPairs(records) => each(records, Change::InsertKeyPair),
        Batch::Codes(records) => each(records, Change::InsertCode),
        Batch::KnownNetworks(records) => each(records, Change::PutKnownNetwork),
        Batch::Failures(records) => each(records, Change::PutFailures),
        Batch::Throttles(records) => each(records, Change::PutThrottle),
        Batch::Events(records) => each(records, Change::RecordEvent),
        Batch::Outbox(_) | Batch::MailAttempts(_) => Vec::new(),
    };
    everything().into_iter().flat_map(of_table).collect()
}

/// The first record of each kind that is inserted above.
macro_rules! first {
    ($($name:ident: $table:ident($record:ty)),+ $(,)?) => {
        $(fn $name() -> $record {
            let found = everything().into_iter().find_map(|batch| match batch {
                Batch::$table(records) => records.into_iter().next(),
                _ => None,
            });
            found.unwrap()
        })+
    };
}

first! {
    ada: Users(UserRecord),
    email: Emails(EmailRecord),
    session: Sessions(SessionRecord),
    code: Codes(CodeRecord),
    failures: Failures(FailureRecord),
    throttle: Throttles(ThrottleRecord),
}

fn mail(number: u128, class: MailClass, code: Option<u128>) -> Change {
    let sealed = SealedMail { key_id: session().key_id, bytes: vec![0, 0xff] };
    Change::QueueMail(QueuedMail { id: id(number), class, code_id: code.map(id), sealed, created_at: at(1) })
}

/// Every kind of change, one fact after the other. The users are ada (0x11), bob (0x12) and eve (0x13).
fn history() -> Vec<Vec<Change>> {
    let (ada_id, bob_id) = (id(0x11), id(0x12));
    let bobs = address("bob@example.org");
    let bobs_code = CodeRecord { email_id: Some(id(0x22)), address_key: bobs.key(), ended: false, ..code() };
    let second = EmailRecord {
        id: id(0x23),
        address: bobs.clone(),
        address_key: bobs.key(),
        verified: false,
        preferred: false,
        created_at: at(0),
        ..email()
    };
    let known = |network, seconds| {
        let (email_id, last_signed_in_at) = (id(0x21), at(seconds));
        Change::PutKnownNetwork(KnownNetworkRecord { email_id, network, last_signed_in_at })
    };
    let session = |number, user, octet| SessionRecord {
        id: id(number),
        user_id: Some(user),
        digest: TokenDigest::from_stored([octet; 32]),
        verified_at: None,
        ..session()
    };
    let administrator = User {
        full_name: FullName::parse("Bob").unwrap(),
        roles: vec![RoleName::users_admin().to_string()],
        groups: Vec::new(),
        alias: Alias::parse("Robert").unwrap(),
        id: bob_id,
        ..ada().user
    };
    let administrator =
        UserRecord { alias_key: administrator.alias.key(), user: administrator, standing: Standing::Account };
    let forgiven = Failures { in_a_row: 0, told_at: None, ..failures().failures };
    let address_key = failures().address_key;
    let of_another = ThrottleKey { network: Some(network(3)), ..throttle().key };
    vec![
        inserted(),
        vec![
            mail(0x61, MailClass::Code, Some(0x51)),
            mail(0x62, MailClass::Notice, Some(0x51)),
            mail(0x63, MailClass::Code, Some(0x52)),
            mail(0x64, MailClass::Code, None),
            mail(0x65, MailClass::Decoy, None),
        ],
        vec![
            Change::InsertSession(session(0x33, bob_id, 0x33)),
            Change::InsertCode(CodeRecord { id: id(0x54), session_id: Some(id(0x33)), ..bobs_code.clone() }),
            mail(0x66, MailClass::Code, Some(0x54)),
            Change::InsertEmail(second),
            Change::InsertCode(CodeRecord {
                id: id(0x55),
                purpose: CodePurpose::Email,
                session_id: None,
                email_id: Some(id(0x23)),
                ..bobs_code
            }),
        ],
        vec![Change::CountWrongGuesses { id: id(0x54), wrong_guesses: 4 }, Change::EndCodesForEmail(id(0x23))],
        vec![Change::VerifySession { id: id(0x33), at: at(2) }],
        vec![Change::ExtendSession { id: id(0x33), user: bob_id, expires_at: at(3) }],
        vec![Change::VerifyKeyPair { id: id(0x42), at: at(2) }],
        vec![Change::UpdateEmail { id: id(0x22), verified: false, vouched: false }],
        vec![Change::UpdateEmail { id: id(0x23), verified: true, vouched: false }],
        vec![Change::PreferEmail { user: ada_id, id: id(0x23) }],
        vec![Change::CompleteRegistration(bob_id)],
        vec![Change::UpdateUser(administrator)],
        vec![known(network(2), 5), known(network(3), 6)],
        vec![Change::DeleteKnownNetwork { email: id(0x21), network: network(3) }],
        vec![Change::PutFailures(FailureRecord { failures: forgiven, ..failures() })],
        vec![Change::DeleteFailures { address: address_key.clone(), network: None }],
        vec![Change::DeleteFailures {
            address: address_key,
            network: Some(Network::of("2001:db8:7::7".parse().unwrap())),
        }],
        vec![
            Change::PutThrottle(ThrottleRecord { full_at: at(7), told_at: None, ..throttle() }),
            Change::PutThrottle(ThrottleRecord { key: of_another, ..throttle() }),
        ],
        vec![Change::EndCode(id(0x54))],
        vec![Change::InsertSession(session(0x34, ada_id, 0x34)), Change::InsertSession(session(0x35, bob_id, 0x35))],
        vec![Change::DeleteSessions { user: ada_id, keep: Some(id(0x31)) }],
        vec![Change::DeleteSession { id: id(0x33), user: bob_id }],
        vec![Change::DeleteSessions { user: bob_id, keep: None }],
        vec![Change::DeleteKeyPair { id: id(0x41), user: ada_id }],
        vec![Change::DeleteKeyPairs(ada_id)],
        vec![Change::DeleteEmail(id(0x23))],
        vec![Change::DeleteRegistration(id(0x13))],
        vec![Change::DeleteUser(ada_id)],
    ]
}

/// Scopes in which there is something, and some in which there is not.
fn scopes() -> Vec<Scope> {
    let addresses = ["ada@exämple.org", "bob@example.org", "nobody@example.org"].map(|text| address(text).key());
    let aliases = ["Ada", "bob", "robert", "eve", "nobody"].map(|alias| Alias::parse(alias).unwrap());
    let users = [0x11, 0x12, 0x13, 0x14].map(id);
    let networks = [2, 3, 4].map(network);
    let nothing = Scope::default;
    let scopes = addresses
        .into_iter()
        .flat_map(|address| [true, false].map(|limits| Scope { address: Some(address.clone()), limits, ..nothing() }));
    let scopes = scopes.chain(aliases.into_iter().map(|alias| Scope { alias: Some(alias), ..nothing() }));
    let scopes = scopes.chain(users.into_iter().map(|user| Scope { user: Some(user), sessions: true, ..nothing() }));
    let scopes = scopes.chain(networks.into_iter().map(|network| Scope { network: Some(network), ..nothing() }));
    let scopes = scopes.chain((0x20..0x60).flat_map(|number| {
        [
            Scope { code: Some(id(number)), ..nothing() },
            Scope { session: Some(id(number)), ..nothing() },
            Scope { key_pair: Some(id(number)), ..nothing() },
            Scope { email: Some(id(number)), ..nothing() },
        ]
    }));
    scopes.chain([nothing(), Scope { administrators: true, ..nothing() }]).collect()
}

fn sorted<R: Record>(records: impl IntoIterator<Item = R>) -> Vec<R> {
    let mut records: Vec<R> = records.into_iter().collect();
    records.sort_by_key(Record::position);
    records
}

/// A store may leave out the others.
fn living(codes: Vec<CodeRecord>) -> Vec<CodeRecord> {
    sorted(codes.into_iter().filter(|code| !code.ended))
}

/// All that is in a state, in an order, in a form that can be compared.
fn told(state: State) -> (Vec<(String, Batch)>, Vec<User>) {
    let mut told = Vec::new();
    let mut tell = |what: &str, batch: Batch| told.push((what.to_owned(), batch));
    if let Some(AddressState { key, claims, codes, known_networks, failures, throttles }) = state.address {
        tell(key.as_str(), Batch::Emails(sorted(claims.iter().map(|claim| claim.email.clone()))));
        for claim in &claims {
            tell(&format!("of {}", claim.email.id), Batch::Users(vec![claim.user.clone()]));
        }
        tell("codes of the address", Batch::Codes(living(codes)));
        tell("known to the address", Batch::KnownNetworks(sorted(known_networks)));
        tell("failures at the address", Batch::Failures(sorted(failures)));
        tell("throttles of the address", Batch::Throttles(sorted(throttles)));
    }
    if let Some(alias) = state.alias {
        let address = alias.address.map_or_else(String::new, |key| key.as_str().to_owned());
        tell(&format!("alias of {address}"), Batch::Users(vec![alias.user]));
        tell("codes of the alias", Batch::Codes(living(alias.codes)));
    }
    tell("user", Batch::Users(state.user.into_iter().collect()));
    tell("their addresses, in order", Batch::Emails(state.emails));
    tell("key pair", Batch::KeyPairs(state.key_pair.into_iter().collect()));
    tell("codes of the key pair", Batch::Codes(living(state.key_pair_codes)));
    tell("sessions", Batch::Sessions(sorted(state.sessions)));
    tell("code", Batch::Codes(state.code.into_iter().collect()));
    tell("session", Batch::Sessions(state.session.into_iter().collect()));
    tell("email", Batch::Emails(state.email.into_iter().collect()));
    tell("network", Batch::Throttles(sorted(state.network)));
    // The claims are in no particular order.
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut administrators = state.administrators;
    administrators.sort_by_key(|user| user.id);
    (told, administrators)
}

async fn tables(path: &Path) -> Vec<Batch> {
    let mut archive = SqliteArchive::open(path).unwrap();
    let mut batches = Vec::new();
    for table in Table::ALL {
        batches.push(archive.read(*table, None, 1000).await.unwrap());
    }
    batches
}

#[tokio::test]
async fn every_change_is_written_and_every_scope_read_as_the_store_in_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let (store, reference) = (SqliteStore::open(&path).unwrap(), InMemoryStore::default());
    for (step, made) in history().into_iter().enumerate() {
        let mut changes = Changes::default();
        changes.extend(made);
        let fact: Arc<dyn Fact> = Arc::new(Decided { scope: Scope::default(), changes });
        let before = tables(&path).await;
        store.transact(Arc::clone(&fact)).await.unwrap();
        reference.transact(fact).await.unwrap();
        assert_ne!(tables(&path).await, before, "step {step} changes nothing");
        assert_eq!(tables(&path).await, reference.archive().unwrap(), "step {step}");
        for scope in scopes() {
            let (found, expected) = (store.view(&scope).await.unwrap(), reference.view(&scope).await.unwrap());
            assert_eq!(told(found), told(expected), "step {step}, {scope:?}");
        }
    }
}
