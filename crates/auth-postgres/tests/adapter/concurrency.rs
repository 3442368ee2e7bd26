use std::sync::Arc;

use auth_domain::{
    CodeState, CredentialId, EventKind, MailClass, MailId, Outbox, Outcome, Redeemed, Sessions, Upkeep, UserChange,
};
use auth_testkit::samples::{at, decoy_hash, event, purge, registration, right_guess, sign_in, wrong_guess};

use crate::{
    Port, account, connect, database, delete_user,
    held::{Held, until_waiting},
    replicas,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_register_one_address_at_once_all_are_answered_and_one_remains() {
    let replicas = replicas().await;
    let tasks: Vec<_> = (0..30)
        .map(|n| {
            let store = Arc::clone(&replicas[n % 2]);
            tokio::spawn(async move {
                store.port().register_user(&registration(&format!("ada{n}"), "ada@example.org", at(0))).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Outcome::Done(()), "each replaces the one before");
    }
    let left = replicas[0]
        .port()
        .find_address(&registration("x", "ada@example.org", at(0)).address_key(), at(1))
        .await
        .unwrap();
    assert!(left.is_some());
    // Thirty aliases were held; all but one are free again.
    let mut free = 0;
    for n in 0..30 {
        let other = registration(&format!("ada{n}"), &format!("other{n}@example.org"), at(1));
        free += u32::from(replicas[1].port().register_user(&other).await.unwrap() == Outcome::Done(()));
    }
    assert_eq!(free, 29);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_one_code_share_one_budget_across_replicas() {
    let replicas = replicas().await;
    account(&*replicas[0], "ada").await;
    for round in 0..5 {
        let pending = Arc::new(sign_in("ada@example.org", round, at(0)));
        assert_eq!(replicas[0].port().open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
        // Four wrong guesses and twenty right ones at once: right ones win once at most, and never after five failures.
        let tasks: Vec<_> = (0..24_usize)
            .map(|n| {
                let (store, pending) = (Arc::clone(&replicas[n % 2]), Arc::clone(&pending));
                tokio::spawn(async move {
                    let guess =
                        if n < 4 { wrong_guess(&pending.code, at(1)) } else { right_guess(&pending.code, at(1)) };
                    matches!(store.port().redeem_code(&guess).await.unwrap(), Redeemed::Yes { .. })
                })
            })
            .collect();
        let mut wins = 0;
        for task in tasks {
            wins += u32::from(task.await.unwrap());
        }
        assert_eq!(wins, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sign_ins_for_one_address_at_once_leave_five_codes_alive() {
    let replicas = replicas().await;
    account(&*replicas[0], "ada").await;
    let sign_ins: Vec<_> = (0..20).map(|n| sign_in("ada@example.org", n, at(1))).collect();
    let tasks: Vec<_> = sign_ins
        .iter()
        .cloned()
        .enumerate()
        .map(|(n, pending)| {
            let store = Arc::clone(&replicas[n % 2]);
            tokio::spawn(async move { store.port().open_session(&pending, &decoy_hash()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Outcome::Done(()));
    }
    let claimed = replicas[0].claim_mails(at(2), at(30), 100).await.unwrap();
    // The registration's own code is used by now.
    assert_eq!(claimed.iter().filter(|mail| mail.code_is_living).count(), CodeState::LIVING_PER_ADDRESS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn facts_that_meet_on_one_account_all_end_and_none_deadlocks_for_good() {
    let replicas = replicas().await;
    for round in 0..6 {
        let ada = Arc::new(account(&*replicas[0], "ada").await);
        let tasks: Vec<_> = (0..24_u8)
            .map(|n| {
                let (store, ada) = (Arc::clone(&replicas[usize::from(n) % 2]), Arc::clone(&ada));
                tokio::spawn(async move {
                    let (user, session) = (ada.user_id, ada.sign_in.session.id);
                    let pending = sign_in("ada@example.org", n, at(1));
                    // What each of them comes to depends on who was first: here it only matters that all of them end.
                    let answered = match n % 8 {
                        0 | 1 => {
                            let opened = store.port().open_session(&pending, &decoy_hash()).await;
                            let redeemed = store.port().redeem_code(&right_guess(&pending.code, at(2))).await;
                            opened.is_ok() && redeemed.is_ok()
                        }
                        2 => {
                            let closing = event(EventKind::OtherSessionsClosed, at(2));
                            store.port().close_sessions(user, Some(session), &closing).await.is_ok()
                        }
                        3 => store.record_usage(&[(CredentialId::Session(session), at(2))]).await.is_ok(),
                        4 => store.purge(&purge(at(2), at(0), 10)).await.is_ok(),
                        5 | 6 => {
                            let change = if n % 8 == 5 { UserChange::Disable } else { UserChange::Enable };
                            store
                                .port()
                                .change_user(user, &change, &event(EventKind::UserDisabled, at(2)))
                                .await
                                .is_ok()
                        }
                        _ if round % 2 == 1 && n > 17 => delete_user(&*store, user).await.is_ok(),
                        _ => store.find_session(&ada.sign_in.session.digest).await.is_ok(),
                    };
                    assert!(answered, "fact {n}");
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let _gone_already = delete_user(&*replicas[0], ada.user_id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_of_several_replicas_claim_each_mail_once() {
    let replicas = replicas().await;
    for n in 0..60 {
        let nobody = sign_in(&format!("nobody{n}@example.org"), 1, at(0));
        assert_eq!(replicas[0].port().open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let tasks: Vec<_> = (0..8_usize)
        .map(|n| {
            let store = Arc::clone(&replicas[n % 2]);
            tokio::spawn(async move {
                let mut mine: Vec<MailId> = Vec::new();
                loop {
                    let claimed = store.claim_mails(at(1), at(30), 5).await.unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.iter().map(|mail| mail.id));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let claims = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((claims, all.len()), (60, 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_purge_at_once_share_the_work() {
    let replicas = replicas().await;
    for n in 0..40 {
        let nobody = sign_in(&format!("nobody{n}@example.org"), 1, at(0));
        assert_eq!(replicas[0].port().open_session(&nobody, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    }
    let after = at(2 * 24 * 60 * 60);
    let purging = replicas.clone().map(|store| {
        tokio::spawn(async move {
            let mut gone = 0;
            loop {
                match store.purge(&purge(after, at(0), 10)).await.unwrap() {
                    0 => return gone,
                    some => gone += some,
                }
            }
        })
    });
    let mut gone = 0;
    for purging in purging {
        gone += purging.await.unwrap();
    }
    assert!(gone >= 40, "{gone}");
    assert_eq!(replicas[0].purge(&purge(after, at(0), 10)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_of_whom_somebody_is_deleting_at_that_moment_is_a_decoy() {
    for deletion in ["DELETE FROM users", "DELETE FROM emails"] {
        let url = database().await;
        let store = connect(&url, 2);
        account(&*store, "ada").await;
        let deleting = Held::by(&url, deletion).await;
        // It still sees her, and waits for her row.
        let pending = Arc::new(sign_in("ada@example.org", 2, at(1)));
        let signing_in = tokio::spawn({
            let (store, pending) = (Arc::clone(&store), Arc::clone(&pending));
            async move { store.port().open_session(&pending, &decoy_hash()).await.unwrap() }
        });
        until_waiting(&url, 1, "Lock").await;
        deleting.commit().await;
        assert_eq!(signing_in.await.unwrap(), Outcome::Done(()));

        let claimed = store.claim_mails(at(2), at(30), 10).await.unwrap();
        let mail = claimed.iter().find(|mail| mail.id == pending.mail.id).unwrap();
        assert!(mail.class == MailClass::Decoy && mail.on_record.is_none());
        let redeemed = store.port().redeem_code(&right_guess(&pending.code, at(3))).await.unwrap();
        assert_eq!(redeemed, Redeemed::Wrong { owner: None }, "{deletion}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_while_somebody_asks_for_it_is_not_said_to_be_done() {
    let url = database().await;
    let store = connect(&url, 4);
    let ada = account(&*store, "ada").await;
    let session = ada.sign_in.session.id;
    let waiting = sign_in("ada@example.org", 2, at(1));
    assert_eq!(store.port().open_session(&waiting, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    // The purge has locked what it takes, and takes it once somebody waits for that.
    let purging = Held::by(&url, "SELECT FROM sessions FOR UPDATE").await;
    let extending = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.port().extend_session(session, at(1_000_000), at(2)).await.unwrap() }
    });
    until_waiting(&url, 1, "Lock").await;
    // Facts of one user wait for each other, so the other one is somebody else's who is not known.
    let redeeming = tokio::spawn({
        let (store, guess) = (Arc::clone(&store), right_guess(&waiting.code, at(2)));
        async move { store.port().redeem_code(&guess).await.unwrap() }
    });
    until_waiting(&url, 2, "Lock").await;
    purging.run("DELETE FROM sessions").await;
    purging.commit().await;
    assert_eq!(extending.await.unwrap(), Outcome::Stale);
    assert_eq!(redeeming.await.unwrap(), Redeemed::Refused);
}
