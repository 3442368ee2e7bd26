//! The check from memory, on fakes: time is set by hand, nothing sleeps.
#![expect(clippy::unwrap_used, reason = "a test that meets something it did not expect panics")]

use std::{sync::Arc, time::Duration};

use auth_cache::{CachedChecks, Hearing, Memory, Recalled};
use auth_domain::{
    Administrator, Alias, Auth, AuthError, Client, EmailAddress, FullName, KeyLife, KeyName, Language, LiveSession,
    OpenedSession, Policy, Revocations, RoleName, ServerKeys, SignUp, StoreError, UserChange,
};
use auth_testkit::World;

const OPERATOR: Administrator = Administrator::on_the_command_line();

struct Service {
    world: World,
    auth: Arc<Auth>,
    memory: Arc<Memory<String>>,
    checks: CachedChecks<String>,
}

/// What is made of a credential: who it is and what it may do.
fn story(alias: &Alias, roles: &[String]) -> String {
    format!("{} {}", alias.as_str(), roles.join(","))
}

fn client() -> Client {
    Client::new([192, 0, 2, 1].into(), "test/1.0")
}

impl Service {
    fn new(hearing: Hearing) -> Self {
        let world = World::new();
        let memory = Arc::new(Memory::new(1000, hearing));
        world.store.tell(memory.clone());
        let auth = Arc::new(world.auth(Policy::default()));
        let of_session = |live: &LiveSession| story(&live.user.alias, &live.user.roles);
        let checks =
            CachedChecks::new(auth.clone(), memory.clone(), of_session, |live| story(&live.user.alias, &live.roles()));
        Self { world, auth, memory, checks }
    }

    async fn registered(&self, alias: &str) -> (OpenedSession, LiveSession) {
        let sign_up = SignUp {
            email: EmailAddress::parse(&format!("{alias}@example.org")).unwrap(),
            full_name: FullName::parse("Ada").unwrap(),
            alias: Alias::parse(alias).unwrap(),
        };
        let opened = self.auth.sign_up(sign_up, &client(), &Language::default()).await.unwrap();
        let code = self.world.deliver_mail().await.remove(0).code;
        self.auth.redeem_sign_in_code(opened.code_id, &code, &client()).await.unwrap();
        let live = self.auth.check_session(opened.bearer.expose()).await.unwrap();
        (opened, live)
    }

    async fn check(&self, opened: &OpenedSession) -> Result<String, AuthError> {
        self.checks.check_session(opened.bearer.expose()).await.map(|checked| checked.to_string())
    }
}

#[tokio::test]
async fn what_was_found_good_is_answered_without_the_store_until_its_time_has_come() {
    let service = Service::new(Hearing::InProcess);
    let (opened, live) = service.registered("ada").await;
    assert_eq!(service.check(&opened).await.unwrap(), "ada user");
    service.world.store.go_away();
    assert_eq!(service.check(&opened).await.unwrap(), "ada user");
    let left = live.session.expires_at.unix_millis() - service.auth.now().unix_millis();
    service.world.clock.advance(Duration::from_millis(u64::try_from(left).unwrap() - 1));
    assert_eq!(service.check(&opened).await.unwrap(), "ada user");
    service.world.clock.advance(Duration::from_millis(1));
    let over = service.check(&opened).await;
    assert!(matches!(over, Err(AuthError::Store(StoreError::Unavailable(_)))), "it has ended, and nobody can be asked");
    service.world.store.come_back();
    assert!(matches!(service.check(&opened).await, Err(AuthError::InvalidCredential)));
}

