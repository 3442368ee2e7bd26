use crate::outbox::{Outbox, code, header, known_code, long_digit_runs, mail, mail_to, outbox, parts, split};
use auth_domain::{CodeMail, EmailAddress, MailContent, Notice};

/// The headers that every mail has, and no other.
const HEADERS: [&str; 8] =
    ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];

/// Addresses that [`auth_domain::EmailAddress`] accepts, from plain to far-fetched.
fn addresses() -> Vec<String> {
    let longest_local_part = format!("{}@example.org", "a".repeat(64));
    let longest = format!("{}@{}.org", "a".repeat(64), ["b".repeat(63), "c".repeat(63), "d".repeat(57)].join("."));
    assert_eq!(longest.len(), 254);
    [
        "ada@example.org",
        "Ada.Lovelace+tag@Example.ORG",
        "o'hara@xn--bcher-kva.example",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        "=?utf-8?q?x?=@example.org",
        "x@localhost",
        "a@1.example",
        "a@a--b.example",
        "1234567@example.org",
        "ada@bücher.example",
        "δοκιμή@παράδειγμα.example",
        "用户@例子.example",
        "परीक्षा@उदाहरण.example",
        "cafe\u{301}@example.org",
        "ada@cafe\u{301}.example",
        &longest_local_part,
        &longest,
    ]
    .map(str::to_owned)
    .into()
}

#[tokio::test]
async fn a_mail_is_complete_by_the_standards_of_mail() {
    let mail = mail(MailContent::Code(CodeMail::SignIn, known_code()));
    let raw = outbox().send(&mail).await;

    let (headers, _body) = split(&raw);
    assert_eq!(headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), HEADERS);
    assert_eq!(header(&raw, "Date"), "Tue, 14 Nov 2023 22:13:20 +0000", "when it was owed, not when it was sent");
    assert_eq!(header(&raw, "From"), "Auth <auth@localhost>");
    assert_eq!(header(&raw, "To"), "ada@example.org");
    assert_eq!(header(&raw, "Subject"), "654321 is your sign-in code");
    assert_eq!(header(&raw, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&raw, "MIME-Version"), "1.0");
    let message_id = header(&raw, "Message-ID");
    let unique = message_id.strip_prefix('<').unwrap().strip_suffix("@localhost>").unwrap();
    assert!(unique.len() == 32 && unique.bytes().all(|b| (b'a'..=b'p').contains(&b)), "{message_id}");

    assert!(header(&raw, "Content-Type").starts_with("multipart/alternative; "));
    let parts = parts(&raw);
    let types: Vec<_> = parts.iter().map(|part| header(part, "Content-Type")).collect();
    assert_eq!(types, ["text/plain; charset=utf-8", "text/html; charset=utf-8"], "the best one last");
    for part in parts {
        assert_eq!(header(part, "Content-Transfer-Encoding"), "7bit");
    }

    assert!(raw.is_ascii());
    assert!(raw.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])));
}

#[tokio::test]
async fn the_code_stands_unbroken_in_subject_text_and_html() {
    for content in
        [MailContent::Code(CodeMail::SignUp, known_code()), MailContent::Code(CodeMail::SignIn, known_code())]
    {
        let raw = outbox().send(&mail(content)).await;
        assert_eq!(long_digit_runs(&header(&raw, "Subject")), ["654321"]);
        let parts = parts(&raw);
        assert_eq!(parts.len(), 2);
        for part in parts {
            assert_eq!(long_digit_runs(part), ["654321"]);
        }
    }
}

#[tokio::test]
async fn whatever_its_id_a_code_mail_has_no_other_run_of_six_digits_than_its_code() {
    let outbox = outbox();
    for turn in 0..500 {
        let code = code();
        let digits = code.expose().to_owned();
        let content = if turn % 2 == 0 {
            MailContent::Code(CodeMail::SignUp, code)
        } else {
            MailContent::Code(CodeMail::SignIn, code)
        };
        let raw = outbox.send(&mail(content)).await;
        assert_eq!(long_digit_runs(&raw), [digits.as_str(); 3], "{raw}");
    }
}

