use std::time::Duration;

use auth_domain::{
    AccountFilter, AccountWish, Administrator, Alias, AuthError, Caller, CreatedAccount, EventKind, FullName,
    GroupName, InvalidInput, KeyLife, KeyName, Language, LiveSession, Membership, Page, PortalUrl, RoleName,
    UserChange, Welcome,
};

use crate::person::{Service, address, client};

const OPERATOR: Administrator = Administrator::on_the_command_line();

fn role(name: &str) -> Membership {
    Membership::Role(RoleName::parse(name).unwrap())
}

fn wish(alias: &str, welcome: Welcome) -> AccountWish {
    AccountWish {
        email: address(&format!("{alias}@example.org")),
        full_name: FullName::parse("Grace Hopper").unwrap(),
        alias: Alias::parse(alias).unwrap(),
        roles: None,
        welcome,
    }
}

impl Service {
    async fn create(&self, alias: &str, welcome: Welcome) -> CreatedAccount {
        self.auth.create_account(&OPERATOR, wish(alias, welcome), &Language::default()).await.unwrap()
    }

    async fn change(&self, user: &LiveSession, change: UserChange) -> Result<(), AuthError> {
        self.auth.change_user(&OPERATOR, user.user.id, &change).await
    }
}

#[tokio::test]
async fn only_who_holds_the_role_administers() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let refused = service.auth.administrator(&Caller::Session(ada.clone()), &client(1));
    assert!(matches!(refused, Err(AuthError::RoleLacking)));
    service.change(&ada, UserChange::Grant(Membership::Role(RoleName::users_admin()))).await.unwrap();
    let (_opened, ada) = service.signed_in("ada@example.org", 1).await;
    service.auth.administrator(&Caller::Session(ada), &client(1)).unwrap();
}

#[tokio::test]
async fn somebody_invited_signs_in_with_the_address_they_were_invited_at() {
    let service = Service::new();
    let portal = PortalUrl::parse("https://app.example.org/welcome").unwrap();
    let created = service.create("grace", Welcome::Invitation(portal)).await;
    assert!(created.key_pair.is_none());
    let invitation = service.only_mail().await;
    assert_eq!((invitation.template, invitation.to.as_str()), ("invitation", "grace@example.org"));
    let unseen = service.auth.public_alias(created.user_id, &client(1)).await;
    assert!(matches!(unseen, Err(AuthError::NotFound)), "not verified yet");

    let (_opened, grace) = service.signed_in("Grace@example.org", 1).await;
    assert_eq!((grace.user.id, grace.user.alias.as_str()), (created.user_id, "grace"));
    assert_eq!((grace.user.roles, grace.user.groups), (vec!["user".to_owned()], vec!["public".to_owned()]));
}

#[tokio::test]
async fn an_account_made_with_a_key_pair_can_use_it_at_once() {
    let service = Service::new();
    let created = service.create("robot", Welcome::KeyPair).await;
    let pair = created.key_pair.unwrap();
    assert!(pair.code_id.is_none());
    let live = service.auth.check_key_pair(pair.api_key.as_str(), pair.api_secret.expose()).await.unwrap();
    assert_eq!(live.user.id, created.user_id);
    assert!(service.world.deliver_mail().await.is_empty());
}

#[tokio::test]
async fn an_alias_or_an_address_that_is_taken_is_told() {
    let service = Service::new();
    service.registered("ada", "ada@example.org").await;
    let taken = service.auth.create_account(&OPERATOR, wish("ada", Welcome::Nothing), &Language::default()).await;
    assert!(matches!(taken, Err(AuthError::AliasTaken)));
    let other = AccountWish { alias: Alias::parse("other").unwrap(), ..wish("ada", Welcome::Nothing) };
    let taken = service.auth.create_account(&OPERATOR, other, &Language::default()).await;
    assert!(matches!(taken, Err(AuthError::AddressTaken)));
}

