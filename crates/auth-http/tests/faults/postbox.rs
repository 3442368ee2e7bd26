//! The mail server, and what it has been given, by whom it is for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use auth_testkit::smtp::SmtpServer;
use uuid::Uuid;

/// A mail server and the code mails that it has taken.
pub(crate) struct Postbox {
    pub(crate) server: SmtpServer,
    sorted: Mutex<Sorted>,
}

#[derive(Default)]
struct Sorted {
    /// How many mails were looked at.
    count: usize,
    /// The codes that came to each address.
    codes: HashMap<String, Vec<String>>,
    /// When each mail was taken, copies included: it was the how manieth.
    taken: HashMap<String, Vec<usize>>,
}

/// A mail that was taken more than once.
#[derive(Debug)]
pub(crate) struct Copied {
    /// Which one.
    pub(crate) mail_id: Uuid,
    /// The how manieth of all mails each copy was.
    pub(crate) taken: Vec<usize>,
}

impl Postbox {
    pub(crate) fn start() -> Self {
        Self { server: SmtpServer::start(), sorted: Mutex::default() }
    }

    /// The code in the mail that came to `address` as the `number`th, from 0, without counting copies.
    pub(crate) fn code(&self, address: &str, number: usize) -> Option<String> {
        let sorted = self.sorted();
        sorted.codes.get(address)?.get(number).cloned()
    }

    /// How many mails were taken, copies included.
    pub(crate) fn count(&self) -> usize {
        self.sorted().count
    }

    /// The mails that were taken more than once.
    pub(crate) fn copied(&self) -> Vec<Copied> {
        let sorted = self.sorted();
        let copied = sorted.taken.iter().filter(|(_, taken)| taken.len() > 1);
        copied.map(|(message_id, taken)| Copied { mail_id: mail_id(message_id), taken: taken.clone() }).collect()
    }

    fn sorted(&self) -> MutexGuard<'_, Sorted> {
        let mut sorted = self.sorted.lock().unwrap();
        for mail in self.server.mails_after(sorted.count) {
            let header = |name: &str| mail.text.lines().find_map(|line| line.strip_prefix(name));
            let message_id = header("Message-ID: ").expect("every mail has one").to_owned();
            let number = sorted.count;
            sorted.count += 1;
            let taken = sorted.taken.entry(message_id).or_default();
            taken.push(number);
            if taken.len() == 1 {
                let code = header("Subject: ").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
                sorted.codes.entry(mail.to).or_default().push(code);
            }
        }
        sorted
    }
}

/// The id that a Message-ID is made of: each of its hexadecimal digits stands as a letter from `a` to `p`.
fn mail_id(message_id: &str) -> Uuid {
    let letters = message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let digit = |letter: char| char::from_digit(u32::from(letter) - u32::from('a'), 16).unwrap();
    Uuid::parse_str(&letters.chars().map(digit).collect::<String>()).unwrap()
}
