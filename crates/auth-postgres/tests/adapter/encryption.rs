use auth_domain::{StoreError, Upkeep};
use auth_testkit::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::connect;

/// An authority, and a server whose certificate for `localhost` it signed, which lets in over TCP whom `host_rules` let in.
async fn encrypting(host_rules: &'static str) -> (Cluster, tempfile::TempDir) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
    let other = CertificateParams::new(Vec::new()).unwrap();
    let other = CertifiedIssuer::self_signed(other, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.path().join("other.pem"), other.pem()).unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();

    let cluster = tokio::task::spawn_blocking(move || {
        Cluster::start_with(|path| {
            let (certificate_file, key_file) = (path.join("server.pem"), path.join("server.key"));
            std::fs::write(&certificate_file, certificate.pem()).unwrap();
            std::fs::write(&key_file, key.serialize_pem()).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&key_file, private).unwrap();
            let rules_file = path.join("pg_hba.conf");
            std::fs::write(&rules_file, format!("local all all trust\n{host_rules}\n")).unwrap();
            let (certificate, key, rules) = (certificate_file.display(), key_file.display(), rules_file.display());
            format!("ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\nhba_file = '{rules}'")
        })
    });
    let cluster = cluster.await.unwrap();
    connect(&cluster.url("postgres"), 1).migrate().await.unwrap();
    (cluster, folder)
}

async fn reach(url: &str) -> Result<(), StoreError> {
    connect(url, 1).check_ready().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modes_of_encryption_do_what_they_say() {
    let (cluster, folder) = encrypting("host all all all trust").await;
    let port = cluster.address().rsplit_once(':').unwrap().1.to_owned();
    let url = |host: &str, query: &str| format!("postgres://postgres@{host}:{port}/postgres?{query}");
    let ca = |name: &str| folder.path().join(name).display().to_string();
    let verified = format!("sslmode=verify-full&sslrootcert={}", ca("authority.pem"));
    for query in ["sslmode=disable", "sslmode=prefer", "sslmode=require", &verified] {
        reach(&url("localhost", query)).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
    }
    for (host, query) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={}", ca("other.pem"))),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("127.0.0.1", verified.clone()),
    ] {
        let refused = reach(&url(host, &query)).await;
        let Err(StoreError::Unavailable(reason)) = refused else { panic!("{host} {query}: {refused:?}") };
        assert!(format!("{reason:?}").contains("certificate"), "{host} {query}: {reason:?}");
    }
    let unusable = auth_postgres::PostgresStore::new(
        url("localhost", &format!("sslmode=verify-full&sslrootcert={}", ca("empty.pem"))).parse().unwrap(),
        auth_postgres::PoolOptions::default(),
    );
    assert!(unusable.err().unwrap().to_string().ends_with("there is no certificate in it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_encryption_gets_it_by_default_and_only_then() {
    let (cluster, _folder) = encrypting("hostssl all all all trust").await;
    let url = |query: &str| format!("postgres://postgres@{}/postgres{query}", cluster.address());
    for query in ["", "?sslmode=require"] {
        reach(&url(query)).await.unwrap();
    }
    assert!(reach(&url("?sslmode=disable")).await.is_err());
}
