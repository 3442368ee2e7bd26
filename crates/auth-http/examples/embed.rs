//! Sign-in inside another service, without HTTP: `cargo run -p auth-http --example embed`.

use std::{error::Error, path::Path, sync::Arc};

use auth_domain::{
    Alias, Auth, Client, Courier, EmailAddress, FullName, Language, NoBell, Policy, Ports, ServerKeys, SignUp,
    system::{SystemClock, SystemEntropy},
};
use auth_smtp::FileMailer;
use auth_sqlite::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (database, outbox) = (folder.path().join("app.db"), folder.path().join("outbox"));
    let alias = embed(&database, &outbox, [7; 32]).await?;
    assert_eq!(alias.as_str(), "ada");
    Ok(())
}

async fn embed(database: &Path, outbox: &Path, secret: [u8; 32]) -> Result<Alias, Box<dyn Error>> {
    let store = Arc::new(SqliteStore::open(database)?);
    let keys = Arc::new(ServerKeys::new([secret])?);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let bell = Arc::new(NoBell);
    let ports = Ports { store: store.clone(), clock: clock.clone(), entropy: entropy.clone(), bell };
    let auth = Auth::new(ports, Policy::default(), keys.clone());
    let mailer = Arc::new(FileMailer::new(outbox.to_owned(), "App <app@localhost>".parse()?)?);
    let courier = Courier { store, mailer, keys, clock, entropy };

    let (email, full_name) = (EmailAddress::parse("ada@example.org")?, FullName::parse("Ada Lovelace")?);
    let sign_up = SignUp { email, full_name, alias: Alias::parse("ada")? };
    let client = Client::new([127, 0, 0, 1].into(), "my app");
    let opened = auth.sign_up(sign_up, &client, &Language::default()).await?;
    for mail in courier.claim(16).await? {
        courier.deliver(&mail).await?;
    }
    auth.redeem_sign_in_code(opened.code_id, &read_code(outbox)?, &client).await?;
    let live = auth.check_session(opened.bearer.expose()).await?;

    Ok(live.user.alias)
}

/// What the person does: opens the mail and types what stands in its subject.
fn read_code(outbox: &Path) -> Result<String, Box<dyn Error>> {
    let mail = std::fs::read_dir(outbox)?.next().ok_or("no mail")??;
    let text = std::fs::read_to_string(mail.path())?;
    let subject = text.lines().find(|line| line.starts_with("Subject: ")).ok_or("no subject")?;
    Ok(subject.chars().filter(char::is_ascii_digit).collect())
}
