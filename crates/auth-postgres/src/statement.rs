//! Statements that are written out: what diesel has no words for, and what it would prepare anew each time, as updates.

use std::marker::PhantomData;

use auth_domain::Timestamp;
use diesel::{
    QueryResult,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::rows::stored;

/// A statement that returns rows of `ST`. Each connection prepares it once.
pub(crate) struct Statement<ST = ()> {
    /// With a `?` for each value.
    sql: &'static str,
    values: Vec<Value>,
    returns: PhantomData<fn() -> ST>,
}

/// A value that a statement binds.
pub(crate) enum Value {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Texts(Vec<String>),
    Bool(bool),
    Timestamps(Vec<Option<PgTimestamp>>),
    Timestamp(Option<PgTimestamp>),
    Integer(i32),
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Uuid(Some(id))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Timestamp(Some(stored(at)))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Timestamp(at.map(stored))
    }
}

/// A count. There are never more than fit.
impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Integer(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl<ST> Statement<ST> {
    pub(crate) fn new(sql: &'static str, values: Vec<Value>) -> Self {
        Self { sql, values, returns: PhantomData }
    }
}

/// Which statement it is, diesel finds by the text.
impl<ST> QueryId for Statement<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Statement<ST> {
    type SqlType = ST;
}

impl<ST> QueryFragment<Pg> for Statement<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (n, part) in self.sql.split('?').enumerate() {
            if n > 0 {
                match values.next() {
                    Some(Value::Uuid(value)) => out.push_bind_param::<Nullable<SqlUuid>, _>(value)?,
                    Some(Value::Text(value)) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                    Some(Value::Texts(value)) => out.push_bind_param::<Array<Text>, _>(value)?,
                    Some(Value::Bool(value)) => out.push_bind_param::<Bool, _>(value)?,
                    Some(Value::Timestamps(value)) => {
                        out.push_bind_param::<Array<Nullable<Timestamptz>>, _>(value)?;
                    }
                    Some(Value::Timestamp(value)) => out.push_bind_param::<Nullable<Timestamptz>, _>(value)?,
                    Some(Value::Integer(value)) => out.push_bind_param::<Integer, _>(value)?,
                    None => return Err(diesel::result::Error::QueryBuilderError("a value is missing".into())),
                }
            }
            out.push_sql(part);
        }
        Ok(())
    }
}
