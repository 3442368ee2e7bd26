//! One store with the use cases on it, and all of them side by side.

use std::{collections::BTreeMap, fmt::Debug, net::IpAddr, sync::Arc, time::Duration};

use auth_domain::{
    AccountFilter, AccountWish, Administrator, Alias, Auth, AuthError, Caller, Client, Clock, CodeId, CodePurpose,
    Courier, EmailAddress, EmailId, FullName, GroupName, KeyLife, KeyName, KeyPairId, KeyPairWish, Language,
    LiveSession, MailError, MailId, Membership, NoBell, Page, Policy, PortalUrl, Ports, Purge, RoleName, SessionId,
    SignUp, Store, UserChange, UserId, Welcome,
    archive::{ArchiveSource, Batch, Table},
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::{SqliteArchive, SqliteStore};
use auth_testkit::{InMemoryStore, SentMail, World, postgres};
use tempfile::TempDir;

use crate::step::{Administration, Delivery, Guess, Step};

/// The stores, and what they are known to have been asked for.
pub(crate) struct Sides {
    sides: [Side; 3],
}

enum Kind {
    Fake(Arc<InMemoryStore>),
    Sqlite(TempDir),
    Postgres(Arc<PostgresStore>),
}

/// One store, in a world of its own: time and random choices are the same in all of them.
struct Side {
    kind: Kind,
    store: Arc<dyn Store>,
    world: World,
    auth: Auth,
    codes: Vec<(CodeId, CodePurpose)>,
    /// What the mails said, by the code's id.
    mailed: BTreeMap<CodeId, String>,
    bearers: Vec<(SessionId, String)>,
    pairs: Vec<(KeyPairId, String, String)>,
}

impl Sides {
    pub(crate) async fn new(policy: &Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Arc::new(SqliteStore::open(&folder.path().join("auth.db")).unwrap());
        let open = |url: &str| {
            let options = PoolOptions { size: 2, ..PoolOptions::default() };
            Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap())
        };
        let url = postgres::database(async |url| {
            open(&url).migrate().await.unwrap();
        })
        .await;
        let (fake, server) = (Arc::<InMemoryStore>::default(), open(&url));
        let sides = [
            (Kind::Fake(fake.clone()), fake as Arc<dyn Store>),
            (Kind::Sqlite(folder), sqlite),
            (Kind::Postgres(server.clone()), server),
        ];
        Self { sides: sides.map(|(kind, store)| Side::new(kind, store, policy)) }
    }

    /// Takes the step on every side; fails unless all have answered the same.
    pub(crate) async fn take(&mut self, step: &Step) -> Result<(), String> {
        let mut answers = Vec::new();
        for side in &mut self.sides {
            answers.push((side.name(), side.take(step).await));
        }
        agree(step, &answers)
    }

    /// Fails unless everything that is stored is the same.
    pub(crate) async fn stored(&mut self) -> Result<(), String> {
        let mut all = Vec::new();
        for side in &self.sides {
            all.push((side.name(), side.archive().await));
        }
        let (_, first) = &all[0];
        for (name, batches) in &all[1..] {
            for (these, others) in first.iter().zip(batches) {
                if these != others {
                    return Err(format!("{} differs on {name}\n{}", these.table(), differences(these, others)));
                }
            }
        }
        Ok(())
    }
}

fn agree(step: &Step, answers: &[(&str, String)]) -> Result<(), String> {
    if answers.iter().all(|(_, answer)| *answer == answers[0].1) {
        return Ok(());
    }
    let answers: String = answers.iter().map(|(name, answer)| format!("    {name}: {answer}\n")).collect();
    Err(format!("{step:?} is answered\n{answers}"))
}

/// The records that only one of the two has.
fn differences(these: &Batch, others: &Batch) -> String {
    macro_rules! compare {
        ($($table:ident)+) => {
            match (these, others) {
                $((Batch::$table(these), Batch::$table(others)) => {
                    only("the fake has", these, others) + &only("it has", others, these)
                })+
                _ => "two tables".to_owned(),
            }
        };
    }
    compare!(Users Emails Sessions KeyPairs Codes Outbox MailAttempts KnownNetworks Failures Throttles Events)
}

