use crate::{PortalUrl, VerificationCode};

/// What a mail says.
#[derive(Debug)]
pub enum MailContent {
    /// It hands over a code.
    Code(CodeMail, VerificationCode),
    /// It tells somebody something.
    Notice(Notice),
    /// It invites somebody for whom an account was made, to sign in on this page.
    Invitation(PortalUrl),
}

/// The name of the template of an invitation.
pub const INVITATION: &str = "invitation";

/// What the code in a mail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeMail {
    /// Completes a registration.
    SignUp,
    /// Opens a session.
    SignIn,
    /// Verifies an address that was added to an account.
    Email,
    /// Verifies a key pair.
    KeyPair,
}

/// What a mail without a code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The owner of a registered address: somebody tried to register it again.
    AddressAlreadyRegistered,
    /// The owner of a registered address: somebody tried to add it to another account.
    AddressClaimedElsewhere,
    /// An account's verified addresses: another one was added.
    AddressAdded,
    /// An account's verified addresses: another one was removed.
    AddressRemoved,
    /// An account's verified addresses: another one is preferred from now on.
    AddressPreferred,
    /// The owner of an address: so many codes were guessed wrong that no more guesses are accepted.
    AddressLocked,
}

impl CodeMail {
    /// Every one there is.
    pub const ALL: [Self; 4] = [Self::SignUp, Self::SignIn, Self::Email, Self::KeyPair];

    /// What it is called in storage and among templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign-up-code",
            Self::SignIn => "sign-in-code",
            Self::Email => "email-code",
            Self::KeyPair => "key-pair-code",
        }
    }
}

impl Notice {
    /// Every one there is.
    pub const ALL: [Self; 6] = [
        Self::AddressAlreadyRegistered,
        Self::AddressClaimedElsewhere,
        Self::AddressAdded,
        Self::AddressRemoved,
        Self::AddressPreferred,
        Self::AddressLocked,
    ];

    /// What it is called in storage and among templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressAlreadyRegistered => "address-already-registered",
            Self::AddressClaimedElsewhere => "address-claimed-elsewhere",
            Self::AddressAdded => "address-added",
            Self::AddressRemoved => "address-removed",
            Self::AddressPreferred => "address-preferred",
            Self::AddressLocked => "address-locked",
        }
    }
}

impl MailContent {
    /// The name of its template.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::Code(mail, _) => mail.as_str(),
            Self::Notice(notice) => notice.as_str(),
            Self::Invitation(_) => INVITATION,
        }
    }

    /// The code it hands over, if any.
    pub const fn code(&self) -> Option<&VerificationCode> {
        match self {
            Self::Code(_, code) => Some(code),
            Self::Notice(_) | Self::Invitation(_) => None,
        }
    }

    /// What it says beyond its template: the digits of a code, or the page of an invitation.
    pub(super) fn particulars(&self) -> &str {
        match self {
            Self::Code(_, code) => code.expose(),
            Self::Notice(_) => "",
            Self::Invitation(portal) => portal.as_str(),
        }
    }

    /// What was sealed as a template's name and [`particulars`](Self::particulars).
    pub(super) fn from_sealed(template: &str, particulars: &str) -> Option<Self> {
        if template == INVITATION {
            return PortalUrl::parse(particulars).ok().map(Self::Invitation);
        }
        if let Some(mail) = CodeMail::ALL.into_iter().find(|mail| mail.as_str() == template) {
            return Some(Self::Code(mail, VerificationCode::from_sealed(particulars)));
        }
        Notice::ALL.into_iter().find(|notice| notice.as_str() == template).map(Self::Notice)
    }
}