#[tokio::test]
async fn what_an_administrator_takes_is_gone_at_the_next_check() {
    let service = Service::new();
    let (ada, _live) = {
        service.registered("ada", "ada@example.org").await;
        service.signed_in("ada@example.org", 1).await
    };
    let live = service.auth.check_session(ada.bearer.expose()).await.unwrap();
    service.change(&live, UserChange::Revoke(role("user"))).await.unwrap();
    assert!(service.auth.check_session(ada.bearer.expose()).await.unwrap().user.roles.is_empty());
    assert!(matches!(service.change(&live, UserChange::Revoke(role("user"))).await, Err(AuthError::NotFound)));
    service.change(&live, UserChange::Grant(Membership::Group(GroupName::parse("staff").unwrap()))).await.unwrap();
    assert_eq!(service.auth.check_session(ada.bearer.expose()).await.unwrap().user.groups, ["public", "staff"]);
    service.change(&live, UserChange::Disable).await.unwrap();
    assert!(!service.is_signed_in(&ada).await);
    service.change(&live, UserChange::Enable).await.unwrap();
    assert!(!service.is_signed_in(&ada).await, "it restores nothing");
}

#[tokio::test]
async fn the_last_administrator_stays_by_their_own_hand_too() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.change(&ada, UserChange::Grant(Membership::Role(RoleName::users_admin()))).await.unwrap();
    let kept = service.auth.delete_account(&Caller::Session(ada.clone()), &client(1)).await;
    assert!(matches!(kept, Err(AuthError::LastAdministrator)));
    assert!(matches!(service.auth.delete_user(&OPERATOR, ada.user.id).await, Err(AuthError::LastAdministrator)));
    assert!(matches!(service.change(&ada, UserChange::Disable).await, Err(AuthError::LastAdministrator)));
}

#[tokio::test]
async fn a_session_or_a_key_pair_is_given_only_to_whom_it_would_serve() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let given = service.auth.give_session(&OPERATOR, ada.user.id, None, &client(9)).await.unwrap();
    let live = service.auth.check_session(given.bearer.expose()).await.unwrap();
    assert_eq!((live.user.id, live.session.client.ip), (ada.user.id, client(9).ip));
    let kind = service.auth.give_session(&OPERATOR, ada.user.id, Some("nothing-we-have"), &client(9)).await;
    assert!(matches!(kind, Err(AuthError::InvalidInput(InvalidInput::SessionKind))));

    service.change(&ada, UserChange::Disable).await.unwrap();
    let refused = service.auth.give_session(&OPERATOR, ada.user.id, None, &client(9)).await;
    assert!(matches!(refused, Err(AuthError::UserNotActive)));
    let (name, day) = (KeyName::parse("k").unwrap(), KeyLife::of_days(1).unwrap());
    let refused = service.auth.give_key_pair(&OPERATOR, ada.user.id, name.clone(), day).await;
    assert!(matches!(refused, Err(AuthError::UserNotActive)));
    service.auth.delete_user(&OPERATOR, ada.user.id).await.unwrap();
    let refused = service.auth.give_key_pair(&OPERATOR, ada.user.id, name, day).await;
    assert!(matches!(refused, Err(AuthError::NotFound)));
}

#[tokio::test]
async fn an_address_that_is_given_signs_in_and_the_others_are_told() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let bob = service.registered("bob", "bob@example.org").await;
    let english = Language::default();
    let second = address("second@example.org");
    let id = service.auth.give_email(&OPERATOR, ada.user.id, &second, &english).await.unwrap();
    let told = service.only_mail().await;
    assert_eq!((told.template, told.to.as_str()), ("address-added", "ada@example.org"));
    let taken = service.auth.give_email(&OPERATOR, bob.user.id, &second, &english).await;
    assert!(matches!(taken, Err(AuthError::AddressTaken)));
    let again = service.auth.give_email(&OPERATOR, ada.user.id, &second, &english).await.unwrap();
    assert_eq!(again, id);
    assert!(service.world.deliver_mail().await.is_empty(), "nothing new to tell");

    assert!(matches!(
        service.auth.prefer_email_of_user(&OPERATOR, id, &english).await,
        Err(AuthError::AddressUnverified)
    ));
    service.auth.verify_email(&OPERATOR, id).await.unwrap();
    service.auth.prefer_email_of_user(&OPERATOR, id, &english).await.unwrap();
    service.world.deliver_mail().await;
    assert!(matches!(service.auth.remove_email_of_user(&OPERATOR, id, &english).await, Err(AuthError::AddressNeeded)));
    let (_opened, live) = service.signed_in("second@example.org", 1).await;
    assert_eq!(live.user.id, ada.user.id);
    let emails = service.auth.list_emails(&live).await.unwrap();
    let first = emails.iter().find(|email| !email.preferred).unwrap().id;
    service.auth.remove_email_of_user(&OPERATOR, first, &english).await.unwrap();
    assert!(matches!(service.auth.verify_email(&OPERATOR, first).await, Err(AuthError::NotFound)));
}

