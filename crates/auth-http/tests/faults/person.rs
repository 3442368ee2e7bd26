//! Somebody who uses the service, and knows what it owes them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    client::{Answer, Request},
    doors::{Asked, Doors},
    random::Random,
    running::within_patience,
};

/// By when a replica has heard what another one has revoked.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// Credentials that one person asks for at most.
const ENOUGH: usize = 5;

/// Somebody with an address and an account.
pub(crate) struct Person {
    name: String,
    credentials: Vec<Credential>,
    /// How many code mails they are owed, those that they have got included.
    letters: usize,
    /// Whether they have asked for a code without an answer: another mail may come, or not.
    is_muddled: bool,
}

/// A session or a key pair that was acknowledged.
struct Credential {
    proof: Proof,
    id: String,
    code_id: String,
    /// In which of the mails the code stands.
    letter: usize,
    standing: Standing,
    /// When it ends, as far as that was acknowledged, in Unix seconds.
    expires_at: i64,
}

enum Proof {
    Bearer(String),
    KeyPair { key: String, secret: String },
}

/// How a credential stands by what was acknowledged.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// For its code.
    Waiting,
    /// Its code was sent in, and no answer has come.
    PerhapsOpen,
    Open,
    /// It was asked to be ended, and no answer has come.
    PerhapsEnded,
    /// It was ended at this moment, at this door.
    Ended(Instant, usize),
}

impl Person {
    /// Signs up at `door`; nobody, if that was not acknowledged.
    pub(crate) fn sign_up(name: String, doors: &Doors, door: usize) -> Option<Self> {
        let wish = json!({"email": address(&name), "fullName": "Ada", "alias": name});
        let answer = doors.ask(door, Asked::Act, &Request::new("POST", "/user").json(&wish))?;
        assert_eq!(answer.status, 202, "{answer:?}");
        let session = Credential::session(&answer.body, 0);
        Some(Self { name, credentials: vec![session], letters: 1, is_muddled: false })
    }

    /// Does something at some door.
    pub(crate) fn act(&mut self, doors: &Doors, random: &mut Random) {
        let (door, number) = (random.below(doors.count()), random.below(self.credentials.len()));
        let is_session = matches!(self.credentials[number].proof, Proof::Bearer(_));
        match (random.below(10), self.credentials[number].standing) {
            (0..=4, Standing::Waiting | Standing::PerhapsOpen) => self.redeem(number, doors, door),
            (5, Standing::Open | Standing::PerhapsEnded) if self.has_another_session(number) => {
                self.end(number, doors, door);
            }
            (6, Standing::Open) if is_session => self.extend(number, doors, door),
            (7, _) if self.may_ask_for_more() => self.ask_for_more(random.happens(50), doors, door),
            _ => self.check(number, doors, door),
        }
    }

    /// Fails unless everything that was acknowledged to them is so, at every door. What was not is brought to an end.
    pub(crate) fn has_what_was_acknowledged(&mut self, doors: &Doors) {
        // Sessions come before the key pairs that were made with them.
        for number in 0..self.credentials.len() {
            if matches!(self.credentials[number].standing, Standing::Waiting) {
                within_patience(|| self.code(number, doors));
            }
            within_patience(|| {
                match self.credentials[number].standing {
                    Standing::Waiting | Standing::PerhapsOpen => self.redeem(number, doors, 0),
                    Standing::PerhapsEnded => self.end(number, doors, 0),
                    Standing::Open | Standing::Ended(..) => return Some(()),
                }
                None
            });
        }
        for door in 0..doors.count() {
            for number in 0..self.credentials.len() {
                within_patience(|| {
                    let answer = self.ask(number, doors, door)?;
                    self.judge(number, door, Instant::now() - HEARD_WITHIN * 2, &answer);
                    match self.credentials[number].standing {
                        Standing::Ended(..) => (answer.status == 401).then_some(()),
                        _ => (answer.body["expireAt"].as_i64() >= Some(self.credentials[number].expires_at))
                            .then_some(()),
                    }
                });
            }
        }
    }

    /// How many sessions and key pairs were acknowledged to them.
    pub(crate) fn credentials(&self) -> usize {
        self.credentials.len()
    }

    fn check(&self, number: usize, doors: &Doors, door: usize) {
        let asked = Instant::now();
        if let Some(answer) = self.ask(number, doors, door) {
            self.judge(number, door, asked, &answer);
        }
    }

    fn ask(&self, number: usize, doors: &Doors, door: usize) -> Option<Answer> {
        let request = match &self.credentials[number].proof {
            Proof::Bearer(bearer) => signed("GET", "/session", bearer),
            Proof::KeyPair { key, secret } => {
                Request::new("GET", "/keypair").header("api-key", key).header("api-secret", secret)
            }
        };
        doors.ask(door, Asked::Check, &request)
    }

    /// Fails if a check that was begun at `asked` should not have been answered like this.
    fn judge(&self, number: usize, door: usize, asked: Instant, answer: &Answer) {
        let standing = self.credentials[number].standing;
        let is_right = match (standing, answer.status) {
            (Standing::Waiting | Standing::Ended(..), 401)
            | (Standing::Open, 200)
            | (Standing::PerhapsOpen | Standing::PerhapsEnded, 200 | 401) => true,
            (Standing::Ended(at, there), 200) => there != door && asked < at + HEARD_WITHIN,
            _ => false,
        };
        assert!(is_right, "replica {door} answers {} to a credential that is {standing:?}", answer.status);
    }

