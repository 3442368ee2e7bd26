//! Closing one session, in one statement.

use auth_domain::{Event, SessionId, UserId};
use diesel::{
    OptionalExtension, QueryResult,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    calls::bind_all,
    error::Failure,
    revocations::{CHANNEL, Revoked},
    rows::stored,
};

/// Closes a session, records it and announces it. There is one row to be locked and nothing to be decided after that, so that
/// a plain statement will do.
pub(crate) async fn close_session(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    of: Option<UserId>,
    event: &Event,
) -> Result<Revoked<Option<UserId>>, Failure> {
    let closing = CloseSession {
        session: id.uuid(),
        of: of.map(UserId::uuid),
        event_id: event.id.uuid(),
        at: stored(event.at),
        kind: event.kind.as_str(),
        outcome: event.outcome.as_str(),
        actor: event.actor.map(UserId::uuid),
        credential: event.credential,
        ip: event.ip.map(IpNet::from),
        detail: &event.detail,
    };
    let closed: Option<(Uuid, String)> = closing.get_result(conn).await.optional()?;
    let owner = closed.map(|(owner, _announced)| UserId::from(owner));
    Ok(Revoked { answer: owner, of: owner })
}

struct CloseSession<'a> {
    session: Uuid,
    of: Option<Uuid>,
    event_id: Uuid,
    at: PgTimestamp,
    kind: &'static str,
    outcome: &'static str,
    actor: Option<Uuid>,
    credential: Option<Uuid>,
    ip: Option<IpNet>,
    detail: &'a str,
}

/// One statement: its text need not be looked at.
impl QueryId for CloseSession<'_> {
    type QueryId = CloseSession<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for CloseSession<'_> {
    type SqlType = (SqlUuid, Text);
}

impl QueryFragment<Pg> for CloseSession<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its code goes by foreign key. A decoy's session is nobody's to close, and neither is that of a registration which
        // nobody has completed.
        out.push_sql("WITH closed AS (DELETE FROM sessions WHERE id = ");
        out.push_bind_param::<SqlUuid, _>(&self.session)?;
        out.push_sql(" AND expires_at > ");
        out.push_bind_param::<Timestamptz, _>(&self.at)?;
        out.push_sql(" AND user_id = coalesce(");
        out.push_bind_param::<Nullable<SqlUuid>, _>(&self.of)?;
        out.push_sql(
            ", user_id) AND EXISTS (SELECT FROM users WHERE users.id = sessions.user_id AND registration IS NULL) \
             RETURNING user_id), \
             recorded AS (INSERT INTO events \
             (id, at, kind, outcome, actor_id, credential_id, ip, detail, subject_id) SELECT ",
        );
        bind_all!(
            out,
            SqlUuid: &self.event_id,
            Timestamptz: &self.at,
            Text: self.kind,
            Text: self.outcome,
            Nullable<SqlUuid>: &self.actor,
            Nullable<SqlUuid>: &self.credential,
            Nullable<Inet>: &self.ip,
            Text: self.detail,
        );
        out.push_sql(", closed.user_id FROM closed) SELECT closed.user_id, pg_notify(");
        out.push_bind_param::<Text, _>(CHANNEL)?;
        out.push_sql(", closed.user_id::text)::text FROM closed");
        Ok(())
    }
}
