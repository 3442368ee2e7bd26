use std::collections::HashMap;

use auth_domain::{Hanging, KeyId, Outcome, Settlement, Store, Timestamp};

use super::{Subject, account, owner};
use crate::samples::{at, decoy_hash, decoy_registration, key_pair, right_guess, sign_in};

const DAY: u64 = 24 * 60 * 60;

fn key(text: &str) -> KeyId {
    text.parse().unwrap()
}

async fn hanging(store: &dyn Store, now: Timestamp) -> HashMap<KeyId, Hanging> {
    let hanging = store.what_hangs_on_keys(now).await.unwrap();
    let keys = hanging.len();
    let by_key: HashMap<_, _> = hanging.into_iter().collect();
    assert_eq!(by_key.len(), keys, "no key is named twice");
    by_key
}

/// Delivers every mail that is due.
async fn deliver_everything(store: &dyn Store, second: u64) {
    for mail in store.claim_mails(at(second), at(second + 30), 100).await.unwrap() {
        let settled = store.settle_mail(mail.id, mail.attempt, Settlement::Delivered, "250 ok", at(second)).await;
        assert_eq!(settled.unwrap(), Outcome::Done(()));
    }
}

pub async fn what_is_alive_is_counted_under_the_key_that_it_hangs_on(subject: &impl Subject) {
    let store = subject.store();
    assert!(hanging(&*store, at(0)).await.is_empty(), "nothing is there");
    let (older, newer) = (key("0badcafe"), key("00c0ffee"));
    // A live session under the older key, and the mail with its code, which nobody has sent yet.
    let ada = account(&*store, "ada", "ada@example.org").await;

    // A sign-in whose session and code hang on one key, and whose mail was sealed under another.
    let mut waiting = sign_in("ada@example.org", 2, at(1));
    waiting.session.key_id = newer;
    waiting.code.key_id = newer;
    assert_eq!(store.open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let mut pair = key_pair(owner(&ada), "ada@example.org", at(1));
    pair.key_pair.key_id = newer;
    pair.code.key_id = newer;
    pair.mail.sealed.key_id = newer;
    assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));

    let counted = hanging(&*store, at(2)).await;
    assert_eq!(counted.len(), 2);
    assert_eq!(counted[&older], Hanging { sessions: 1, mails: 2, ..Hanging::default() });
    assert_eq!(counted[&newer], Hanging { codes: 2, mails: 1, ..Hanging::default() });

    for code in [&waiting.code, &pair.code] {
        let redeemed = store.redeem_code(&right_guess(code, at(3))).await.unwrap();
        assert!(matches!(redeemed, auth_domain::Redeemed::Yes { .. }));
    }
    let counted = hanging(&*store, at(4)).await;
    assert_eq!(counted[&newer], Hanging { sessions: 1, key_pairs: 1, codes: 0, mails: 1 });
}

pub async fn what_has_ended_hangs_on_no_key(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    deliver_everything(&*store, 1).await;
    // A mail that nobody is owed, and a code that opens nothing.
    let nobody = sign_in("nobody@example.org", 1, at(1));
    assert_eq!(store.open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let decoy = decoy_registration("decoy", "ada@example.org", at(1));
    let _stored = store.register_user(&decoy).await.unwrap();
    let key = ada.sign_in.session.key_id;
    assert_eq!(hanging(&*store, at(2)).await[&key], Hanging { sessions: 1, codes: 2, mails: 1, ..Hanging::default() });

    deliver_everything(&*store, 3).await;
    let codes_end = decoy.sign_in.code.expires_at.max(nobody.code.expires_at);
    assert_eq!(hanging(&*store, codes_end).await[&key], Hanging { sessions: 1, ..Hanging::default() });
    assert!(
        hanging(&*store, at(DAY)).await.is_empty(),
        "what has ended is there until it is purged, and hangs on nothing"
    );
}
