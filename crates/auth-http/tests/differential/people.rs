//! What people do: sign in, and look after their addresses, key pairs and sessions.

use auth_domain::{AuthError, Caller, CodePurpose, KeyLife, KeyName, KeyPairWish, Language, SignUp};

use crate::{
    side::{Side, address, alias, client, name, newest, told},
    step::{Guess, Step},
};

impl Side {
    /// What is answered to somebody who does this.
    pub(crate) async fn act(&mut self, step: &Step) -> String {
        let outcome = match step {
            Step::SignUp { .. } | Step::SignIn { .. } | Step::Redeem { .. } => self.sign_in(step).await,
            Step::CheckSession { .. }
            | Step::CheckKeyPair { .. }
            | Step::Extend { .. }
            | Step::CloseSession { .. }
            | Step::CloseOtherSessions { .. }
            | Step::DeleteAccount { .. }
            | Step::List { .. } => self.use_session(step).await,
            _ => self.manage(step).await,
        };
        outcome.unwrap_or_else(|error| format!("{error:?}"))
    }

    async fn sign_in(&mut self, step: &Step) -> Result<String, AuthError> {
        let language = Language::default();
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
            _ => unreachable!("nobody signs in by it"),
        })
    }

    async fn manage(&mut self, step: &Step) -> Result<String, AuthError> {
        let (here, language) = (client(0), Language::default());
        Ok(match *step {
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
                told(&self.auth.prefer_email(&caller, id, &here, &language).await)
            }
            Step::RemoveEmail { by, email } => {
                let caller = self.caller(by).await?;
                let id = self.email_of(caller.user.id, email).await?;
                told(&self.auth.remove_email(&caller, id, &here, &language).await)
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
                told(&self.auth.delete_key_pair(&caller, *id, &here).await)
            }
            _ => unreachable!("it changes neither an address nor a key pair"),
        })
    }

    async fn use_session(&mut self, step: &Step) -> Result<String, AuthError> {
        let here = client(0);
        Ok(match *step {
            Step::CheckSession { session } => {
                let Some((_, bearer)) = newest(&self.bearers, session) else { return Ok(String::new()) };
                told(&self.auth.check_session(bearer).await)
            }
            Step::CheckKeyPair { pair } => {
                let Some((_, key, secret)) = newest(&self.pairs, pair) else { return Ok(String::new()) };
                told(&self.auth.check_key_pair(key, secret).await)
            }
            Step::Extend { by } => {
                let caller = self.caller(by).await?;
                told(&self.auth.extend_session(&caller).await)
            }
            Step::CloseSession { by, session } => {
                let caller = self.caller(by).await?;
                let Some((id, _)) = newest(&self.bearers, session) else { return Ok(String::new()) };
                told(&self.auth.close_session(&caller, *id, &here).await)
            }
            Step::CloseOtherSessions { by } => {
                let caller = self.caller(by).await?;
                told(&self.auth.close_other_sessions(&caller, &here).await)
            }
            Step::DeleteAccount { by } => {
                let caller = Caller::Session(self.caller(by).await?);
                told(&self.auth.delete_account(&caller, &here).await)
            }
            Step::List { by } => {
                let caller = self.caller(by).await?;
                let sessions = self.auth.list_sessions(&caller).await?;
                let (emails, pairs) = (self.auth.list_emails(&caller).await?, self.auth.list_key_pairs(&caller).await?);
                format!("{sessions:?} {emails:?} {pairs:?}")
            }
            _ => unreachable!("it is about no session"),
        })
    }
}
