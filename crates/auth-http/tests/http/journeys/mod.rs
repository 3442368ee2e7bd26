//! Journeys through the API, each on every backend.

mod emails;
mod key_pairs;
mod outage;
mod requests;
mod sessions;
mod signing_in;
mod users;

use crate::app::{Backend, Setup, TestApp};

/// Makes tests of journeys, one for each backend.
macro_rules! journeys {
    ($($name:ident),+ $(,)?) => {
        mod on_fakes {
            $(#[tokio::test] async fn $name() { super::$name(crate::app::Backend::Fakes).await; })+
        }
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(crate::app::Backend::Sqlite).await; })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() { super::$name(crate::app::Backend::Postgres).await; })+
        }
    };
}
use journeys;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

async fn app(backend: Backend) -> TestApp {
    TestApp::on(backend, Setup::default()).await
}
