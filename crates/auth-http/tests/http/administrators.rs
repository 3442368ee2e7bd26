//! Verbs of those who administer users.

use auth_domain::{Administrator, Membership, RoleName, UserChange};
use serde_json::{Value, json};

use crate::app::{Call, TestApp, get, put};

impl TestApp {
    /// Registers and verifies, and has the command line make an administrator of it; returns the session.
    pub(crate) async fn administrator(&self, alias: &str, email: &str) -> Value {
        let session = self.registered(alias, email).await;
        let id = self.user_id(&session).await.parse::<uuid::Uuid>().unwrap();
        let change = UserChange::Grant(Membership::Role(RoleName::users_admin()));
        self.auth().change_user(&Administrator::on_the_command_line(), id.into(), &change).await.unwrap();
        session
    }

    /// The two credentials of one administrator: a session and a key pair.
    pub(crate) async fn administrators(&self) -> [Value; 2] {
        let (alias, email) = ("root", "root@example.org");
        let session = self.administrator(alias, email).await;
        let pair = self.has_key_pair(&session, email, json!({})).await;
        [session, pair]
    }

    /// Whose session it is.
    pub(crate) async fn user_id(&self, session: &Value) -> String {
        self.check(session).await.ok()["userID"].as_str().unwrap().to_owned()
    }

    /// Whose a verified address is.
    pub(crate) async fn user_id_at(&self, administrator: &Value, email: &str) -> String {
        let found = self.send(get(&format!("/user/by-email?email={email}")).signed(administrator)).await.ok();
        found["userID"].as_str().unwrap().to_owned()
    }

    /// Does one of `disable`, `enable`, `verify` and `unverify` to a user.
    pub(crate) async fn change(&self, administrator: &Value, user: &str, what: &str) {
        self.send(put(&format!("/admin/user/{user}/{what}")).signed(administrator)).await.acknowledged();
    }

    /// A user as administrators see them.
    pub(crate) async fn account(&self, administrator: &Value, user: &str) -> Value {
        self.send(get(&format!("/admin/user/{user}")).signed(administrator)).await.ok()
    }

    /// What the audit log says, newest first.
    pub(crate) async fn events(&self, administrator: &Value, query: &str) -> Vec<Value> {
        let listed = self.send(get(&format!("/admin/events?{query}")).signed(administrator)).await.ok();
        listed["events"].as_array().unwrap().clone()
    }
}

impl Call {
    /// Signed with a session's bearer or with a key pair, whichever it is.
    pub(crate) fn signed(self, credential: &Value) -> Self {
        if credential["bearer"].is_string() { self.bearer(credential) } else { self.key_pair(credential) }
    }
}
