//! What mail servers say.

/// What is kept of a reply is one short line without the recipient, any other address, and anything that could be a code.
pub(crate) fn replies(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let recipient = "ada.lovelace@example.org";
    for text in [&*text, &format!("550 {text} <{recipient}>{text}ADA.Lovelace{text}")] {
        let kept = auth_smtp::told(550, text, recipient);
        assert!(kept.starts_with("550") && kept.chars().count() <= 201, "{kept:?}");
        assert!(!kept.contains(char::is_control) && !kept.contains('@'), "{kept:?}");
        assert!(!kept.to_lowercase().contains("ada.lovelace"), "{kept:?}");
        let digits = |run: &[u8]| run.iter().all(u8::is_ascii_digit);
        assert!(!kept.as_bytes().windows(6).any(digits), "{kept:?}");
    }
}
