//! How text travels: as it is where it can, else so that a code in it stays one run of digits.

use lettre::message::header::{ContentTransferEncoding, Headers, Subject};

use super::CODE;

/// The longest line that travels as it is (RFC 5322 §2.1.1).
const LONGEST_LINE: usize = 78;
/// Where a longer line is broken; quoted-printable has room for 76 characters (RFC 2045 §6.7), and a line's end may
/// take up to four.
const BREAK_AT: usize = 72;

/// A subject as it stands in the header: words with other letters encoded (RFC 2047), the others as they are.
pub(super) fn subject(text: &str) -> String {
    let mut headers = Headers::new();
    headers.set(Subject::from(text.to_owned()));
    let line = headers.to_string();
    line.strip_prefix("Subject: ").unwrap_or(&line).trim_end().to_owned()
}

/// A body as it stands in the mail, and what its encoding is called.
pub(super) fn body(text: &str) -> (String, ContentTransferEncoding) {
    if text.is_ascii() && text.lines().all(|line| line.len() <= LONGEST_LINE) {
        (text.lines().flat_map(|line| [line, "\r\n"]).collect(), ContentTransferEncoding::SevenBit)
    } else {
        let lines = text.lines().map(|line| quoted_printable(line) + "\r\n");
        (lines.collect(), ContentTransferEncoding::QuotedPrintable)
    }
}

/// One line in quoted-printable (RFC 2045 §6.7), broken at spaces where there are any, and never within a code.
fn quoted_printable(text: &str) -> String {
    let (mut lines, mut line, mut space) = (String::new(), String::new(), None);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (atom, length) = if rest.starts_with(CODE) { (CODE.to_owned(), CODE.len()) } else { quoted(first) };
        rest = rest.get(length..).unwrap_or_default();
        while line.len() + atom.len() > BREAK_AT {
            let next = line.split_off(space.take().unwrap_or(line.len()));
            lines.push_str(&line);
            lines.push_str("=\r\n");
            line = next;
        }
        line.push_str(&atom);
        if first == ' ' {
            space = Some(line.len());
        }
    }
    // White space at the end of a line gets lost on the way.
    for (end, escaped) in [(' ', "=20"), ('\t', "=09")] {
        if line.ends_with(end) {
            line.pop();
            line.push_str(escaped);
        }
    }
    lines + &line
}

/// A character in quoted-printable, and its length as it was.
fn quoted(character: char) -> (String, usize) {
    let mut octets = [0; 4];
    let octets = character.encode_utf8(&mut octets).as_bytes();
    let stays = matches!(character, ' ' | '\t' | '!'..='<' | '>'..='~');
    let escaped = || octets.iter().map(|octet| format!("={octet:02X}")).collect::<Vec<_>>().concat();
    (if stays { character.to_string() } else { escaped() }, octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        let joined = text.replace("=\r\n", "");
        let mut octets = Vec::new();
        let mut rest = joined.as_bytes();
        while let Some((first, others)) = rest.split_first() {
            if *first == b'=' {
                let hex = std::str::from_utf8(&others[..2]).unwrap();
                octets.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &others[2..];
            } else {
                octets.push(*first);
                rest = others;
            }
        }
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn what_can_travels_as_it_is() {
        let (text, encoding) = body("one\n\ntwo = three\n");
        assert_eq!((text.as_str(), encoding), ("one\r\n\r\ntwo = three\r\n", ContentTransferEncoding::SevenBit));
        assert_eq!(body("one\r\ntwo").0, "one\r\ntwo\r\n");
        assert_eq!(subject("{code} is your code"), "{code} is your code");
    }

    #[test]
    fn what_cannot_is_escaped_and_comes_back_whole() {
        for text in [
            "Tu código: {code}",
            "=3D",
            &"word ".repeat(40),
            &"😀".repeat(100),
            &"x".repeat(200),
            &format!("{} ", "x".repeat(71)),
            "ñ\t",
            "ñ ",
        ] {
            let encoded = quoted_printable(text);
            assert!(encoded.is_ascii() && encoded.split("\r\n").all(|line| line.len() <= 76), "{encoded}");
            assert!(!encoded.ends_with([' ', '\t']), "{encoded}");
            assert_eq!(decoded(&encoded), text);
        }
        assert_eq!(quoted_printable("Tu código = {code}"), "Tu c=C3=B3digo =3D {code}");
        assert_eq!(body("Tu código").1, ContentTransferEncoding::QuotedPrintable);
    }

    #[test]
    fn wherever_it_stands_no_line_ends_within_a_code() {
        for before in 0..150 {
            for filler in ["x", "ñ", "word "] {
                let text: String = filler.chars().cycle().take(before).collect::<String>() + CODE + " end";
                let encoded = quoted_printable(&text);
                assert_eq!(encoded.matches(CODE).count(), 1, "{encoded}");
                assert_eq!(decoded(&encoded), text);
            }
        }
    }

    #[test]
    fn a_subject_keeps_ascii_words_readable() {
        let encoded = subject("{code} es tu código de inicio de sesión");
        assert!(encoded.starts_with("{code} es tu =?utf-8?b?") && encoded.is_ascii(), "{encoded}");
        assert!(!subject("código:{code}").contains(CODE), "and a word with other letters hides what is in it");
    }
}
