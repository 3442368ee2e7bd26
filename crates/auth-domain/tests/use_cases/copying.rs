use auth_domain::{
    KeyId, Timestamp,
    archive::{AttemptOutcome, AttemptRecord, Batch, Copied, CopyError, Record, Table, copy},
};
use auth_testkit::{
    InMemoryArchive,
    records::{everything, key_ids},
};
use uuid::Uuid;

/// Copies, and returns what came of it and what the target has then.
async fn copied(
    batches: Vec<Batch>,
    target: InMemoryArchive,
    keys: &[KeyId],
) -> (Result<Copied, CopyError>, Option<Vec<Batch>>) {
    let outcome = copy(&mut InMemoryArchive::holding(batches), Box::new(target.clone()), keys).await;
    (outcome, target.committed())
}

#[tokio::test]
async fn everything_arrives_and_is_counted() {
    let (outcome, committed) = copied(everything(), InMemoryArchive::default(), &key_ids()).await;
    assert_eq!(committed, Some(everything()));
    let counts: Vec<_> = everything().iter().map(|batch| (batch.table(), batch.len() as u64)).collect();
    assert_eq!(outcome.unwrap().tables, counts);
    assert_eq!(counts.iter().map(|(table, _)| *table).collect::<Vec<_>>(), Table::ALL, "and there is no other table");
}

#[tokio::test]
async fn a_table_of_many_batches_arrives_in_order_once() {
    let attempt = |mail: u128, attempt| AttemptRecord {
        mail_id: Uuid::from_u128(mail).into(),
        attempt,
        ended_at: Timestamp::from_unix_millis(0),
        outcome: AttemptOutcome::Deferred,
        reply: String::new(),
    };
    let attempts: Vec<_> = (1..=250).flat_map(|mail| (1..=17).map(move |number| attempt(mail, number))).collect();
    let all = vec![Batch::MailAttempts(attempts)];
    let (outcome, committed) = copied(all.clone(), InMemoryArchive::default(), &[]).await;
    assert!(outcome.unwrap().tables.contains(&(Table::MailAttempts, 4250)));
    assert_eq!(committed, Some(all));
}

#[tokio::test]
async fn a_target_that_has_anything_in_it_is_refused() {
    for batch in everything() {
        let table = batch.table();
        let (outcome, committed) = copied(everything(), InMemoryArchive::holding(vec![batch]), &key_ids()).await;
        assert!(matches!(outcome, Err(CopyError::NotEmpty(found)) if found == table), "{table}: {outcome:?}");
        assert_eq!(committed, None);
    }
}

#[tokio::test]
async fn whatever_is_not_in_the_target_as_it_was_is_found_and_nothing_is_committed() {
    for batch in everything() {
        let (table, last) = (batch.table(), batch.last().unwrap());
        let (outcome, committed) = copied(everything(), InMemoryArchive::losing(table), &key_ids()).await;
        assert!(
            matches!(outcome, Err(CopyError::Differs { table: found, ref position }) if found == table && *position == last),
            "{table}: {outcome:?}"
        );
        assert_eq!(committed, None);
    }
}

#[tokio::test]
async fn a_record_whose_server_key_will_be_missing_stops_the_copy_and_the_key_is_named() {
    let [newer, older] = key_ids();
    let (outcome, committed) = copied(everything(), InMemoryArchive::default(), &[newer]).await;
    let Err(missing @ CopyError::KeyMissing { key, table: Table::Sessions, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(key, older);
    let told = "server key 00000001 is missing: 00000000-0000-0000-0000-000000000032 of sessions hangs on it";
    assert_eq!((missing.to_string().as_str(), committed), (told, None));
}

#[tokio::test]
async fn nobody_asks_for_the_key_of_a_settled_mail() {
    let Some(Batch::Outbox(mails)) = everything().into_iter().find(|batch| batch.table() == Table::Outbox) else {
        panic!("there is an outbox");
    };
    let settled: Vec<_> = mails.into_iter().filter(|mail| mail.key_id().is_none()).collect();
    assert_eq!(settled.len(), 2);
    let (outcome, _) = copied(vec![Batch::Outbox(settled)], InMemoryArchive::default(), &[]).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}
