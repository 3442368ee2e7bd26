//! The audit log: facts write it, each in its own transaction, and people read it.

use async_trait::async_trait;
use auth_domain::{Audit, Event, EventId, EventKind, EventOutcome, StoreError, Timestamp, UserId};
use diesel::{
    Connection, ExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    SqliteConnection, sqlite::Sqlite,
};

use crate::{
    SqliteStore,
    error::{Failure, corrupt},
    rows::{all, bytes_of, id, printed},
    schema::events,
};

#[async_trait]
impl Audit for SqliteStore {
    async fn list_events(
        &self,
        user: Option<UserId>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| list_events(conn, user, before, limit))).await
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events, check_for_backend(Sqlite))]
pub(crate) struct EventRow {
    id: Vec<u8>,
    at: i64,
    kind: String,
    outcome: String,
    actor_id: Option<Vec<u8>>,
    subject_id: Option<Vec<u8>>,
    credential_id: Option<Vec<u8>>,
    ip: Option<String>,
    detail: String,
}

impl EventRow {
    pub(crate) fn into_event(self) -> Result<Event, StoreError> {
        let row = self.id.as_slice();
        let unknown = |what: &str| corrupt("events", printed(row), format!("unknown {what}"));
        let ip = self.ip.map(|ip| ip.parse().map_err(|error| corrupt("events", printed(row), error)));
        Ok(Event {
            id: id("events", row, row)?,
            at: Timestamp::from_unix_millis(self.at),
            kind: EventKind::from_stored(&self.kind).ok_or_else(|| unknown("kind"))?,
            outcome: EventOutcome::from_stored(&self.outcome).ok_or_else(|| unknown("outcome"))?,
            actor: self.actor_id.map(|user| id("events", row, &user)).transpose()?,
            subject: self.subject_id.map(|user| id("events", row, &user)).transpose()?,
            credential: self.credential_id.map(|credential| id("events", row, &credential)).transpose()?,
            ip: ip.transpose()?,
            detail: self.detail,
        })
    }
}

/// Records an event, in the transaction of the fact that it tells of.
pub(crate) fn record(conn: &mut SqliteConnection, event: &Event) -> QueryResult<usize> {
    diesel::insert_into(events::table)
        .values((
            events::id.eq(bytes_of(event.id.uuid())),
            events::at.eq(event.at.unix_millis()),
            events::kind.eq(event.kind.as_str()),
            events::outcome.eq(event.outcome.as_str()),
            events::actor_id.eq(event.actor.map(|user| bytes_of(user.uuid()))),
            events::subject_id.eq(event.subject.map(|user| bytes_of(user.uuid()))),
            events::credential_id.eq(event.credential.map(bytes_of)),
            events::ip.eq(event.ip.map(|ip| ip.to_string())),
            events::detail.eq(&event.detail),
        ))
        .execute(conn)
}

fn list_events(
    conn: &mut SqliteConnection,
    user: Option<UserId>,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<Event>, Failure> {
    let newest = || {
        let all = events::table.order(events::id.desc()).limit(limit.into()).select(EventRow::as_select());
        match before {
            Some(before) => all.filter(events::id.lt(bytes_of(before.uuid()))).into_boxed::<Sqlite>(),
            None => all.into_boxed(),
        }
    };
    let rows: Vec<EventRow> = match user {
        None => newest().load(conn)?,
        Some(user) => {
            let user = bytes_of(user.uuid());
            // Two questions, each of which an index answers in order: asked as one, all that there is of a user would
            // be read and sorted.
            let mut rows: Vec<EventRow> = newest().filter(events::actor_id.eq(&user)).load(conn)?;
            rows.extend(newest().filter(events::subject_id.eq(&user)).load::<EventRow>(conn)?);
            rows.sort_by(|one, other| other.id.cmp(&one.id));
            rows.dedup_by(|one, other| one.id == other.id);
            rows.truncate(limit.try_into().unwrap_or(usize::MAX));
            rows
        }
    };
    all(Ok(rows), EventRow::into_event)
}
