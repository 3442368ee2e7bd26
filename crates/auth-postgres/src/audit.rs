//! The audit log.

use async_trait::async_trait;
use auth_domain::{Audit, Event, EventId, EventKind, EventOutcome, StoreError, UserId};
use diesel::{
    ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper, data_types::PgTimestamp, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    PostgresStore,
    error::{Failure, corrupt},
    rows::{moment, stored},
    schema::events,
};

#[async_trait]
impl Audit for PostgresStore {
    async fn list_events(
        &self,
        user: Option<UserId>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let input = (user, before, limit);
        self.view(input, |conn, (user, before, limit)| Box::pin(list_events(conn, *user, *before, *limit))).await
    }
}

/// Whose events are wanted.
#[derive(Debug, Clone, Copy)]
enum Of {
    Everybody,
    /// What the user did.
    Actor(Uuid),
    /// What is about the user.
    Subject(Uuid),
}

/// Everything of an event. Where it stands in the order of commits, the database knows.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = events, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    id: Uuid,
    at: PgTimestamp,
    kind: String,
    outcome: String,
    actor_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    credential_id: Option<Uuid>,
    ip: Option<IpNet>,
    pub(crate) detail: String,
}

impl From<&Event> for EventRow {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.uuid(),
            at: stored(event.at),
            kind: event.kind.as_str().to_owned(),
            outcome: event.outcome.as_str().to_owned(),
            actor_id: event.actor.map(UserId::uuid),
            subject_id: event.subject.map(UserId::uuid),
            credential_id: event.credential,
            ip: event.ip.map(IpNet::from),
            detail: event.detail.clone(),
        }
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let unknown = |what: &str| corrupt("events", row.id, format!("unknown {what}"));
        Ok(Self {
            id: row.id.into(),
            at: moment(row.at),
            kind: EventKind::from_stored(&row.kind).ok_or_else(|| unknown("kind"))?,
            outcome: EventOutcome::from_stored(&row.outcome).ok_or_else(|| unknown("outcome"))?,
            actor: row.actor_id.map(UserId::from),
            subject: row.subject_id.map(UserId::from),
            credential: row.credential_id,
            ip: row.ip.map(|ip| ip.addr()),
            detail: row.detail,
        })
    }
}

async fn list_events(
    conn: &mut AsyncPgConnection,
    user: Option<UserId>,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<Event>, Failure> {
    let newest = match user.map(UserId::uuid) {
        None => newest(conn, Of::Everybody, before, limit).await?,
        // One query for each index: asked for both at once, PostgreSQL reads all that there is of the user.
        Some(user) => {
            let mut either = newest(conn, Of::Actor(user), before, limit).await?;
            either.extend(newest(conn, Of::Subject(user), before, limit).await?);
            either.sort_by_key(|row| std::cmp::Reverse(row.id));
            either.dedup_by_key(|row| row.id);
            either.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            either
        }
    };
    Ok(newest.into_iter().map(Event::try_from).collect::<Result<_, _>>()?)
}

async fn newest(
    conn: &mut AsyncPgConnection,
    of: Of,
    before: Option<EventId>,
    limit: u32,
) -> Result<Vec<EventRow>, Failure> {
    let mut wanted = events::table.into_boxed();
    wanted = match of {
        Of::Everybody => wanted,
        Of::Actor(user) => wanted.filter(events::actor_id.eq(user)),
        Of::Subject(user) => wanted.filter(events::subject_id.eq(user)),
    };
    if let Some(before) = before {
        wanted = wanted.filter(events::id.lt(before.uuid()));
    }
    let newest = wanted.order(events::id.desc()).limit(limit.into()).select(EventRow::as_select());
    Ok(newest.load(conn).await?)
}
