//! What a mail server said, made fit to be kept and logged.

/// The longest that is kept of a reply, in characters.
const LONGEST: usize = 200;
/// What stands for a word that was taken out.
const REMOVED: &str = "…";

/// The reply `code` with `text`, in one line without addresses and codes.
///
/// Servers like to repeat what they were told. Taken out is every word with an `@` in it, written out or encoded, every
/// word with the recipient's name before the `@` in it, and every run of six digits.
pub fn told(code: u16, text: &str, recipient: &str) -> String {
    with_words(code.to_string(), text, recipient)
}

/// The same of what was no reply, or what went wrong instead: whoever says so may quote it.
pub(super) fn cleaned(text: &str, recipient: &str) -> String {
    with_words(String::new(), text, recipient)
}

fn with_words(mut line: String, text: &str, recipient: &str) -> String {
    let name = recipient.split('@').next().unwrap_or_default().to_lowercase();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        if tells_an_address(word, &name) {
            line.push_str(REMOVED);
        } else {
            line.push_str(&without_long_numbers(word));
        }
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}{REMOVED}", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn tells_an_address(word: &str, name: &str) -> bool {
    let word = word.to_lowercase();
    if word.contains('@') || word.contains("%40") || word.contains("=40") || word.contains("&#64;") {
        return true;
    }
    // A short name is part of many words that tell nothing.
    let is_bare = |c: char| !c.is_alphanumeric();
    if name.chars().count() < 4 { word.trim_matches(is_bare) == name } else { word.contains(name) }
}

fn without_long_numbers(word: &str) -> String {
    let mut kept = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let (digits, after) = from.split_at(from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len()));
        kept.push_str(before);
        kept.push_str(if digits.len() < 6 { digits } else { REMOVED });
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_kept_without_addresses_and_codes() {
        for (text, expected) in [
            ("2.0.0 Ok: queued as 4XyZ", "250 2.0.0 Ok: queued as 4XyZ"),
            ("5.1.1 <Ada.L@Example.org>: no such user", "250 5.1.1 … no such user"),
            ("5.1.1 user ada.l unknown, ADA.L=example.org", "250 5.1.1 user … unknown, …"),
            ("rcpt=ada.l%40example.org", "250 …"),
            ("Subject: 654321 is your sign-in code, id=x1234567y", "250 Subject: … is your sign-in code, id=x…y"),
            ("one\r\n two\t\u{1b}[31mthree\0", "250 one two [31mthree"),
            ("", "250"),
        ] {
            assert_eq!(told(250, text, "ada.l@example.org"), expected);
        }
    }

    #[test]
    fn what_was_no_reply_is_cleaned_as_well() {
        let quoted = "error Tag at: ) no <ada.l@example.org>\r\n\u{1b}[2J 654321";
        assert_eq!(cleaned(quoted, "ada.l@example.org"), "error Tag at: ) no … [2J …");
        assert_eq!(cleaned("", "ada.l@example.org"), "");
    }

    #[test]
    fn a_short_name_is_taken_out_where_it_stands_alone() {
        assert_eq!(told(550, "user <al> is not local", "al@example.org"), "550 user … is not local");
        assert_eq!(told(550, "12345 12345a", "1@example.org"), "550 12345 12345a");
    }

    #[test]
    fn a_long_reply_is_cut_off() {
        let reply = told(550, &"ñandú ".repeat(1000), "ada@example.org");
        assert_eq!(reply.chars().count(), LONGEST + 1);
        assert!(reply.starts_with("550 ñandú ñandú") && reply.ends_with(REMOVED));
    }
}
