//! What requests are measured by, as the database's own functions take it, and what they say of one that is refused.

use std::time::Duration;

use auth_domain::{
    AddressKey, CodeGuess, Event, Limit, Limits, Network, NewCode, Refusal, Restraint, StoreError, ThrottleKind,
    Timestamp, UserId,
    rules::{Asking, WITHOUT_WAIT, event_of_refused_guess},
};
use diesel::{
    QueryResult,
    data_types::{PgInterval, PgTimestamp},
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Bool, Inet, Integer, Interval, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    calls::bind_all,
    error::{Failure, corrupt},
    locks,
    rows::{moment, network_text, stored},
};

/// The longest that anything takes which limits count, as it is handed over: longer than any rate's span.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A `restraint`, ready to be bound.
pub(crate) struct Measure {
    address: Option<String>,
    network: String,
    at: PgTimestamp,
    known_after: PgTimestamp,
    failures_per_day: i32,
    failures_in_a_row: i32,
    first_rest: PgInterval,
    kinds: Vec<&'static str>,
    every: Vec<PgInterval>,
    spans: Vec<PgInterval>,
    told_id: Uuid,
    told_at: PgTimestamp,
    told_kind: &'static str,
    told_outcome: &'static str,
    told_actor: Option<Uuid>,
    told_credential: Option<Uuid>,
    told_ip: Option<IpNet>,
}

/// [`WITHOUT_WAIT`], and one: the first wrong guess of a day that costs a wait.
#[expect(clippy::cast_possible_wrap, reason = "a small number")]
const RESTS_FROM: i32 = WITHOUT_WAIT as i32 + 1;

impl Measure {
    /// What a request for `code` is measured by.
    pub(crate) fn of_request(restraint: &Restraint, asking: Asking, code: &NewCode) -> Self {
        let Restraint { limits, event } = restraint;
        let measure = Self::new(limits, asking.throttles(), code.network, code.created_at, event);
        Self { address: Some(code.address.as_str().to_owned()), ..measure }
    }

    /// What a registration is charged for although its alias is taken.
    pub(crate) fn of_taken_alias(restraint: &Restraint, code: &NewCode) -> Self {
        let charged: Vec<_> =
            Asking::SignUp.throttles().iter().copied().filter(|kind| kind.is_charged_for_a_taken_alias()).collect();
        Self::new(&restraint.limits, &charged, code.network, code.created_at, &restraint.event)
    }

    /// What a guess is measured by. Only a stranger's is charged for.
    pub(crate) fn of_guess(guess: &CodeGuess, limits: &Limits) -> Self {
        let charged: &[_] = if guess.by.user.is_none() { &[ThrottleKind::Requests] } else { &[] };
        let event = event_of_refused_guess(guess, Limit::Guesses, None);
        Self::new(limits, charged, guess.network, guess.at, &event)
    }

    fn new(limits: &Limits, kinds: &[ThrottleKind], network: Network, at: Timestamp, told: &Event) -> Self {
        let rates = || kinds.iter().map(|kind| kind.rate(limits));
        Self {
            address: None,
            network: network_text(network),
            at: stored(at),
            known_after: stored(at.minus(limits.networks_known_for)),
            failures_per_day: limits.failures_per_day.try_into().unwrap_or(i32::MAX),
            failures_in_a_row: limits.failures_in_a_row.try_into().unwrap_or(i32::MAX),
            first_rest: interval(limits.first_wait),
            kinds: kinds.iter().map(|kind| kind.as_str()).collect(),
            every: rates().map(|rate| interval(rate.every())).collect(),
            spans: rates().map(|rate| interval(rate.span())).collect(),
            told_id: told.id.uuid(),
            told_at: stored(told.at),
            told_kind: told.kind.as_str(),
            told_outcome: told.outcome.as_str(),
            told_actor: told.actor.map(UserId::uuid),
            told_credential: told.credential,
            told_ip: told.ip.map(IpNet::from),
        }
    }
}