    fn redeem(&mut self, number: usize, doors: &Doors, door: usize) {
        let Some(code) = self.code(number, doors) else { return };
        let credential = &self.credentials[number];
        let proof = json!({"verificationCodeID": credential.code_id, "code": code});
        let request = match (&credential.proof, self.open_bearer()) {
            (Proof::Bearer(_), _) => Request::new("PUT", "/session/verification"),
            (Proof::KeyPair { .. }, Some(bearer)) => signed("PUT", "/keypair/verification", bearer),
            (Proof::KeyPair { .. }, None) => return,
        };
        let answer = doors.ask(door, Asked::Act, &request.json(&proof));
        let credential = &mut self.credentials[number];
        credential.standing = match (credential.standing, answer.map(|answer| answer.status)) {
            // A code that was right and is refused has been used: by the request that was not answered.
            (Standing::Waiting | Standing::PerhapsOpen, Some(202)) | (Standing::PerhapsOpen, Some(401)) => {
                Standing::Open
            }
            (_, None) => Standing::PerhapsOpen,
            (standing, status) => panic!("{status:?} to the right code of a credential that is {standing:?}"),
        };
    }

    fn end(&mut self, number: usize, doors: &Doors, door: usize) {
        let credential = &self.credentials[number];
        let (request, gone) = match (&credential.proof, self.open_bearer()) {
            (Proof::Bearer(bearer), _) => (signed("DELETE", &format!("/session/{}", credential.id), bearer), 401),
            (Proof::KeyPair { .. }, Some(bearer)) => {
                (signed("DELETE", &format!("/keypair/{}", credential.id), bearer), 404)
            }
            (Proof::KeyPair { .. }, None) => return,
        };
        let answer = doors.ask(door, Asked::Act, &request).map(|answer| answer.status);
        let credential = &mut self.credentials[number];
        credential.standing = match (credential.standing, answer) {
            (_, Some(202)) => Standing::Ended(Instant::now(), door),
            (Standing::PerhapsEnded, Some(status)) if status == gone => Standing::Ended(Instant::now(), door),
            (_, None) => Standing::PerhapsEnded,
            (standing, Some(status)) => panic!("{status} to the end of a credential that is {standing:?}"),
        };
    }

    fn extend(&mut self, number: usize, doors: &Doors, door: usize) {
        let credential = &mut self.credentials[number];
        let Proof::Bearer(bearer) = &credential.proof else { return };
        let Some(answer) = doors.ask(door, Asked::Act, &signed("PUT", "/session/extend", bearer)) else { return };
        assert_eq!(answer.status, 202, "{answer:?}");
        credential.expires_at = credential.expires_at.max(answer.body["expireAt"].as_i64().unwrap());
    }

    /// Whether a further code would be told from all others: by coming next.
    fn may_ask_for_more(&self) -> bool {
        let is_settled =
            |credential: &Credential| !matches!(credential.standing, Standing::Waiting | Standing::PerhapsOpen);
        !self.is_muddled && self.credentials.len() < ENOUGH && self.credentials.iter().all(is_settled)
    }

    /// Asks for a key pair, or for another session.
    fn ask_for_more(&mut self, for_key_pair: bool, doors: &Doors, door: usize) {
        let request = match self.open_bearer() {
            Some(bearer) if for_key_pair => {
                signed("POST", "/keypair", bearer).json(&json!({"name": "nightly", "days": 1}))
            }
            _ => Request::new("POST", "/session").json(&json!({"email": address(&self.name)})),
        };
        let Some(answer) = doors.ask(door, Asked::Act, &request) else {
            self.is_muddled = true;
            return;
        };
        assert_eq!(answer.status, 202, "{answer:?}");
        let of = if answer.body["apiKey"].is_string() { Credential::key_pair } else { Credential::session };
        self.credentials.push(of(&answer.body, self.letters));
        self.letters += 1;
    }

    fn code(&self, number: usize, doors: &Doors) -> Option<String> {
        doors.postbox.code(&address(&self.name), self.credentials[number].letter)
    }

    fn open_sessions(&self) -> impl Iterator<Item = (usize, &str)> {
        self.credentials.iter().enumerate().filter_map(|(number, credential)| {
            match (&credential.proof, credential.standing) {
                (Proof::Bearer(bearer), Standing::Open) => Some((number, bearer.as_str())),
                _ => None,
            }
        })
    }

    fn open_bearer(&self) -> Option<&str> {
        self.open_sessions().next().map(|(_, bearer)| bearer)
    }

    fn has_another_session(&self, than: usize) -> bool {
        self.open_sessions().any(|(number, _)| number != than)
    }
}

impl Credential {
    fn session(answer: &Value, letter: usize) -> Self {
        Self::of(answer, "sessionID", Proof::Bearer(text(&answer["bearer"])), letter)
    }

    fn key_pair(answer: &Value, letter: usize) -> Self {
        let proof = Proof::KeyPair { key: text(&answer["apiKey"]), secret: text(&answer["apiSecret"]) };
        Self::of(answer, "keyID", proof, letter)
    }

    fn of(answer: &Value, id: &str, proof: Proof, letter: usize) -> Self {
        let (id, code_id) = (text(&answer[id]), text(&answer["verificationCodeID"]));
        let expires_at = answer["expireAt"].as_i64().unwrap();
        Self { proof, id, code_id, letter, standing: Standing::Waiting, expires_at }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn address(name: &str) -> String {
    format!("{name}@example.org")
}

fn signed(method: &str, path: &str, bearer: &str) -> Request {
    Request::new(method, path).header("Authorization", &format!("Bearer {bearer}"))
}
