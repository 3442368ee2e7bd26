//! What is counted and measured, as Prometheus sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actix_web::http::Method;
use auth_testkit::postgres::Cluster;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    app::{Backend, Setup, TestApp, delete, get, outside, post},
    process::{Reference, Running, read_code, within_patience},
};

const ADA: &str = "ada@example.org";
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The page of a service on the fakes.
async fn page(app: &TestApp) -> String {
    let answer = app.send(outside(Method::GET, "/metrics")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4"));
    answer.text()
}

/// What `series` stands at, if it is on the page.
fn value<'a>(page: &'a str, series: &str) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[tokio::test]
async fn checks_are_counted_by_what_was_asked_and_what_was_answered() {
    let app = TestApp::on(Backend::Fakes, Setup::default()).await;
    let session = app.registered("ada", ADA).await;
    let pair = app.has_key_pair(&session, ADA, json!({})).await;
    let unseen = app.sign_in(ADA).await;
    let invented = json!({"bearer": format!("aub_{}", "x".repeat(60))});
    for _ in 0..3 {
        app.check(&session).await.ok();
    }
    app.check(&invented).await.refused(401, "the credential is not valid");
    app.send(get("/keypair").key_pair(&pair)).await.ok();
    app.send(get("/authorize?role=user").bearer(&session)).await;
    app.send(get("/authorize?role=nobody").bearer(&session)).await.refused(403, "you lack a role that this takes");
    app.send(get("/authorize")).await.refused(401, "a bearer or a key pair is required");
    app.world.store.go_away();
    app.check(&unseen).await.refused(503, "temporarily unavailable: try again");

    let page = page(&app).await;
    for (kind, [valid, invalid, unknown]) in
        [("session", ["3", "1", "1"]), ("keypair", ["1", "0", "0"]), ("authorize", ["2", "1", "0"])]
    {
        let count = |answer| value(&page, &format!("auth_checks_total{{answer=\"{answer}\",kind=\"{kind}\"}}"));
        assert_eq!([count("valid"), count("invalid"), count("unknown")], [valid, invalid, unknown].map(Some), "{kind}");
    }
    assert_eq!(value(&page, "auth_cache_bypassed_total"), Some("0"));
    let asked = |name| value(&page, name).unwrap().parse::<u32>().unwrap();
    assert_eq!(asked("auth_cache_hits_total") + asked("auth_cache_misses_total"), 7, "all but what is no credential");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status_and_what_has_no_route_all_alike() {
    let app = TestApp::on(Backend::Fakes, Setup::default()).await;
    let session = app.registered("ada", ADA).await;
    app.check(&session).await.ok();
    app.send(get("/user/not-an-id")).await;
    app.send(delete("/session/not-an-id").bearer(&session)).await;
    app.send(post("/session").body(b"{")).await;
    app.send(outside(Method::PATCH, "/api/auth/v2/sessions")).await;
    for path in ["/", "/.env", "/api/auth/v2/nowhere", "/api/auth/v1/session"] {
        app.send(outside(Method::GET, path)).await;
    }
    app.send(outside(Method::TRACE, "/.git")).await;

    let page = page(&app).await;
    let count = |route: &str, method: &str, status: u16| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        value(&page, &format!("auth_http_requests_total{{{labels}}}")).map(|count| count.parse::<u32>().unwrap())
    };
    assert_eq!(count("/api/auth/v2/session", "GET", 200), Some(1));
    assert_eq!(count("/api/auth/v2/user", "POST", 202), Some(1));
    assert_eq!(count("/api/auth/v2/session/verification", "PUT", 202), Some(1));
    assert_eq!(count("/api/auth/v2/sessions", "other", 405), Some(1));
    assert_eq!(count("unmatched", "GET", 404), Some(4));
    assert_eq!(count("unmatched", "other", 404), Some(1));
    let labels = "method=\"POST\",route=\"/api/auth/v2/user\"";
    let buckets = format!("auth_http_request_duration_seconds_bucket{{{labels},le=");
    let buckets: Vec<_> = page.lines().filter(|line| line.starts_with(&buckets)).collect();
    assert!(buckets.len() == 15 && buckets[0].contains("\"0.00025\"") && buckets[13].contains("\"5\""), "{buckets:?}");
    for secret in [session["bearer"].as_str().unwrap(), "example.org", "not-an-id", ".env", ".git"] {
        assert!(!page.contains(secret), "{secret} in {page}");
    }
}

#[tokio::test]
async fn what_is_owed_and_what_was_not_swept_up_is_measured() {
    for backend in [Backend::Fakes, Backend::Sqlite, Backend::Postgres] {
        let app = TestApp::on(backend, Setup::default()).await;
        let idle = page(&app).await;
        assert_eq!(value(&idle, "auth_outbox_oldest_seconds"), Some("0"));
        assert_eq!(value(&idle, "auth_cleanup_lag_seconds"), Some("0"));

        app.sign_up("ada", ADA).await.accepted();
        app.wait(Duration::from_secs(7));
        app.ask_for_code("nobody@example.org").await.accepted();
        let busy = page(&app).await;
        assert_eq!(value(&busy, "auth_outbox_owed"), Some("2"), "a decoy is owed like a code");
        assert_eq!(value(&busy, "auth_outbox_oldest_seconds"), Some("7"));

        app.read_code(ADA).await;
        app.wait(Duration::from_hours(24));
        let later = page(&app).await;
        assert_eq!(value(&later, "auth_outbox_oldest_seconds"), Some("0"));
        let lag: f64 = value(&later, "auth_cleanup_lag_seconds").unwrap().parse().unwrap();
        assert!(lag > 60.0, "{lag}");
    }
}

