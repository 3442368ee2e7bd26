//! Sign-ins: sessions that wait for their code. They are stored by functions of the database's, in one round trip.

use std::marker::PhantomData;

use auth_domain::{CodeId, CodeState, PendingSignIn, Requested, rules::Asking};
use diesel::{
    QueryResult,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Binary, Bool, Cidr, Inet, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    calls::bind_all,
    error::{Failure, corrupt},
    key_pairs::TRIES,
    limits::{self, Measure},
    rows::{as_cidr, stored},
};

/// [`CodeState::LIVING_PER_ADDRESS`] as the functions take it.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a small number")]
const LIVING_PER_ADDRESS: i32 = CodeState::LIVING_PER_ADDRESS as i32;

/// Opens a session that waits for its code.
pub(crate) async fn open_session(conn: &mut AsyncPgConnection, sign_in: &PendingSignIn) -> Result<Requested, Failure> {
    let Some(restraint) = &sign_in.restraint else {
        let is_open: bool = Call::<Bool>::of("SELECT open_session(", sign_in, None).get_result(conn).await?;
        return Ok(if is_open { Requested::Yes } else { Requested::Stale });
    };
    let measure = Measure::of_request(restraint, Asking::SignIn, &sign_in.code);
    let open = "SELECT outcome, refused_by, until, owner, was_told FROM open_limited_session(";
    let (outcome, refused_by, until, owner, told): (String, _, _, _, _) =
        Call::<Outcome>::of(open, sign_in, Some(&measure)).get_result(conn).await?;
    match outcome.as_str() {
        "opened" => Ok(Requested::Yes),
        "stale" => Ok(Requested::Stale),
        "throttled" => Ok(Requested::Throttled(limits::refusal((refused_by, until, owner, told))?)),
        unknown => Err(corrupt("sessions", sign_in.session.id, format!("opened as {unknown}")).into()),
    }
}

/// Stores session, code and mail, ends the codes that the new one supersedes, and charges for it, last of all in a
/// transaction. The address and its owner are locked by now.
pub(crate) async fn store(
    conn: &mut AsyncPgConnection,
    sign_in: &PendingSignIn,
    measure: Option<&Measure>,
) -> Result<(), Failure> {
    let store = if measure.is_some() { "SELECT store_limited_sign_in(" } else { "SELECT store_sign_in(" };
    // What it returns is void: there is nothing to read.
    Call::<Bool>::of(store, sign_in, measure).execute(conn).await?;
    Ok(())
}

/// What `open_limited_session` returns: what it came to, and of a request that was refused what
/// [`refusal`](limits::refusal) reads.
type Outcome = (Text, Nullable<Text>, Nullable<Timestamptz>, Nullable<SqlUuid>, Bool);

/// A call of one of the functions that take a `pending_sign_in`.
struct Call<'a, Returned> {
    /// Up to its arguments, of which it takes the restraint only if there is one.
    function: &'static str,
    returned: PhantomData<Returned>,
    sign_in: &'a PendingSignIn,
    measure: Option<&'a Measure>,
    session: Uuid,
    user: Option<Uuid>,
    email: Option<Uuid>,
    session_key: String,
    session_created_at: PgTimestamp,
    session_expires_at: PgTimestamp,
    ip: IpNet,
    code: Uuid,
    network: IpNet,
    code_key: String,
    code_created_at: PgTimestamp,
    code_expires_at: PgTimestamp,
    mail: Uuid,
    mail_code: Option<Uuid>,
    mail_key: String,
    mail_created_at: PgTimestamp,
}

impl<'a, Returned> Call<'a, Returned> {
    fn of(function: &'static str, sign_in: &'a PendingSignIn, measure: Option<&'a Measure>) -> Self {
        let PendingSignIn { session, code, mail, restraint: _ } = sign_in;
        Self {
            function,
            returned: PhantomData,
            sign_in,
            measure,
            session: session.id.uuid(),
            user: session.owner.map(|owner| owner.user_id.uuid()),
            email: session.owner.map(|owner| owner.email_id.uuid()),
            session_key: session.key_id.to_string(),
            session_created_at: stored(session.created_at),
            session_expires_at: stored(session.expires_at),
            ip: IpNet::from(session.client.ip),
            code: code.id.uuid(),
            network: as_cidr(code.network),
            code_key: code.key_id.to_string(),
            code_created_at: stored(code.created_at),
            code_expires_at: stored(code.expires_at),
            mail: mail.id.uuid(),
            mail_code: mail.code_id.map(CodeId::uuid),
            mail_key: mail.sealed.key_id.to_string(),
            mail_created_at: stored(mail.created_at),
        }
    }
}

/// One statement for each function: which one, diesel finds by the text.
impl<Returned> QueryId for Call<'_, Returned> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Returned> Query for Call<'_, Returned> {
    type SqlType = Returned;
}

impl<Returned> QueryFragment<Pg> for Call<'_, Returned> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let PendingSignIn { session, code, mail, restraint: _ } = self.sign_in;
        out.push_sql(self.function);
        out.push_sql("ROW(");
        bind_all!(
            out,
            SqlUuid: &self.session,
            Nullable<SqlUuid>: &self.user,
            Nullable<SqlUuid>: &self.email,
            Binary: session.digest.as_bytes().as_slice(),
            Text: &self.session_key,
            Text: session.kind.as_str(),
            Timestamptz: &self.session_created_at,
            Timestamptz: &self.session_expires_at,
            Inet: &self.ip,
            Text: &session.client.user_agent,
            SqlUuid: &self.code,
            Text: code.purpose.as_str(),
            Text: code.address.as_str(),
            Cidr: &self.network,
            Binary: code.hash.as_bytes().as_slice(),
            Text: &self.code_key,
            Timestamptz: &self.code_created_at,
            Timestamptz: &self.code_expires_at,
            SqlUuid: &self.mail,
            Text: mail.class.as_str(),
            Nullable<SqlUuid>: &self.mail_code,
            Text: &self.mail_key,
            Binary: &mail.sealed.bytes,
            Timestamptz: &self.mail_created_at,
        );
        out.push_sql(")::pending_sign_in, ");
        bind_all!(out, Integer: &TRIES, Integer: &LIVING_PER_ADDRESS);
        if let Some(measure) = self.measure {
            out.push_sql(", ");
            limits::bind(&mut out, measure)?;
        }
        out.push_sql(")");
        Ok(())
    }
}