fn only<R: Debug + PartialEq>(who: &str, these: &[R], others: &[R]) -> String {
    these.iter().filter(|record| !others.contains(record)).map(|record| format!("    {who} {record:?}\n")).collect()
}

fn address(number: usize) -> EmailAddress {
    // Two ways of writing one address are among them.
    let all = ["ada@example.org", "Bob@Example.org", "bob@example.org", "eve@example.org", "dan@example.org"];
    EmailAddress::parse(all[number]).unwrap()
}

fn alias(number: usize) -> Alias {
    Alias::parse(["ada", "Bob", "bob", "eve", "dan", "fay"][number]).unwrap()
}

fn client(network: usize) -> Client {
    let ip: IpAddr = ["192.0.2.7", "198.51.100.7", "2001:db8::7"][network].parse().unwrap();
    Client::new(ip, "differential/1")
}

fn name() -> FullName {
    FullName::parse("Ada Lovelace").unwrap()
}

/// The `number`th newest.
fn newest<T>(all: &[T], number: usize) -> Option<&T> {
    all.len().checked_sub(number % all.len().max(1) + 1).and_then(|at| all.get(at))
}

fn told<T: Debug>(outcome: Result<T, AuthError>) -> String {
    format!("{outcome:?}")
}

impl Side {
    fn new(kind: Kind, store: Arc<dyn Store>, policy: &Policy) -> Self {
        let world = World::new();
        let ports = Ports {
            store: store.clone(),
            clock: world.clock.clone(),
            entropy: world.entropy.clone(),
            bell: Arc::new(NoBell),
        };
        let auth = Auth::new(ports, policy.clone(), world.keys.clone());
        let (codes, bearers, pairs) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, store, world, auth, codes, mailed: BTreeMap::new(), bearers, pairs }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Fake(_) => "the fake",
            Kind::Sqlite(_) => "SQLite",
            Kind::Postgres(_) => "PostgreSQL",
        }
    }

    async fn archive(&self) -> Vec<Batch> {
        let mut source: Box<dyn ArchiveSource> = match &self.kind {
            Kind::Fake(store) => return store.archive().unwrap(),
            Kind::Sqlite(folder) => Box::new(SqliteArchive::open(&folder.path().join("auth.db")).unwrap()),
            Kind::Postgres(store) => Box::new(store.begin_archive().await.unwrap()),
        };
        let mut batches = Vec::new();
        for table in Table::ALL {
            batches.push(source.read(*table, None, 100_000).await.unwrap());
        }
        batches
    }

    /// The session that `by` stands for, as long as it is accepted.
    async fn caller(&self, by: usize) -> Result<LiveSession, AuthError> {
        let (_, bearer) = newest(&self.bearers, by).ok_or(AuthError::InvalidCredential)?;
        self.auth.check_session(bearer).await
    }

    async fn take(&mut self, step: &Step) -> String {
        match *step {
            Step::Wait(span) => {
                self.world.clock.advance(span);
                String::new()
            }
            Step::SetBack(span) => {
                self.world.clock.set(self.world.clock.now().minus(span));
                String::new()
            }
            Step::Administer { what, user, other } => self.administer(what, user, other).await,
            Step::Deliver(delivery) => self.deliver(delivery).await,
            Step::TellOfLockouts => told(self.auth.tell_of_lockouts(100).await),
            Step::Purge => {
                let now = self.world.clock.now();
                let day = Duration::from_hours(24);
                let (events_until, networks_until) = (now.minus(30 * day), now.minus(30 * day));
                let purge = Purge { now, events_until, networks_until, limit: 1000 };
                told(self.store.purge(&purge).await.map_err(AuthError::from))
            }
            Step::FlushUsage => told(self.auth.flush_usage().await.map_err(AuthError::from)),
            _ => match self.act(step).await {
                Ok(outcome) => outcome,
                Err(error) => format!("{error:?}"),
            },
        }
    }

    /// What people do.
    async fn act(&mut self, step: &Step) -> Result<String, AuthError> {
        let (here, language) = (client(0), Language::default());
        Ok(match *step {
            Step::SignUp { address: to, alias: wanted, network } => {
                let sign_up = SignUp { email: address(to), full_name: name(), alias: alias(wanted) };
                let opened = self.auth.sign_up(sign_up, &client(network), &language).await?;
                self.codes.push((opened.code_id, CodePurpose::SignIn));
                self.bearers.push((opened.session_id, opened.bearer.expose().to_owned()));
                format!("{opened:?}")
            }
            Step::SignIn { address: to, network } => {
                let opened = self.auth.sign_in(&address(to), None, &client(network), &language).await?;
                self.codes.push((opened.code_id, CodePurpose::SignIn));
                self.bearers.push((opened.session_id, opened.bearer.expose().to_owned()));
                format!("{opened:?}")
            }
            Step::Redeem { code, guess, by, network } => {
                let Some((id, purpose)) = newest(&self.codes, code).copied() else { return Ok(String::new()) };
                let caller = match by {
                    Some(by) => self.caller(by).await.ok(),
                    None => None,
                };
                let right = self.mailed.get(&id).cloned().unwrap_or_else(|| "not mailed".to_owned());
                let (purpose, code) = match guess {
                    Guess::Right => (purpose, right),
                    Guess::Wrong => (purpose, "wrong".to_owned()),
                    Guess::AnotherPurpose => {
                        let other =
                            if purpose == CodePurpose::SignIn { CodePurpose::Email } else { CodePurpose::SignIn };
                        (other, right)
                    }
                };
                let from = client(network);
                match (purpose, caller) {
                    (CodePurpose::SignIn, _) => self.auth.redeem_sign_in_code(id, &code, &from).await?,
                    (CodePurpose::KeyPair, Some(caller)) => {
                        self.auth.redeem_key_pair_code(&caller, id, &code, &from).await?;
                    }
                    (_, caller) => self.auth.redeem_email_code(caller.as_ref(), id, &code, &from).await?,
                }
                "redeemed".to_owned()
            }
            Step::AddEmail { by, address: to } => {
                let caller = self.caller(by).await?;
                let added = self.auth.add_email(&caller, &address(to), &here, &language).await?;
                self.codes.push((added.code_id, CodePurpose::Email));
                format!("{added:?}")
            }
            Step::RenewEmailCode { by, address: to } => {
                let caller = self.caller(by).await?;
                let code = self.auth.renew_email_code(&caller, &address(to), &here, &language).await?;
                self.codes.push((code, CodePurpose::Email));
                format!("{code:?}")
            }
            Step::PreferEmail { by, email } => {
                let caller = self.caller(by).await?;
                let id = self.email_of(caller.user.id, email).await?;
                told(self.auth.prefer_email(&caller, id, &here, &language).await)
            }
            Step::RemoveEmail { by, email } => {
                let caller = self.caller(by).await?;
                let id = self.email_of(caller.user.id, email).await?;
                told(self.auth.remove_email(&caller, id, &here, &language).await)
            }
            Step::CreateKeyPair { by, days } => {
                let caller = self.caller(by).await?;
                let life = KeyLife::of_days(i64::try_from(days).unwrap() + 1).unwrap();
                let wish = KeyPairWish { name: KeyName::parse("key").unwrap(), life, roles: None };
                let created = self.auth.create_key_pair(&caller, wish, &here, &language).await?;
                self.codes.extend(created.code_id.map(|code| (code, CodePurpose::KeyPair)));
                let secret = created.api_secret.expose().to_owned();
                self.pairs.push((created.id, created.api_key.as_str().to_owned(), secret));
                format!("{created:?}")
            }
            Step::DeleteKeyPair { by, pair } => {
                let caller = self.caller(by).await?;
                let Some((id, ..)) = newest(&self.pairs, pair) else { return Ok(String::new()) };
                told(self.auth.delete_key_pair(&caller, *id, &here).await)
            }
            Step::CheckSession { session } => {
                let Some((_, bearer)) = newest(&self.bearers, session) else { return Ok(String::new()) };
                told(self.auth.check_session(bearer).await)
            }
            Step::CheckKeyPair { pair } => {
                let Some((_, key, secret)) = newest(&self.pairs, pair) else { return Ok(String::new()) };
                told(self.auth.check_key_pair(key, secret).await)
            }
            Step::Extend { by } => {
                let caller = self.caller(by).await?;
                told(self.auth.extend_session(&caller).await)
            }
            Step::CloseSession { by, session } => {
                let caller = self.caller(by).await?;
                let Some((id, _)) = newest(&self.bearers, session) else { return Ok(String::new()) };
                told(self.auth.close_session(&caller, *id, &here).await)
            }
            Step::CloseOtherSessions { by } => {
                let caller = self.caller(by).await?;
                told(self.auth.close_other_sessions(&caller, &here).await)
            }
            Step::DeleteAccount { by } => {
                let caller = Caller::Session(self.caller(by).await?);
                told(self.auth.delete_account(&caller, &here).await)
            }
            Step::List { by } => {
                let caller = self.caller(by).await?;
                let sessions = self.auth.list_sessions(&caller).await?;
                let (emails, pairs) = (self.auth.list_emails(&caller).await?, self.auth.list_key_pairs(&caller).await?);
                format!("{sessions:?} {emails:?} {pairs:?}")
            }
            _ => unreachable!("what is done by nobody in particular"),
        })
    }

    /// What administrators do.
    async fn administer(&mut self, what: Administration, user: usize, other: usize) -> String {
        match self.administered(what, user, other).await {
            Ok(outcome) => outcome,
            Err(error) => format!("{error:?}"),
        }
    }

    async fn administered(&mut self, what: Administration, user: usize, other: usize) -> Result<String, AuthError> {
        use Administration as A;
        let (root, language) = (Administrator::on_the_command_line(), Language::default());
        let welcome = match what {
            A::CreateAccount => Some(Welcome::Nothing),
            A::Invite => Some(Welcome::Invitation(PortalUrl::parse("https://portal.example.org/").unwrap())),
            A::CreateAccountWithKeyPair => Some(Welcome::KeyPair),
            _ => None,
        };
        if let Some(welcome) = welcome {
            let (email, alias) = (address(other), alias(user));
            let wish = AccountWish { email, full_name: name(), alias, roles: None, welcome };
            let created = self.auth.create_account(&root, wish, &language).await?;
            if let Some(pair) = &created.key_pair {
                let secret = pair.api_secret.expose().to_owned();
                self.pairs.push((pair.id, pair.api_key.as_str().to_owned(), secret));
            }
            return Ok(format!("{created:?}"));
        }
        let page = Page::new(1, 100).unwrap();
        let accounts = self.auth.list_accounts(&root, &AccountFilter::default(), page).await?;
        let Some(account) = newest(&accounts.on_page, user) else { return Ok("there is none".to_owned()) };
        let id = account.user.id;
        let change = match what {
            A::Enable => Some(UserChange::Enable),
            A::Disable => Some(UserChange::Disable),
            A::Verify => Some(UserChange::Verify),
            A::Unverify => Some(UserChange::Unverify),
            A::GrantAdministration => Some(UserChange::Grant(Membership::Role(RoleName::users_admin()))),
            A::RevokeAdministration => Some(UserChange::Revoke(Membership::Role(RoleName::users_admin()))),
            A::GrantGroup => Some(UserChange::Grant(Membership::Group(GroupName::parse("staff").unwrap()))),
            _ => None,
        };
        if let Some(change) = change {
            let changed = self.auth.change_user(&root, id, &change).await;
            return Ok(format!("{changed:?} {:?}", self.auth.find_account(&root, id).await));
        }
        let session = newest(&self.bearers, other).map(|(id, _)| *id);
        let pair = newest(&self.pairs, other).map(|(id, ..)| *id);
        Ok(match what {
            A::DeleteUser => told(self.auth.delete_user(&root, id).await),
            A::GiveEmail => told(self.auth.give_email(&root, id, &address(other), &language).await),
            A::VerifyEmail => {
                let email = self.email_of(id, other).await?;
                told(self.auth.verify_email(&root, email).await)
            }
            A::PreferEmail => {
                let email = self.email_of(id, other).await?;
                told(self.auth.prefer_email_of_user(&root, email, &language).await)
            }
            A::RemoveEmail => {
                let email = self.email_of(id, other).await?;
                told(self.auth.remove_email_of_user(&root, email, &language).await)
            }
            A::GiveSession => {
                let given = self.auth.give_session(&root, id, None, &client(0)).await?;
                self.bearers.push((given.session_id, given.bearer.expose().to_owned()));
                format!("{given:?}")
            }
            A::GiveKeyPair => {
                let (name, life) = (KeyName::parse("given").unwrap(), KeyLife::of_days(30).unwrap());
                let given = self.auth.give_key_pair(&root, id, name, life).await?;
                let secret = given.api_secret.expose().to_owned();
                self.pairs.push((given.id, given.api_key.as_str().to_owned(), secret));
                format!("{given:?}")
            }
            A::EndSessions => told(self.auth.end_sessions(&root, id).await),
            A::Unlock => told(self.auth.unlock_address(&root, &address(other)).await),
            A::VerifySession => told(self.auth.verify_session(&root, session.ok_or(AuthError::NotFound)?).await),
            A::EndSession => told(self.auth.end_session(&root, session.ok_or(AuthError::NotFound)?).await),
            A::VerifyKeyPair => told(self.auth.verify_key_pair(&root, pair.ok_or(AuthError::NotFound)?).await),
            A::EndKeyPair => told(self.auth.end_key_pair(&root, pair.ok_or(AuthError::NotFound)?).await),
            _ => unreachable!("done above"),
        })
    }

    async fn email_of(&self, user: UserId, number: usize) -> Result<EmailId, AuthError> {
        let emails = self.store.list_emails(user).await?;
        newest(&emails, number).map(|email| email.id).ok_or(AuthError::NotFound)
    }

    /// Everything that is due, and what was sent.
    async fn deliver(&mut self, delivery: Delivery) -> String {
        let world = &self.world;
        world.mailer.fail_with(match delivery {
            Delivery::Taken => None,
            Delivery::PutOff => Some(MailError::Transient("451 later".to_owned())),
            Delivery::Refused => Some(MailError::Permanent("550 never".to_owned())),
        });
        let courier = Courier { store: self.store.clone(), ..world.courier() };
        let mut outcomes = Vec::new();
        let mut due = courier.claim(1000).await.unwrap();
        // Of what is due at one moment, any may come first.
        due.sort_by_key(|claimed| claimed.id);
        for claimed in due {
            outcomes.push((claimed.id, courier.deliver(&claimed).await.unwrap()));
        }
        let sent = world.mailer.take();
        let codes = self.codes_of(&sent).await;
        self.mailed.extend(codes);
        let sent: Vec<_> = sent.iter().map(|mail| (mail.id, &mail.to, mail.template)).collect();
        format!("{outcomes:?} {sent:?}")
    }

    /// Which codes these mails had, as the outbox has it.
    async fn codes_of(&self, sent: &[SentMail]) -> Vec<(CodeId, String)> {
        if sent.iter().all(|mail| mail.code.is_empty()) {
            return Vec::new();
        }
        let batches = self.archive().await;
        let owners: BTreeMap<MailId, CodeId> = batches
            .iter()
            .filter_map(|batch| if let Batch::Outbox(mails) = batch { Some(mails) } else { None })
            .flatten()
            .filter_map(|mail| Some((mail.id, mail.code_id?)))
            .collect();
        let code = |mail: &SentMail| Some((*owners.get(&mail.id)?, mail.code.clone()));
        sent.iter().filter(|mail| !mail.code.is_empty()).filter_map(code).collect()
    }
}