#[tokio::test]
async fn whatever_revokes_or_changes_is_seen_by_the_very_next_check() {
    let service = Service::new(Hearing::InProcess);
    let (ada, live) = service.registered("ada").await;
    assert_eq!(service.check(&ada).await.unwrap(), "ada user");
    let grant = UserChange::Grant(auth_domain::Membership::Role(RoleName::parse("auditor").unwrap()));
    service.auth.change_user(&OPERATOR, live.user.id, &grant).await.unwrap();
    assert_eq!(service.check(&ada).await.unwrap(), "ada auditor,user");
    service.auth.close_session(&live, live.session.id, &client()).await.unwrap();
    assert!(matches!(service.check(&ada).await, Err(AuthError::InvalidCredential)));

    let (bob, live) = service.registered("bob").await;
    assert!(service.check(&bob).await.is_ok());
    service.auth.change_user(&OPERATOR, live.user.id, &UserChange::Disable).await.unwrap();
    assert!(matches!(service.check(&bob).await, Err(AuthError::InvalidCredential)));

    let (eve, live) = service.registered("eve").await;
    assert!(service.check(&eve).await.is_ok());
    service.auth.delete_user(&OPERATOR, live.user.id).await.unwrap();
    assert!(matches!(service.check(&eve).await, Err(AuthError::InvalidCredential)));
}

#[tokio::test]
async fn an_extended_session_is_accepted_for_as_long_as_it_was_extended() {
    let service = Service::new(Hearing::InProcess);
    let (opened, live) = service.registered("ada").await;
    assert!(service.check(&opened).await.is_ok());
    service.world.clock.advance(Duration::from_hours(20));
    service.auth.extend_session(&live).await.unwrap();
    service.world.clock.advance(Duration::from_hours(20));
    assert!(service.check(&opened).await.is_ok());
}

#[tokio::test]
async fn a_key_pair_is_remembered_with_both_its_halves() {
    let service = Service::new(Hearing::InProcess);
    let (_opened, session) = service.registered("ada").await;
    let give = async || {
        let (name, life) = (KeyName::parse("k").unwrap(), KeyLife::of_days(1).unwrap());
        service.auth.give_key_pair(&OPERATOR, session.user.id, name, life).await.unwrap()
    };
    let (one, other) = (give().await, give().await);
    let check =
        async |key: &str, secret: &str| service.checks.check_key_pair(key, secret).await.map(|it| it.to_string());
    for _ in 0..2 {
        assert_eq!(check(one.api_key.as_str(), one.api_secret.expose()).await.unwrap(), "ada user");
        let mixed = check(other.api_key.as_str(), one.api_secret.expose()).await;
        assert!(matches!(mixed, Err(AuthError::InvalidCredential)));
    }
    service.auth.end_key_pair(&OPERATOR, one.id).await.unwrap();
    assert!(check(one.api_key.as_str(), one.api_secret.expose()).await.is_err());
    assert!(check(other.api_key.as_str(), other.api_secret.expose()).await.is_ok());
}

#[tokio::test]
async fn what_was_not_found_good_is_asked_for_each_time_and_an_outage_is_never_remembered() {
    let service = Service::new(Hearing::InProcess);
    let sign_up = SignUp {
        email: EmailAddress::parse("ada@example.org").unwrap(),
        full_name: FullName::parse("Ada").unwrap(),
        alias: Alias::parse("ada").unwrap(),
    };
    let opened = service.auth.sign_up(sign_up, &client(), &Language::default()).await.unwrap();
    assert!(matches!(service.check(&opened).await, Err(AuthError::InvalidCredential)), "not verified yet");
    service.world.store.go_away();
    assert!(matches!(service.check(&opened).await, Err(AuthError::Store(_))));
    service.world.store.come_back();
    let code = service.world.deliver_mail().await.remove(0).code;
    service.auth.redeem_sign_in_code(opened.code_id, &code, &client()).await.unwrap();
    assert!(service.check(&opened).await.is_ok());
    assert!(service.memory.counts().hits() == 0 && service.memory.counts().misses() == 3);
}

#[tokio::test]
async fn a_memory_that_hears_nothing_asks_the_store_every_time() {
    let service = Service::new(Hearing::Proven);
    let (opened, _live) = service.registered("ada").await;
    assert!(service.check(&opened).await.is_ok());
    service.world.store.go_away();
    assert!(matches!(service.check(&opened).await, Err(AuthError::Store(_))), "and what it finds is not remembered");
    service.world.store.come_back();
    assert!(service.memory.is_empty() && service.memory.counts().bypassed() == 2);
}

#[tokio::test]
async fn forgetting_everything_leaves_nothing_to_answer_from() {
    let service = Service::new(Hearing::InProcess);
    let (opened, _live) = service.registered("ada").await;
    assert!(service.check(&opened).await.is_ok());
    service.memory.forget_everything();
    service.world.store.go_away();
    assert!(matches!(service.check(&opened).await, Err(AuthError::Store(_))));
}

