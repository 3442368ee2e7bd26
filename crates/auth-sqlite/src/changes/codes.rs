use auth_domain::{CodeId, CodePurpose, EmailId, Network, QueuedMail, archive::CodeRecord};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection};

use crate::{
    rows::bytes_of,
    schema::{codes, outbox},
};

pub(super) fn insert(conn: &mut SqliteConnection, record: &CodeRecord) -> QueryResult<usize> {
    diesel::insert_into(codes::table)
        .values((
            codes::id.eq(bytes_of(record.id.uuid())),
            codes::purpose.eq(record.purpose.as_str()),
            codes::session_id.eq(record.session_id.map(|session| bytes_of(session.uuid()))),
            codes::key_pair_id.eq(record.key_pair_id.map(|key_pair| bytes_of(key_pair.uuid()))),
            codes::email_id.eq(record.email_id.map(|email| bytes_of(email.uuid()))),
            codes::address_key.eq(record.address_key.as_str()),
            codes::network.eq(Network::to_stored(Some(record.network))),
            codes::hash.eq(record.hash.as_bytes().as_slice()),
            codes::key_id.eq(record.key_id.to_string()),
            codes::created_at.eq(record.created_at.unix_millis()),
            codes::expires_at.eq(record.expires_at.unix_millis()),
            codes::wrong_guesses.eq(i64::from(record.wrong_guesses)),
            codes::ended.eq(record.ended),
        ))
        .execute(conn)
}

pub(super) fn end(conn: &mut SqliteConnection, id: CodeId) -> QueryResult<usize> {
    diesel::update(codes::table.find(bytes_of(id.uuid()))).set(codes::ended.eq(true)).execute(conn)
}

pub(super) fn end_those_for_email(conn: &mut SqliteConnection, email: EmailId) -> QueryResult<usize> {
    let theirs = codes::table
        .filter(codes::email_id.eq(bytes_of(email.uuid())))
        .filter(codes::purpose.eq(CodePurpose::Email.as_str()));
    diesel::update(theirs).set(codes::ended.eq(true)).execute(conn)
}

pub(super) fn count_wrong_guesses(conn: &mut SqliteConnection, id: CodeId, wrong_guesses: u32) -> QueryResult<usize> {
    let counted = codes::wrong_guesses.eq(i64::from(wrong_guesses));
    diesel::update(codes::table.find(bytes_of(id.uuid()))).set(counted).execute(conn)
}

pub(super) fn queue_mail(conn: &mut SqliteConnection, mail: &QueuedMail) -> QueryResult<usize> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(bytes_of(mail.id.uuid())),
            outbox::class.eq(mail.class.as_str()),
            outbox::code_id.eq(mail.code_id.map(|code| bytes_of(code.uuid()))),
            outbox::key_id.eq(mail.sealed.key_id.to_string()),
            outbox::sealed.eq(&mail.sealed.bytes),
            outbox::created_at.eq(mail.created_at.unix_millis()),
            outbox::due_at.eq(mail.created_at.unix_millis()),
            outbox::attempts.eq(0),
        ))
        .execute(conn)
}
