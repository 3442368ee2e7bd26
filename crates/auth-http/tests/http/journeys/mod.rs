//! Journeys through the API, each on every backend.

mod administration;
mod audit;
mod browsers;
mod client_address;
mod clock;
mod emails;
mod gateway;
mod key_pairs;
mod limits;
mod outage;
mod requests;
mod sessions;
mod signing_in;
mod step_up;
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
const ROOT: &str = "root@example.org";

/// What a request is told whose credential is not valid, that names what is not there, or that takes a role.
const INVALID: &str = "the credential is not valid";
const MISSING: &str = "no such resource";
const LACKING: &str = "you lack a role that this takes";

async fn app(backend: Backend) -> TestApp {
    TestApp::on(backend, Setup::default()).await
}
