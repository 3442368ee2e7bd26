use std::time::Duration;

use lettre::{
    Address, Message,
    transport::smtp::{
        self,
        authentication::DEFAULT_MECHANISMS,
        client::{AsyncSmtpConnection, Tls},
        commands::{Data, Mail, Quit, Rcpt, Rset},
        extension::{Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};
use tokio::{net::TcpStream, time::timeout};

use super::{
    server::Server,
    trouble::{Reason, Step, Trouble, innermost},
    wire::Wire,
};

/// How long a connection may take to be accepted.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// How long greeting, encryption and log-in may take together with that.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// How long the server may take to answer a command.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The same for the first command on a connection that lay idle: there must be time left to try a fresh one.
const STILL_THERE_WITHIN: Duration = Duration::from_secs(5);
/// How long a farewell may take.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

const NO_STARTTLS: &str = "the server does not offer STARTTLS, and mail.url requires it";
const NO_AUTH: &str = "the server offers neither AUTH PLAIN nor LOGIN, and mail.url has a password";
const NO_SMTPUTF8: &str = "the address is not ASCII, and the server cannot take such addresses (SMTPUTF8)";

/// A mail on its way.
pub(super) struct Parcel {
    from: Option<Address>,
    to: Address,
    /// The message as it stands on the wire, its end included.
    octets: String,
}

impl Parcel {
    pub(super) fn new(message: &Message) -> Option<Self> {
        let text = String::from_utf8(message.formatted()).ok()?;
        let to = message.envelope().to().first()?.clone();
        // RFC 5321 §4.5.2: a line that begins with a dot gets another one. One string, and so one write: it does not
        // wait for an acknowledgement half-way. No message begins with a dot; the first line is a header.
        let mut octets = text.replace("\r\n.", "\r\n..");
        if !octets.ends_with("\r\n") {
            octets.push_str("\r\n");
        }
        octets.push_str(".\r\n");
        Some(Self { from: message.envelope().from().cloned(), to, octets })
    }
}

/// A connection to the mail server, logged in where that is asked for.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    was_used: bool,
    is_usable: bool,
}

impl Connection {
    pub(super) async fn open(server: &Server) -> Result<Self, Trouble> {
        match timeout(OPEN_WITHIN, Self::open_slowly(server)).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(Reason::no_answer_within(OPEN_WITHIN).at(Step::Connection)),
        }
    }

    async fn open_slowly(server: &Server) -> Result<Self, Trouble> {
        let mut smtp = connected(server).await.map_err(|reason| reason.at(Step::Connection))?;
        match &server.tls {
            Tls::None | Tls::Wrapper(_) => {}
            Tls::Opportunistic(_) if !smtp.can_starttls() => {}
            Tls::Required(_) if !smtp.can_starttls() => {
                say_farewell(&mut smtp).await;
                return Err(Reason::Lacking(NO_STARTTLS).at(Step::Connection));
            }
            Tls::Opportunistic(parameters) | Tls::Required(parameters) => {
                let encrypted = smtp.starttls(parameters.clone(), &server.hello).await;
                encrypted.map_err(|error| Reason::from(error).at(Step::Connection))?;
            }
        }
        if let Some(credentials) = &server.credentials {
            if smtp.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                say_farewell(&mut smtp).await;
                return Err(Reason::Lacking(NO_AUTH).at(Step::LogIn));
            }
            let logged_in = smtp.auth(DEFAULT_MECHANISMS, credentials).await;
            logged_in.map_err(|error| Reason::from(error).at(Step::LogIn))?;
        }
        Ok(Self { smtp, was_used: false, is_usable: true })
    }

    /// Whether it can carry another mail: everything asked on it was answered, and the server has not closed it.
    pub(super) const fn is_usable(&self) -> bool {
        self.is_usable
    }

    /// Hands over `parcel`, and returns what the server answers.
    ///
    /// How long the server takes to accept the message is up to the caller: to give up on a slow one means to send it
    /// again, perhaps for nothing.
    pub(super) async fn hand_over(&mut self, parcel: &Parcel) -> Result<Response, Trouble> {
        let outcome = self.converse(parcel).await;
        if let Err(trouble) = &outcome {
            self.is_usable = trouble.leaves_connection() && self.forgets(trouble.step).await;
        }
        outcome
    }

    async fn converse(&mut self, parcel: &Parcel) -> Result<Response, Trouble> {
        let patience = if self.was_used { STILL_THERE_WITHIN } else { ANSWERED_WITHIN };
        self.was_used = true;
        let (sender, recipient) = (self.sender(parcel)?, Rcpt::new(parcel.to.clone(), Vec::new()));
        answered(patience, self.smtp.command(sender)).await.map_err(|reason| reason.at(Step::Sender))?;
        let recipient = answered(ANSWERED_WITHIN, self.smtp.command(recipient)).await;
        recipient.map_err(|reason| reason.at(Step::Recipient))?;
        let ready = answered(ANSWERED_WITHIN, self.smtp.command(Data)).await;
        ready.map_err(|reason| reason.at(Step::Message))?;
        self.smtp.command(&parcel.octets).await.map_err(|error| Reason::from(error).at(Step::Message))
    }

    /// Has the server forget the mail that it refused half-way. Returns whether it did.
    async fn forgets(&mut self, refused_at: Step) -> bool {
        refused_at == Step::Sender || answered(FAREWELL_WITHIN, self.smtp.command(Rset)).await.is_ok()
    }

    fn sender(&self, parcel: &Parcel) -> Result<Mail, Trouble> {
        let server = self.smtp.server_info();
        let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let (from_is_plain, to_is_plain) = (parcel.from.as_ref().is_none_or(is_plain), is_plain(&parcel.to));
        let mut parameters = Vec::new();
        if !(from_is_plain && to_is_plain) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let step = if from_is_plain { Step::Recipient } else { Step::Sender };
                return Err(Reason::Lacking(NO_SMTPUTF8).at(step));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // Only addresses in the header can make it so, and a server with SMTPUTF8 has this as well (RFC 6531 §3.1).
        if !parcel.octets.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(Mail::new(parcel.from.clone(), parameters))
    }

    /// Ends it as is polite, without waiting long.
    pub(super) async fn close(mut self) {
        say_farewell(&mut self.smtp).await;
    }
}

async fn connected(server: &Server) -> Result<AsyncSmtpConnection, Reason> {
    let place = (server.host.as_str(), server.port);
    if let Tls::Wrapper(parameters) = &server.tls {
        let parameters = Some(parameters.clone());
        return Ok(
            AsyncSmtpConnection::connect_tokio1(place, Some(CONNECTED_WITHIN), &server.hello, parameters, None).await?
        );
    }
    let socket = match timeout(CONNECTED_WITHIN, TcpStream::connect(place)).await {
        Ok(connected) => connected.and_then(|socket| socket.set_nodelay(true).map(|()| socket)),
        Err(_elapsed) => return Err(Reason::no_answer_within(CONNECTED_WITHIN)),
    };
    let socket = socket.map_err(|error| Reason::Broken(innermost(&error)))?;
    Ok(AsyncSmtpConnection::connect_with_transport(Box::new(Wire::new(socket)), &server.hello).await?)
}

async fn answered(
    patience: Duration,
    command: impl Future<Output = Result<Response, smtp::Error>>,
) -> Result<Response, Reason> {
    match timeout(patience, command).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(Reason::no_answer_within(patience)),
    }
}

async fn say_farewell(smtp: &mut AsyncSmtpConnection) {
    // Whatever comes back, or nothing: the connection is over.
    let _answer = timeout(FAREWELL_WITHIN, smtp.command(Quit)).await;
}