#[tokio::test]
async fn whatever_its_id_a_notice_has_no_run_of_six_digits() {
    let outbox = outbox();
    for _ in 0..500 {
        let raw = outbox.send(&mail(MailContent::Notice(Notice::AddressAlreadyRegistered))).await;
        assert!(long_digit_runs(&raw).is_empty(), "{raw}");
    }
}

#[tokio::test]
async fn digits_of_an_address_stand_where_the_address_stands_and_nowhere_else() {
    let outbox = Outbox::from("Auth <1111111@2222222.example>");
    let raw =
        outbox.send(&mail_to("3333333@4444444.example", MailContent::Notice(Notice::AddressAlreadyRegistered))).await;
    assert_eq!(header(&raw, "From"), "Auth <1111111@2222222.example>");
    assert_eq!(header(&raw, "To"), "3333333@4444444.example");
    assert_eq!(long_digit_runs(&raw), ["1111111", "2222222", "3333333", "4444444"]);
}

#[tokio::test]
async fn a_mail_goes_to_every_valid_address_as_it_was_written_but_for_domains_that_are_not_ascii() {
    let outbox = outbox();
    for address in addresses() {
        let raw = outbox.send(&mail_to(&address, MailContent::Code(CodeMail::SignIn, known_code()))).await;
        let (local, domain) = address.split_once('@').unwrap();
        let to = header(&raw, "To");
        assert_eq!(to, EmailAddress::parse(&address).unwrap().mailbox());
        assert!(to.starts_with(&format!("{local}@")) && (to == address || !domain.is_ascii()), "{to}");
    }
}

#[tokio::test]
async fn no_address_adds_a_header_or_takes_one_away() {
    let outbox = outbox();
    for address in addresses() {
        let raw = outbox.send(&mail_to(&address, MailContent::Notice(Notice::AddressAlreadyRegistered))).await;
        let (headers, _body) = split(&raw);
        assert_eq!(headers.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), HEADERS, "{address}");
    }
}

#[tokio::test]
async fn no_sender_adds_a_header_or_takes_one_away() {
    let long_name = format!("{} <auth@localhost>", "Long ".repeat(60));
    for sender in [
        "auth@localhost",
        "\"\" <auth@localhost>",
        "\"Bcc: x@example.org\" <auth@localhost>",
        "\"a\\\"b\\\\\" <auth@localhost>",
        "=?utf-8?q?=0D=0ABcc=3A_x?= <auth@localhost>",
        "Müller & Söhne <auth@bücher.example>",
        "\"\u{2028}Bcc: x\" <auth@localhost>",
        long_name.as_str(),
    ] {
        let raw = Outbox::from(sender).send(&mail(MailContent::Notice(Notice::AddressAlreadyRegistered))).await;
        let (headers, _body) = split(&raw);
        assert_eq!(headers.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), HEADERS, "{sender}");
    }
}

#[tokio::test]
async fn each_mail_says_what_it_is_for() {
    let outbox = outbox();
    for (content, subject, phrases) in [
        (
            MailContent::Code(CodeMail::SignUp, known_code()),
            "654321 is your sign-up code",
            ["completes your registration", "once, for ten minutes", "Never share it"],
        ),
        (
            MailContent::Code(CodeMail::SignIn, known_code()),
            "654321 is your sign-in code",
            ["is signing in", "Nobody gets in without the code", "Never share it"],
        ),
        (
            MailContent::Notice(Notice::AddressAlreadyRegistered),
            "Your address already has an account",
            ["tried to register", "sign in instead", "there is nothing to do"],
        ),
    ] {
        let raw = outbox.send(&mail(content)).await;
        assert_eq!(header(&raw, "Subject"), subject);
        for part in parts(&raw) {
            let words = part.split_whitespace().collect::<Vec<_>>().join(" ");
            for phrase in phrases {
                assert!(words.contains(phrase), "{phrase} in {words}");
            }
        }
    }
}
