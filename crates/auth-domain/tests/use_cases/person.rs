//! Somebody who uses the service.

use auth_domain::{
    Alias, Auth, AuthError, Client, EmailAddress, FullName, Language, LiveSession, OpenedSession, Policy, SignUp,
};
use auth_testkit::{SentMail, World};

pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) auth: Auth,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::with(Policy::default())
    }

    pub(crate) fn with(policy: Policy) -> Self {
        let world = World::new();
        let auth = world.auth(policy);
        Self { world, auth }
    }

    pub(crate) async fn register(&self, alias: &str, email: &str) -> Result<OpenedSession, AuthError> {
        let sign_up = SignUp {
            email: address(email),
            full_name: FullName::parse("Ada Lovelace").unwrap(),
            alias: Alias::parse(alias).unwrap(),
        };
        self.auth.sign_up(sign_up, &client(1), &Language::default()).await
    }

    /// Registers, reads the mail, redeems the code, checks.
    pub(crate) async fn registered(&self, alias: &str, email: &str) -> LiveSession {
        let opened = self.register(alias, email).await.unwrap();
        let mail = self.only_mail().await;
        self.auth.redeem_sign_in_code(opened.code_id, &mail.code, &client(1)).await.unwrap();
        self.auth.check_session(opened.bearer.expose()).await.unwrap()
    }

    /// Asks for a code from network `network`.
    pub(crate) async fn sign_in(&self, email: &str, network: u8) -> OpenedSession {
        self.auth.sign_in(&address(email), None, &client(network), &Language::default()).await.unwrap()
    }

    /// Signs in all the way.
    pub(crate) async fn signed_in(&self, email: &str, network: u8) -> (OpenedSession, LiveSession) {
        let opened = self.sign_in(email, network).await;
        let mail = self.only_mail().await;
        self.auth.redeem_sign_in_code(opened.code_id, &mail.code, &client(1)).await.unwrap();
        let live = self.auth.check_session(opened.bearer.expose()).await.unwrap();
        (opened, live)
    }

    pub(crate) async fn only_mail(&self) -> SentMail {
        let mut mails = self.world.deliver_mail().await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.remove(0)
    }

    pub(crate) async fn is_signed_in(&self, opened: &OpenedSession) -> bool {
        match self.auth.check_session(opened.bearer.expose()).await {
            Ok(_) => true,
            Err(AuthError::InvalidCredential) => false,
            Err(other) => panic!("the check failed: {other}"),
        }
    }
}

pub(crate) fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

pub(crate) fn client(network: u8) -> Client {
    Client::new([192, 0, network, 1].into(), "test/1.0")
}

/// A code that is not `right`.
pub(crate) fn wrong(right: &str) -> &'static str {
    if right == "000000" { "000001" } else { "000000" }
}
