use std::{io, net::TcpStream, ops::ControlFlow, thread};

use super::{Encryption, Step, TakenMail, Whim, base64::encoded, shared::Shared, stream::Stream};

/// Talks with one client until it has gone.
pub(super) fn hold(shared: &Shared, socket: TcpStream, number: usize) {
    let Ok(stream) = Stream::new(socket) else { return };
    // Clients come and go as they like; what they got is on record.
    let _gone = Conversation { shared, stream, number, user: None, mail: None }.hold();
}

struct Conversation<'a> {
    shared: &'a Shared,
    stream: Stream,
    number: usize,
    user: Option<String>,
    mail: Option<TakenMail>,
}

/// Whether there is more to say.
type Going = io::Result<ControlFlow<()>>;

impl Conversation<'_> {
    fn hold(mut self) -> io::Result<()> {
        if let Encryption::Implicit(config) = &self.shared.offer.encryption {
            self.stream.encrypt(config)?;
        }
        if self.answer(Step::Greeting, "220 localhost ready")?.is_break() {
            return Ok(());
        }
        while let Some(line) = self.stream.line()? {
            self.shared.state().commands.push(line.clone());
            if self.obey(&line)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn obey(&mut self, line: &str) -> Going {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_uppercase().as_str() {
            "EHLO" => {
                let hello = self.hello();
                self.answer(Step::Hello, &hello)
            }
            "STARTTLS" => self.start_tls(),
            "AUTH" => self.log_in(argument),
            "MAIL" => self.sender(argument),
            "RCPT" => self.recipient(argument),
            "DATA" => self.data(),
            "RSET" => {
                self.mail = None;
                self.say("250 2.0.0 forgotten")
            }
            "NOOP" => self.say("250 2.0.0 as you were"),
            "QUIT" => {
                self.stream.say("221 2.0.0 bye")?;
                Ok(ControlFlow::Break(()))
            }
            _ => self.say("500 5.5.1 what?"),
        }
    }

    fn hello(&self) -> String {
        let offer = &self.shared.offer;
        let mut lines = vec!["localhost".to_owned(), "8BITMIME".to_owned()];
        if matches!(offer.encryption, Encryption::StartTls(_)) && !self.stream.is_encrypted() {
            lines.push("STARTTLS".to_owned());
        }
        if offer.login.is_some() {
            lines.push(format!("AUTH {}", offer.mechanisms));
        }
        if offer.smtputf8 {
            lines.push("SMTPUTF8".to_owned());
        }
        let last = lines.pop().unwrap_or_default();
        format!("250-{}\r\n250 {last}", lines.join("\r\n250-"))
    }

    fn start_tls(&mut self) -> Going {
        let shared = self.shared;
        let Encryption::StartTls(config) = &shared.offer.encryption else { return self.say("502 5.5.1 not here") };
        if self.stream.is_encrypted() {
            return self.say("503 5.5.1 we are");
        }
        let going = self.answer(Step::StartTls, "220 2.0.0 go ahead")?;
        if going.is_continue() {
            self.stream.encrypt(config)?;
        }
        Ok(going)
    }

    fn log_in(&mut self, argument: &str) -> Going {
        let Some((user, password)) = self.shared.offer.login else { return self.say("502 5.5.1 not here") };
        let is_right = if argument.eq_ignore_ascii_case("LOGIN") {
            let (said_user, said_password) = (self.ask("Username:")?, self.ask("Password:")?);
            said_user == encoded(user.as_bytes()) && said_password == encoded(password.as_bytes())
        } else {
            argument == format!("PLAIN {}", encoded(format!("\0{user}\0{password}").as_bytes()))
        };
        if !is_right {
            return self.say("535 5.7.8 bad user or password");
        }
        let going = self.answer(Step::LogIn, "235 2.7.0 welcome")?;
        self.user = Some(user.to_owned());
        Ok(going)
    }

    fn ask(&mut self, what: &str) -> io::Result<String> {
        self.stream.say(&format!("334 {}", encoded(what.as_bytes())))?;
        Ok(self.stream.line()?.unwrap_or_default())
    }

    fn sender(&mut self, argument: &str) -> Going {
        if self.shared.offer.login.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 who are you?");
        }
        if self.mail.is_some() {
            return self.say("503 5.5.1 one at a time");
        }
        let Some((from, parameters)) = in_brackets(argument) else { return self.say("501 5.5.4 from whom?") };
        self.mail = Some(TakenMail {
            from: from.to_owned(),
            parameters: parameters.to_owned(),
            to: String::new(),
            text: String::new(),
            encrypted: self.stream.is_encrypted(),
            user: self.user.clone(),
            connection: self.number,
        });
        let whim = self.shared.whim(Step::Sender);
        if !matches!(whim, None | Some(Whim::Delay(_) | Whim::Withhold)) {
            self.mail = None;
        }
        self.answer_with(whim, "250 2.1.0 from you")
    }

    fn recipient(&mut self, argument: &str) -> Going {
        let Some((to, _)) = in_brackets(argument) else { return self.say("501 5.5.4 to whom?") };
        match &mut self.mail {
            Some(mail) => to.clone_into(&mut mail.to),
            None => return self.say("503 5.5.1 from whom?"),
        }
        self.answer(Step::Recipient, "250 2.1.5 to them")
    }

    fn data(&mut self) -> Going {
        if self.mail.as_ref().is_none_or(|mail| mail.to.is_empty()) {
            return self.say("503 5.5.1 to whom?");
        }
        match self.shared.whim(Step::Data) {
            None => self.stream.say("354 go on")?,
            Some(Whim::Delay(span)) => {
                thread::sleep(span);
                self.stream.say("354 go on")?;
            }
            Some(Whim::Withhold) => {
                self.shared.wait_until_told();
                self.stream.say("354 go on")?;
            }
            Some(whim) => return self.indulge(whim),
        }
        let (Some(mut mail), Some(text)) = (self.mail.take(), self.stream.message()?) else {
            return Ok(ControlFlow::Break(()));
        };
        mail.text = text;
        let whim = self.shared.whim(Step::Message);
        if !matches!(whim, Some(Whim::Reply(_) | Whim::Hang)) {
            self.shared.state().mails.push(mail);
        }
        self.answer_with(whim, "250 2.0.0 queued as T3ST")
    }

    /// Says `text`, unless it misbehaves at this step.
    fn answer(&mut self, step: Step, text: &str) -> Going {
        let whim = self.shared.whim(step);
        self.answer_with(whim, text)
    }

    fn answer_with(&mut self, whim: Option<Whim>, text: &str) -> Going {
        match whim {
            None => self.say(text),
            Some(Whim::Delay(span)) => {
                thread::sleep(span);
                self.say(text)
            }
            Some(Whim::Withhold) => {
                self.shared.wait_until_told();
                self.say(text)
            }
            Some(whim) => self.indulge(whim),
        }
    }

    fn indulge(&mut self, whim: Whim) -> Going {
        match whim {
            Whim::Reply(text) => {
                self.stream.say(&text)?;
                // RFC 5321 §3.8: after a 421 the server closes.
                Ok(if text.starts_with("421") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            }
            Whim::Hang => {
                let shared = self.shared;
                shared.withhold(|| self.stream.wait_for_the_end())?;
                Ok(ControlFlow::Break(()))
            }
            Whim::Delay(_) | Whim::Withhold | Whim::Drop => Ok(ControlFlow::Break(())),
        }
    }

    fn say(&mut self, text: &str) -> Going {
        self.stream.say(text)?;
        Ok(ControlFlow::Continue(()))
    }
}

/// What stands between angle brackets, and what follows.
fn in_brackets(argument: &str) -> Option<(&str, &str)> {
    let (_, rest) = argument.split_once('<')?;
    let (address, parameters) = rest.split_once('>')?;
    Some((address, parameters.trim()))
}
