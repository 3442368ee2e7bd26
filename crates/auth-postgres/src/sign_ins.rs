//! Sign-ins: sessions that wait for their code. They are stored by functions of the database's, in one round trip.

use auth_domain::{CodeHash, CodeId, CodeState, PendingSignIn, SessionOwner, SignInStored, rules::Asking};
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
    error::Failure,
    key_pairs::TRIES,
    limits::{self, Measure, RefusalRow},
    rows::{as_cidr, stored},
};

/// [`CodeState::LIVING_PER_ADDRESS`] as the functions take it.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a small number")]
const LIVING_PER_ADDRESS: i32 = CodeState::LIVING_PER_ADDRESS as i32;

/// Opens a session that waits for its code, for whoever has the address, or as a decoy.
pub(crate) async fn open_session(
    conn: &mut AsyncPgConnection,
    sign_in: &PendingSignIn,
    decoy_hash: &CodeHash,
) -> Result<SignInStored, Failure> {
    let Some(restraint) = &sign_in.restraint else {
        // What it returns is void: there is nothing to read.
        let open = Call { decoy_hash: Some(decoy_hash), ..Call::of("SELECT open_session(", sign_in) };
        open.execute(conn).await?;
        return Ok(SignInStored::Yes);
    };
    let measure = Measure::of_request(restraint, Asking::SignIn, &sign_in.code);
    let open = Call::of("SELECT refused_by, until, owner, was_told FROM open_limited_session(", sign_in);
    let open = Call { decoy_hash: Some(decoy_hash), measure: Some(&measure), ..open };
    let row: RefusalRow = open.get_result(conn).await?;
    Ok(limits::refusal_of(row)?.map_or(SignInStored::Yes, SignInStored::Throttled))
}

/// Stores session, code and mail of somebody who registers, ends the codes that the new one supersedes, and charges for it, last
/// of all in a transaction. The address and its owner are locked by now.
pub(crate) async fn store(
    conn: &mut AsyncPgConnection,
    sign_in: &PendingSignIn,
    newcomer: SessionOwner,
    measure: Option<&Measure>,
) -> Result<(), Failure> {
    let store = if measure.is_some() { "SELECT store_limited_sign_in(" } else { "SELECT store_sign_in(" };
    // What it returns is void: there is nothing to read.
    let (user, email) = (Some(newcomer.user_id.uuid()), Some(newcomer.email_id.uuid()));
    Call { measure, user, email, ..Call::of(store, sign_in) }.execute(conn).await?;
    Ok(())
}

/// A call of one of the functions that take a `pending_sign_in`.
struct Call<'a> {
    /// Up to its arguments, of which it takes the decoy's hash and the restraint only if there are any.
    function: &'static str,
    sign_in: &'a PendingSignIn,
    decoy_hash: Option<&'a CodeHash>,
    measure: Option<&'a Measure>,
    session: Uuid,
    /// Whom it leads to, as these two, if that is known.
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

impl<'a> Call<'a> {
    fn of(function: &'static str, sign_in: &'a PendingSignIn) -> Self {
        let PendingSignIn { session, code, mail, restraint: _ } = sign_in;
        Self {
            function,
            sign_in,
            decoy_hash: None,
            measure: None,
            session: session.id.uuid(),
            user: None,
            email: None,
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
impl QueryId for Call<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// A refusal, of the function that may refuse: there is nothing to read of the others.
impl Query for Call<'_> {
    type SqlType = (Nullable<Text>, Nullable<Timestamptz>, Nullable<SqlUuid>, Bool);
}

impl QueryFragment<Pg> for Call<'_> {
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
        if let Some(decoy_hash) = self.decoy_hash {
            out.push_bind_param::<Binary, _>(decoy_hash.as_bytes().as_slice())?;
            out.push_sql(", ");
        }
        bind_all!(out, Integer: &TRIES, Integer: &LIVING_PER_ADDRESS);
        if let Some(measure) = self.measure {
            out.push_sql(", ");
            limits::bind(&mut out, measure)?;
        }
        out.push_sql(")");
        Ok(())
    }
}
