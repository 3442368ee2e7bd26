//! How SQLite goes about a query, for the tests of those that must not read much.

use std::time::Duration;

use diesel::{
    QueryableByName, RunQueryDsl, debug_query, query_builder::QueryFragment, sql_query, sql_types::Text, sqlite::Sqlite,
};

use crate::{connections::Database, migrations};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The steps of `query`'s plan on a new database.
pub(crate) fn plan(query: &impl QueryFragment<Sqlite>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::at(&folder.path().join("auth.db"), Duration::from_secs(3)).unwrap();
    migrations::prepare(&database).unwrap();
    let sql = debug_query::<Sqlite, _>(query).to_string();
    let steps = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load::<Step>(&mut database.connect_reader().unwrap());
    steps.unwrap().into_iter().map(|step| step.detail).collect()
}
