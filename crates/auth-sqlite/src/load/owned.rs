use auth_domain::{
    CodeId, EmailId, KeyPairId, SessionId, User, UserId,
    archive::{CodeRecord, EmailRecord, KeyPairRecord, SessionRecord, UserRecord},
};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection,
    dsl::{auto_type, sql},
    expression::SqlLiteral,
    sql_types::Bool,
};

use crate::{
    error::Failure,
    rows::{self, all, bytes_of, one},
    schema::{codes, emails, key_pairs, sessions, users},
};

pub(super) fn code(conn: &mut SqliteConnection, id: CodeId) -> Result<Option<CodeRecord>, Failure> {
    one(codes::table.find(bytes_of(id.uuid())).get_result(conn), rows::code)
}

pub(super) fn session(conn: &mut SqliteConnection, id: SessionId) -> Result<Option<SessionRecord>, Failure> {
    one(sessions::table.find(bytes_of(id.uuid())).get_result(conn), rows::session)
}

pub(super) fn email(conn: &mut SqliteConnection, id: EmailId) -> Result<Option<EmailRecord>, Failure> {
    one(emails::table.find(bytes_of(id.uuid())).get_result(conn), rows::email)
}

pub(super) fn key_pair(conn: &mut SqliteConnection, id: KeyPairId) -> Result<Option<KeyPairRecord>, Failure> {
    one(key_pairs::table.find(bytes_of(id.uuid())).get_result(conn), rows::key_pair)
}

pub(super) fn key_pair_codes(conn: &mut SqliteConnection, id: KeyPairId) -> Result<Vec<CodeRecord>, Failure> {
    all(codes_of_key_pair(id).load(conn), rows::code)
}

pub(super) fn user(conn: &mut SqliteConnection, id: UserId) -> Result<Option<UserRecord>, Failure> {
    one(users::table.find(bytes_of(id.uuid())).get_result(conn), rows::user)
}

/// The addresses of a user, oldest first.
pub(super) fn emails(conn: &mut SqliteConnection, user: UserId) -> Result<Vec<EmailRecord>, Failure> {
    all(emails_of(user).load(conn), rows::email)
}

pub(super) fn sessions(conn: &mut SqliteConnection, user: UserId) -> Result<Vec<SessionRecord>, Failure> {
    all(sessions_of(user).load(conn), rows::session)
}

pub(super) fn administrators(conn: &mut SqliteConnection) -> Result<Vec<User>, Failure> {
    all(who_administer().load(conn), |row| Ok(rows::user(row)?.user))
}

#[auto_type(no_type_alias)]
fn codes_of_key_pair(key_pair: KeyPairId) -> _ {
    let key_pair: Vec<u8> = bytes_of(key_pair.uuid());
    codes::table.filter(codes::key_pair_id.eq(key_pair))
}

#[auto_type(no_type_alias)]
fn emails_of(user: UserId) -> _ {
    let user: Vec<u8> = bytes_of(user.uuid());
    emails::table.filter(emails::user_id.eq(user)).order((emails::created_at, emails::id))
}

#[auto_type(no_type_alias)]
fn sessions_of(user: UserId) -> _ {
    let user: Vec<u8> = bytes_of(user.uuid());
    sessions::table.filter(sessions::user_id.eq(user))
}

/// Those who may be administrators. The condition, to the letter, is that of an index.
#[auto_type(no_type_alias)]
fn who_administer() -> _ {
    let hold_the_role: SqlLiteral<Bool> = sql(r#"instr(roles, '"users_admin"') > 0"#);
    users::table.filter(hold_the_role)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::plan::plan;

    #[test]
    fn what_is_named_by_its_id_is_found_by_it() {
        let id = bytes_of(Uuid::from_u128(1));
        let by_id = |table| [format!("SEARCH {table} USING INDEX sqlite_autoindex_{table}_1 (id=?)")];
        assert_eq!(plan(&codes::table.find(&id)), by_id("codes"));
        assert_eq!(plan(&sessions::table.find(&id)), by_id("sessions"));
        assert_eq!(plan(&emails::table.find(&id)), by_id("emails"));
        assert_eq!(plan(&key_pairs::table.find(&id)), by_id("key_pairs"));
        assert_eq!(plan(&users::table.find(&id)), by_id("users"));
    }

    #[test]
    fn what_is_somebodys_is_found_by_whose_it_is() {
        let id = Uuid::from_u128(1);
        let codes = ["SEARCH codes USING INDEX codes_key_pair_id (key_pair_id=?)"];
        assert_eq!(plan(&codes_of_key_pair(id.into())), codes);
        let emails = ["SEARCH emails USING INDEX emails_user_id (user_id=?)", "USE TEMP B-TREE FOR ORDER BY"];
        assert_eq!(plan(&emails_of(id.into())), emails);
        assert_eq!(plan(&sessions_of(id.into())), ["SEARCH sessions USING INDEX sessions_user_id (user_id=?)"]);
    }

    #[test]
    fn whether_an_administrator_is_left_is_found_among_those_who_hold_the_role() {
        assert_eq!(plan(&who_administer()), ["SCAN users USING INDEX users_administrators"]);
    }
}
