use tracing::{info, instrument};

use super::{
    ATTEMPTS, Auth, OpenedSession, contended,
    limits::refused,
    minting::{Addressee, SignInRequest},
};
use crate::{
    Alias, AuthError, Client, EmailAddress, EmailId, FullName, GroupName, KnownAddress, Language, Outcome,
    Registration, RoleName, UserId,
};

/// What somebody tells of themselves to register.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// Where their codes will go.
    pub email: EmailAddress,
    /// What they call themselves.
    pub full_name: FullName,
    /// The handle they want.
    pub alias: Alias,
}

impl Auth {
    /// Whether people can register themselves.
    ///
    /// # Errors
    /// [`AuthError::RegistrationClosed`] when they cannot.
    pub fn registration_is_open(&self) -> Result<(), AuthError> {
        if self.policy.registration_open { Ok(()) } else { Err(AuthError::RegistrationClosed) }
    }

    /// Registers somebody and mails the code that completes it, in `language`.
    ///
    /// A registered address is not told apart from a free one: the answer is a decoy, and the owner of the address
    /// gets a mail that says so.
    ///
    /// # Errors
    /// [`AuthError::RegistrationClosed`], [`AuthError::AliasTaken`], [`AuthError::Throttled`] alike for every address, or what the store or the random source report.
    #[instrument(level = "debug", skip_all)]
    pub async fn sign_up(
        &self,
        sign_up: SignUp,
        client: &Client,
        language: &Language,
    ) -> Result<OpenedSession, AuthError> {
        self.registration_is_open()?;
        for _ in 0..ATTEMPTS {
            let (opened, registration) = self.prepare_registration(&sign_up, client, language).await?;
            match self.ports.store.register_user(&registration).await? {
                Outcome::Done(()) => {
                    self.ports.bell.ring();
                    info!(session.id = %opened.session_id, "registration stored");
                    return Ok(opened);
                }
                Outcome::Stale => {}
                Outcome::RateLimited(refusal) => {
                    let now = registration.sign_in.code.created_at;
                    return Err(refused(registration.sign_in.restraint.as_ref(), refusal, now));
                }
                other => return Err(other.into()),
            }
        }
        Err(contended().into())
    }

    /// The roles of new users, as they are stored.
    pub(super) fn new_user_roles(&self) -> Vec<String> {
        self.policy.new_user_roles.iter().map(RoleName::to_string).collect()
    }

    /// The groups of new users, as they are stored.
    pub(super) fn new_user_groups(&self) -> Vec<String> {
        self.policy.new_user_groups.iter().map(GroupName::to_string).collect()
    }

    async fn prepare_registration(
        &self,
        sign_up: &SignUp,
        client: &Client,
        language: &Language,
    ) -> Result<(OpenedSession, Registration), AuthError> {
        let now = self.now();
        let known = self.ports.store.find_address(&sign_up.email.key(), now).await?;
        let registered = known.filter(KnownAddress::is_owned);
        let (kind, lifetimes) = self.policy.session_kinds.choose(None)?;
        let addressee = registered.as_ref().map_or(Addressee::Newcomer, |known| Addressee::Owner(&known.address));
        let (address, is_decoy) = (&sign_up.email, registered.is_some());
        let request = SignInRequest { address, addressee, kind, lifetimes, client, language, now };
        let (opened, mut sign_in, decoy_hash) = self.mint_sign_in(request)?;
        if is_decoy {
            sign_in.code.hash = decoy_hash;
        }
        let registration = Registration {
            user_id: UserId::mint(now, self.entropy())?,
            alias: sign_up.alias.clone(),
            full_name: sign_up.full_name.clone(),
            roles: self.new_user_roles(),
            groups: self.new_user_groups(),
            email_id: EmailId::mint(now, self.entropy())?,
            address: sign_up.email.clone(),
            decoy: is_decoy,
            sign_in,
        };
        Ok((opened, registration))
    }
}
