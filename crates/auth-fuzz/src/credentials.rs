//! Bearers, API keys, secrets, codes.

use auth_domain::{
    Actor, ApiKey, ApiSecret, Bearer, CodeGuess, CodeId, CodePurpose, Entropy, Network, ServerKeys, Timestamp,
    VerificationCode,
};
use auth_testkit::CountingEntropy;
use uuid::Uuid;

fn keys() -> ServerKeys {
    ServerKeys::new([[7; 32], [8; 32]]).unwrap()
}

/// What is minted is taken for itself, what differs from it in one character is not, and neither is whatever else comes in.
pub(crate) fn tokens(input: &[u8]) {
    let taken_with = |text: &str, keys: &ServerKeys| {
        [
            Bearer::parse(text, keys).is_some(),
            ApiKey::parse(text, keys).is_some(),
            ApiSecret::parse(text, keys).is_some(),
        ]
    };
    // With keys by which nothing is minted here: libFuzzer sees what is compared, and tries it.
    let text = String::from_utf8_lossy(input);
    let others = ServerKeys::new([[9; 32]]).unwrap();
    assert_eq!(taken_with(&text, &others), [false; 3], "invented");

    let keys = keys();
    let is_taken = |text: &str| taken_with(text, &keys);

    let [drawn, place, ..] = input else { return };
    let entropy = CountingEntropy::default();
    for _ in 0..*drawn {
        entropy.fill(&mut [0; 8]).unwrap();
    }
    let bearer = Bearer::mint(&keys, &entropy).unwrap();
    let secret = ApiSecret::mint(&keys, &entropy).unwrap();
    let key = ApiKey::mint(&keys, &entropy).unwrap();
    assert_eq!(Bearer::parse(bearer.expose(), &keys).unwrap().digest(), bearer.digest());
    assert_eq!(Bearer::digest_of(bearer.expose(), &keys), Some(bearer.digest()));
    assert_eq!(ApiSecret::parse(secret.expose(), &keys).unwrap().digest(), secret.digest());
    assert_eq!(ApiKey::parse(key.as_str(), &keys).as_ref(), Some(&key));

    let other = String::from_utf8_lossy(&input[2..]).chars().next().unwrap_or('\0');
    for (kind, minted) in [bearer.expose(), key.as_str(), secret.expose()].into_iter().enumerate() {
        assert_eq!(is_taken(minted), [0, 1, 2].map(|taken| taken == kind));
        let place = usize::from(*place) % minted.len();
        let (before, after) = minted.split_at(place);
        let (was, after) = (&after[..1], &after[1..]);
        let replaced = format!("{before}{other}{after}");
        assert_eq!(is_taken(&replaced), if replaced == minted { is_taken(minted) } else { [false; 3] }, "replaced");
        assert_eq!(is_taken(&format!("{before}{after}")), [false; 3], "left out");
        assert_eq!(is_taken(&format!("{before}{other}{was}{after}")), [false; 3], "put in");
    }
}

/// A code is right where it is what was mailed, and nowhere else.
pub(crate) fn codes(input: &[u8]) {
    let keys = keys();
    let entropy = CountingEntropy::default();
    for _ in 0..input.first().copied().unwrap_or_default() {
        entropy.fill(&mut [0; 8]).unwrap();
    }
    let code = VerificationCode::mint(&entropy).unwrap();
    assert!(code.expose().len() == 6 && code.expose().bytes().all(|octet| octet.is_ascii_digit()));
    let (id, purpose) = (CodeId::from(Uuid::from_u128(1)), CodePurpose::SignIn);
    let hash = code.hash(id, purpose, &keys);
    let is_right = |id, purpose, text: &str| {
        let hashes = CodeGuess::hashes(id, purpose, text, &keys);
        let (at, event_id) = (Timestamp::from_unix_millis(0), Uuid::nil().into());
        let by = Actor { user: None, credential: None, ip: None };
        let network = Network::of([192, 0, 2, 7].into());
        CodeGuess { id, purpose, hashes, network, by, at, event_id, limits: None }.matches(&hash)
    };
    assert!(is_right(id, purpose, code.expose()));
    assert!(!is_right(CodeId::from(Uuid::from_u128(2)), purpose, code.expose()));
    assert!(!is_right(id, CodePurpose::Email, code.expose()));
    let text = String::from_utf8_lossy(input);
    for guess in [&*text, &format!("{text}{}", code.expose()), &format!("{}{text}", code.expose())] {
        assert_eq!(is_right(id, purpose, guess), guess == code.expose());
    }
}