/// The lines of `page` that tell of mails.
fn told_of_mails(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("auth_mails_") || line.starts_with("auth_outbox_owed")).collect()
}

#[tokio::test]
async fn what_is_told_of_mails_does_not_tell_whether_an_address_is_known() {
    for backend in [Backend::Fakes, Backend::Sqlite, Backend::Postgres] {
        let mut pages = Vec::new();
        for email in [ADA, "nobody@example.org"] {
            let app = TestApp::on(backend, Setup::default()).await;
            app.registered("ada", ADA).await;
            app.ask_for_code(email).await.accepted();
            app.sign_up("eve", email).await.accepted();
            pages.push(page(&app).await);
        }
        assert_eq!(value(&pages[0], "auth_outbox_owed"), Some("2"));
        assert_eq!(told_of_mails(&pages[0]), told_of_mails(&pages[1]));
    }
}

#[tokio::test]
async fn while_the_store_is_away_the_page_tells_what_it_knows() {
    let app = TestApp::on(Backend::Fakes, Setup::default()).await;
    assert_eq!(value(&page(&app).await, "auth_store_up"), Some("1"));
    app.world.store.go_away();
    let page = page(&app).await;
    assert_eq!(value(&page, "auth_store_up"), Some("0"));
    assert!(page.contains("auth_checks_total") && !page.contains("auth_outbox_") && !page.contains("auth_cleanup_"));
}

/// Every metric on a page, with its type and labels.
fn listed(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut listed = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines().filter(|line| !line.starts_with("# HELP ")) {
        if let Some(metric) = line.strip_prefix("# TYPE ") {
            let (name, kind) = metric.split_once(' ').unwrap();
            name.clone_into(&mut current);
            let before = listed.insert(current.clone(), (kind.to_owned(), BTreeSet::new()));
            assert!(before.is_none(), "{name} stands there twice");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with(&current) && value.parse::<f64>().is_ok(), "{line}");
        let labels = series.split_once('{').map(|(_, labels)| labels.trim_end_matches('}')).unwrap_or_default();
        let names = labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        listed.get_mut(&current).unwrap().1.extend(names.filter(|name| name != "le"));
    }
    listed
}

/// The same as `docs/operations.md` has it.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = include_str!("../../../../docs/operations.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `auth_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = format!("auth_{}", cells.next().unwrap().trim_end_matches('`'));
        let kind = cells.next().unwrap().to_owned();
        let labels = cells.next().unwrap().split(", ").filter(|label| !label.is_empty());
        (name, (kind, labels.map(|label| label.trim_matches('`').to_owned()).collect()))
    })
    .collect()
}

/// The page of the binary.
fn scraped(service: &Running) -> String {
    let answer = service.exchange(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn the_binary_exports_exactly_what_is_documented_whether_its_server_is_there_or_not() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let url = cluster.url("postgres");
    let service = Running::start_with(folder.path(), &[("AUTH__DATABASE__URL", &url), ("AUTH__SECRETS__KEY", KEY)]);
    within_patience(|| (service.status("/readyz") == 200).then_some(()));
    let session = service.sign_up("ada");
    assert_eq!(service.verify(&session, &read_code(folder.path(), "ada")), 202);
    assert_eq!(service.check(&session), 200);
    let handed_over = "auth_mails_total{outcome=\"handed_over\"}";
    let page = within_patience(|| Some(scraped(&service)).filter(|page| value(page, handed_over) == Some("1")));
    assert_eq!(listed(&page), documented());
    let lag: f64 = value(&page, "auth_revocation_lag_seconds").unwrap().parse().unwrap();
    assert!(lag > 0.0, "{lag}");

    cluster.kill();
    let (reference, begun) = (Reference::start(), Instant::now());
    let page = scraped(&service);
    // Whoever scrapes it gives up after ten seconds, mostly.
    assert!(begun.elapsed() < reference.allows(Duration::from_secs(2)), "{:?}", begun.elapsed());
    assert_eq!((value(&page, "auth_store_up"), value(&page, "auth_cache_hits_total").is_some()), (Some("0"), true));
}

#[test]
fn a_service_on_a_file_tells_all_but_what_is_particular_to_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let service = Running::start(folder.path());
    service.sign_up("ada");
    let page = scraped(&service);
    let missing: Vec<_> = documented().into_keys().filter(|name| !listed(&page).contains_key(name)).collect();
    assert_eq!(missing, ["auth_pool_connections", "auth_pool_waiting", "auth_revocation_lag_max_seconds"]);
    let lag: f64 = value(&page, "auth_revocation_lag_seconds").unwrap().parse().unwrap();
    assert!(lag >= 0.0, "{lag}");
}