#[tokio::test]
async fn a_use_is_noted_once_in_a_minute_however_often_it_is_checked() {
    let service = Service::new(Hearing::InProcess);
    let (opened, live) = service.registered("ada").await;
    let noted = async || {
        service.auth.flush_usage().await.unwrap();
        service.auth.list_sessions(&live).await.unwrap()[0].session.last_used_at.unwrap()
    };
    service.check(&opened).await.unwrap();
    let first = service.auth.now();
    assert_eq!(noted().await, first);
    for _ in 0..59 {
        service.world.clock.advance(Duration::from_secs(1));
        service.check(&opened).await.unwrap();
    }
    assert_eq!(noted().await, first);
    service.world.clock.advance(Duration::from_secs(1));
    service.check(&opened).await.unwrap();
    assert_eq!(noted().await, first.plus(Duration::from_mins(1)));
}

#[tokio::test]
async fn what_hangs_on_a_key_that_is_gone_is_refused_by_the_very_next_check_and_the_rest_goes_on() {
    let service = Service::new(Hearing::InProcess);
    let (opened, live) = service.registered("ada").await;
    let (name, days) = (KeyName::parse("k").unwrap(), KeyLife::of_days(1).unwrap());
    let pair = service.auth.give_key_pair(&OPERATOR, live.user.id, name, days).await.unwrap();
    let check_both = async || {
        let of_pair = service.checks.check_key_pair(pair.api_key.as_str(), pair.api_secret.expose()).await;
        [service.check(&opened).await.map(|_| ()), of_pair.map(|_| ())]
    };
    assert!(matches!(check_both().await, [Ok(()), Ok(())]));
    service.world.keys.replace(&ServerKeys::new([[8; 32], [7; 32]]).unwrap());
    assert!(matches!(check_both().await, [Ok(()), Ok(())]), "their key is still there");
    service.world.keys.replace(&ServerKeys::new([[8; 32]]).unwrap());
    assert!(matches!(check_both().await, [Err(AuthError::InvalidCredential), Err(AuthError::InvalidCredential)]));
}

#[tokio::test]
async fn what_was_recognised_before_the_keys_were_replaced_is_not_remembered_after_it() {
    let service = Service::new(Hearing::InProcess);
    let (opened, _live) = service.registered("ada").await;
    let Ok(Recalled::Unknown(recognised)) = service.checks.recall_session(opened.bearer.expose()) else {
        panic!("nothing is remembered yet");
    };
    service.world.keys.replace(&ServerKeys::new([[8; 32]]).unwrap());
    // Somebody else's check, which finds that the keys are others.
    assert!(service.checks.recall_session("aub_invented").is_err());
    assert!(service.checks.recall_session(&"aub_".repeat(16)).is_err());
    assert!(service.checks.look_up(recognised).await.is_ok(), "it was good when it was shown");
    assert!(matches!(service.check(&opened).await, Err(AuthError::InvalidCredential)));
}

#[tokio::test]
async fn a_key_pair_is_not_remembered_as_a_bearer_nor_a_bearer_as_half_a_pair() {
    let service = Service::new(Hearing::InProcess);
    let (opened, live) = service.registered("ada").await;
    let (name, days) = (KeyName::parse("k").unwrap(), KeyLife::of_days(1).unwrap());
    let pair = service.auth.give_key_pair(&OPERATOR, live.user.id, name, days).await.unwrap();
    let (key, secret) = (pair.api_key.as_str(), pair.api_secret.expose());
    assert!(service.check(&opened).await.is_ok());
    assert!(service.checks.check_key_pair(key, secret).await.is_ok());
    for (key, secret) in [(key, opened.bearer.expose()), (opened.bearer.expose(), secret), (secret, key), (key, "")] {
        assert!(matches!(service.checks.check_key_pair(key, secret).await, Err(AuthError::InvalidCredential)));
    }
    for bearer in [secret, key, ""] {
        assert!(matches!(service.checks.check_session(bearer).await, Err(AuthError::InvalidCredential)));
    }
}