#[tokio::test]
async fn what_happened_is_listed_with_who_did_it() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    service.change(&ada, UserChange::Grant(Membership::Role(RoleName::users_admin()))).await.unwrap();
    let (_opened, ada) = service.signed_in("ada@example.org", 1).await;
    let admin = service.auth.administrator(&Caller::Session(ada.clone()), &client(7)).unwrap();
    let bob = service.registered("bob", "bob@example.org").await;
    service.world.clock.advance(Duration::from_secs(1));
    service.auth.end_session(&admin, bob.session.id).await.unwrap();

    let events = service.auth.list_events(&admin, Some(bob.user.id), None, 100).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.kind).collect::<Vec<_>>(),
        [EventKind::SessionClosed, EventKind::Registered]
    );
    let closed = &events[0];
    assert_eq!((closed.actor, closed.subject), (Some(ada.user.id), Some(bob.user.id)));
    assert_eq!((closed.credential, closed.ip), (Some(ada.session.id.uuid()), Some(client(7).ip)));
    assert_eq!(closed.detail, bob.session.id.to_string());
    for limit in [0, 101, -1] {
        let refused = service.auth.list_events(&admin, None, None, limit).await;
        assert!(matches!(refused, Err(AuthError::InvalidInput(InvalidInput::Page))));
    }
}

#[tokio::test]
async fn who_was_given_what_with_their_account_is_listed_as_if_it_had_been_given_later() {
    let service = Service::new();
    let portal = PortalUrl::parse("https://app.example.org/welcome").unwrap();
    let administrators = [RoleName::users_admin(), RoleName::parse("auditor").unwrap(), RoleName::users_admin()];
    for (alias, welcome, roles, made, expected) in [
        (
            "ada",
            Welcome::Nothing,
            Some(administrators.to_vec()),
            EventKind::UserCreated,
            vec!["auditor", "users_admin"],
        ),
        ("bob", Welcome::Invitation(portal), None, EventKind::UserInvited, vec!["user"]),
        ("machine", Welcome::KeyPair, Some(Vec::new()), EventKind::UserCreated, vec![]),
    ] {
        let wish = AccountWish { roles, ..wish(alias, welcome) };
        let created = service.auth.create_account(&OPERATOR, wish, &Language::default()).await.unwrap();
        let events = service.auth.list_events(&OPERATOR, Some(created.user_id), None, 100).await.unwrap();
        let told = |kind| {
            let mut details: Vec<_> =
                events.iter().filter(|event| event.kind == kind).map(|event| event.detail.clone()).collect();
            details.sort();
            details
        };
        let key_pair = created.key_pair.map(|pair| pair.id.to_string());
        assert_eq!(told(made), [key_pair.clone().unwrap_or_default()], "{alias}");
        assert_eq!(told(EventKind::RoleGranted), expected, "{alias}");
        assert_eq!(told(EventKind::GroupGranted), ["public"], "{alias}");
        assert_eq!(told(EventKind::KeyPairCreated), Vec::from_iter(key_pair), "{alias}");
        assert!(events.iter().all(|event| event.subject == Some(created.user_id)));
    }
}

#[tokio::test]
async fn accounts_are_found_by_an_address_and_by_role() {
    let service = Service::new();
    let ada = service.registered("ada", "ada@example.org").await;
    let found = service.auth.find_account_by_email(&OPERATOR, &address("ADA@example.org")).await.unwrap();
    assert_eq!((found.user.id, found.emails.len()), (ada.user.id, 1));
    let nobody = service.auth.find_account_by_email(&OPERATOR, &address("nobody@example.org")).await;
    assert!(matches!(nobody, Err(AuthError::NotFound)));
    let filter = AccountFilter { enabled: Some(true), role: Some(RoleName::parse("user").unwrap()) };
    let page = Page::new(1, 20).unwrap();
    assert_eq!(service.auth.list_accounts(&OPERATOR, &filter, page).await.unwrap().on_page, [found]);
}
