use std::{fmt, num::NonZero, sync::Arc, time::Duration};

use async_trait::async_trait;
use auth_domain::{Mail, MailError, Mailer};
use lettre::transport::smtp::response::Response;
use tokio::{sync::Semaphore, time::timeout};

use super::{
    connection::{Connection, Parcel},
    pool::Pool,
    reply::told,
    server::{InvalidAuthorities, Server},
    trouble::{Step, Trouble},
    url::SmtpUrl,
};
use crate::{Sender, Templates, message::message_of};

/// How long an attempt may take in all. A courier's lease is longer, so that nobody else has begun meanwhile.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(22);

/// Hands mails to a mail server, over a few connections that are kept open.
///
/// There are never more connections than was asked for; a mail waits until one is free. A connection that was used
/// before and does not take another mail, because the server closed it meanwhile, is replaced by a fresh one at once. One
/// on which anything stayed unanswered is closed and not used again.
///
/// | what happens | the mail |
/// |---|---|
/// | the server takes it | is delivered, and the server's words are returned |
/// | no connection, no answer in time, an unverified certificate, a refused log-in, any 4xx | is to be tried again |
/// | 5xx to sender, recipient or message; an international recipient where the server has no SMTPUTF8 | is refused |
/// | the connection breaks before the server has answered the message | is to be tried again: with the same Message-ID |
///
/// What is returned and told names neither the recipient nor a code, even where the server's own words did.
pub struct SmtpMailer {
    place: String,
    server: Server,
    from: Sender,
    templates: Arc<Templates>,
    free: Semaphore,
    pool: Arc<Pool>,
}

impl SmtpMailer {
    /// A mailer that hands mails from `from` to the server at `url`, `connections` of them at a time. Nothing is
    /// connected yet: the server may be away.
    ///
    /// # Errors
    /// [`InvalidAuthorities`] when the authorities that `url` names cannot be read.
    pub fn new(url: SmtpUrl, from: Sender, connections: NonZero<u16>) -> Result<Self, InvalidAuthorities> {
        Ok(Self {
            place: url.to_string(),
            server: Server::new(url, &from)?,
            from,
            templates: Arc::default(),
            free: Semaphore::new(connections.get().into()),
            pool: Arc::default(),
        })
    }

    /// The same with other texts than the built-in ones.
    #[must_use]
    pub fn with_templates(self, templates: Arc<Templates>) -> Self {
        Self { templates, ..self }
    }

    async fn hand_over(&self, parcel: &Parcel) -> Result<Response, Trouble> {
        if let Some(kept) = self.pool.take() {
            match self.hand_over_on(kept, parcel).await {
                // Nothing of this mail has been taken: the server may have had enough of the connection.
                Err(Trouble { step: Step::Sender, .. }) => {}
                settled => return settled,
            }
        }
        let fresh = Connection::open(&self.server).await?;
        self.hand_over_on(fresh, parcel).await
    }

    async fn hand_over_on(&self, mut connection: Connection, parcel: &Parcel) -> Result<Response, Trouble> {
        let outcome = connection.hand_over(parcel).await;
        if connection.is_usable() {
            self.pool.keep(connection);
        }
        outcome
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    /// Hands over one mail and returns the server's reply. Runs on tokio; to be given the same runtime each time, since
    /// connections belong to it.
    async fn deliver(&self, mail: &Mail) -> Result<String, MailError> {
        let message = message_of(mail, &self.from, &self.templates)?;
        let parcel = Parcel::new(&message)
            .ok_or_else(|| MailError::Permanent("the message is not text to one recipient".to_owned()))?;
        let attempt = timeout(ATTEMPT_WITHIN, async {
            // Never closed.
            let _connection = self.free.acquire().await;
            self.hand_over(&parcel).await
        });
        let recipient = mail.to.as_str();
        match attempt.await {
            Ok(Ok(reply)) => {
                let text = reply.message().collect::<Vec<_>>().join(" ");
                Ok(told(reply.code().into(), &text, recipient))
            }
            Ok(Err(trouble)) => Err(trouble.verdict(recipient)),
            Err(_elapsed) => Err(MailError::Transient(format!("not taken within {} s", ATTEMPT_WITHIN.as_secs()))),
        }
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("server", &self.place).field("from", &self.from).finish_non_exhaustive()
    }
}
