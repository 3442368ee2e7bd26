use std::{collections::BTreeSet, fs, path::PathBuf};

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
