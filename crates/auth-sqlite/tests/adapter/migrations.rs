use std::{collections::BTreeSet, fs, path::PathBuf};

use diesel::connection::SimpleConnection;

use crate::connect;

fn folder_of(database: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations")).join(database)
}

fn migrations_of(database: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder_of(database)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_eq!(migrations_of("sqlite"), migrations_of("postgres"));
}

#[test]
fn every_migration_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = connect(&folder.path().join("auth.db"));
    let mut run = |migration: &str, file: &str| {
        let statements = fs::read_to_string(folder_of("sqlite").join(migration).join(file)).unwrap();
        database.batch_execute(&statements).unwrap();
    };
    let migrations = migrations_of("sqlite");
    for _ in 0..2 {
        for migration in &migrations {
            run(migration, "up.sql");
        }
        for migration in migrations.iter().rev() {
            run(migration, "down.sql");
        }
    }
}