/// Writes a restraint into a statement.
pub(crate) fn bind<'b>(out: &mut AstPass<'_, 'b, Pg>, measure: &'b Measure) -> QueryResult<()> {
    out.push_sql("ROW(");
    bind_all!(
        out,
        Nullable<Text>: &measure.address,
        Text: &measure.network,
        Timestamptz: &measure.at,
        Timestamptz: &measure.known_after,
        Integer: &measure.failures_per_day,
        Integer: &measure.failures_in_a_row,
        Integer: &RESTS_FROM,
        Interval: &measure.first_rest,
        Array<Text>: &measure.kinds,
        Array<Interval>: &measure.every,
        Array<Interval>: &measure.spans,
    );
    out.push_sql(", ROW(");
    bind_all!(
        out,
        SqlUuid: &measure.told_id,
        Timestamptz: &measure.told_at,
        Text: measure.told_kind,
        Text: measure.told_outcome,
        Nullable<SqlUuid>: &measure.told_actor,
        Nullable<SqlUuid>: &None::<Uuid>,
        Nullable<SqlUuid>: &measure.told_credential,
        Nullable<Inet>: &measure.told_ip,
        Text: "",
    );
    out.push_sql(")::events)::restraint");
    Ok(())
}

/// Judges a request, before anything else of its transaction.
pub(crate) async fn judge(conn: &mut AsyncPgConnection, measure: Option<&Measure>) -> Result<Option<Refusal>, Failure> {
    refused_by("SELECT refused_by, until, owner, was_told FROM refuse(", conn, measure).await
}

/// The same, and locks the address that it is about unless it is refused.
pub(crate) async fn begin(
    conn: &mut AsyncPgConnection,
    measure: Option<&Measure>,
    address: &AddressKey,
) -> Result<Option<Refusal>, Failure> {
    if measure.is_none() {
        locks::address(conn, address).await?;
    }
    refused_by("SELECT refused_by, until, owner, was_told FROM begin_request(", conn, measure).await
}

async fn refused_by(
    function: &'static str,
    conn: &mut AsyncPgConnection,
    measure: Option<&Measure>,
) -> Result<Option<Refusal>, Failure> {
    let Some(measure) = measure else { return Ok(None) };
    let row: RefusalRow = Call { before: function, measure, after: ")" }.get_result(conn).await?;
    Ok(refusal_of(row)?)
}

/// Charges for a request, last of all in its transaction.
pub(crate) async fn charge(conn: &mut AsyncPgConnection, measure: Option<&Measure>) -> Result<(), Failure> {
    if let Some(measure) = measure {
        // What it returns is void: there is nothing to read.
        Call { before: "SELECT charge(", measure, after: ", NULL)" }.execute(conn).await?;
    }
    Ok(())
}

/// What a function says of a request that it refused: by what, until when, whose address it is, and whether the audit log was
/// told.
pub(crate) type RefusalRow = (Option<String>, Option<PgTimestamp>, Option<Uuid>, bool);

/// What held a request back, if anything did.
pub(crate) fn refusal_of(row: RefusalRow) -> Result<Option<Refusal>, StoreError> {
    if row.0.is_none() { Ok(None) } else { refusal(row).map(Some) }
}

/// What held a request back that was refused.
pub(crate) fn refusal((refused_by, until, owner, told): RefusalRow) -> Result<Refusal, StoreError> {
    let (Some(refused_by), Some(until)) = (refused_by, until) else {
        return Err(corrupt("throttles", "unknown", "refused by nothing, or for ever"));
    };
    let limit = if refused_by == Limit::Guesses.as_str() {
        Limit::Guesses
    } else {
        let unknown = || corrupt("throttles", &refused_by, "unknown kind");
        Limit::Throttle(ThrottleKind::from_stored(&refused_by).ok_or_else(unknown)?)
    };
    Ok(Refusal { limit, until: moment(until), owner: owner.map(UserId::from), told })
}

fn interval(span: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(span.min(LONGEST).as_micros()).unwrap_or(i64::MAX))
}

/// A call of a function that takes a restraint and little else.
struct Call<'a> {
    before: &'static str,
    measure: &'a Measure,
    after: &'static str,
}

/// One statement for each function: which one, diesel finds by the text.
impl QueryId for Call<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Call<'_> {
    type SqlType = (Nullable<Text>, Nullable<Timestamptz>, Nullable<SqlUuid>, Bool);
}

impl QueryFragment<Pg> for Call<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(self.before);
        bind(&mut out, self.measure)?;
        out.push_sql(self.after);
        Ok(())
    }
}
