//! There is no more room for an embedded database.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    crowd::Crowd,
    doors::Doors,
    fleet::BACK_WITHIN,
    postbox::Postbox,
    random::Random,
    running::{Reference, Running, command, within_patience},
    trials::short_or_long,
};

/// A service whose data lies on a file system of eight megabytes, which nobody else sees and which ends with it.
fn start(folder: &Path, postbox: &Postbox) -> Running {
    let binary = command(folder);
    let mut small = Command::new("unshare");
    fs::create_dir(folder.join("data")).unwrap();
    small.args(privileges());
    small.args(["--mount", "sh", "-c", "mount -t tmpfs -o size=8m none data && exec \"$0\""]).arg(binary.get_program());
    small.current_dir(folder).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    small.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    small.env("AUTH__MAIL__URL", format!("smtp://{}?tls=none", postbox.server.address()));
    let service = Running::spawn(small.env("AUTH__LIMITS__ENABLED", "false"));
    within_patience(|| (service.status("/readyz") == 200).then_some(()));
    service
}

/// What `unshare` takes besides for this process to have a file system of its own: nothing for root, a user of its own for others.
fn privileges() -> &'static [&'static str] {
    let ways: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let works = |way: &&&[&str]| {
        Command::new("unshare").args(**way).args(["--mount", "true"]).output().unwrap().status.success()
    };
    ways.iter().find(works).expect("a small file system takes root, or leave to make namespaces for users")
}

/// Takes all the room that is left; it is free again once the file is gone.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = File::create(&path).unwrap();
    for block in [1 << 20, 1 << 16, 1 << 12] {
        while file.write_all(&vec![0; block]).is_ok() {}
    }
    path
}

#[test]
fn a_full_disk_is_503_to_whoever_writes_and_nothing_to_whoever_is_checked() {
    let test = "disk full";
    let (mut random, reference) = (Random::for_test(test), Reference::start());
    let (folder, postbox) = (TempDir::new().unwrap(), Postbox::start());
    let service = start(folder.path(), &postbox);
    // As the service sees it.
    let data = PathBuf::from(format!("/proc/{}/cwd/data", service.id()));
    let doors = Doors::at(vec![service.address], postbox);
    let mut crowd = Crowd::new(4, &mut random);
    crowd.goes_on(&doors, |let_in| {
        for _ in 0..short_or_long([1, 3]) {
            let_in(5);
            sleep(Duration::from_secs(1));
            let before = &doors.counted()[0];
            let ballast = fill(&data);
            let_in(5);
            sleep(Duration::from_secs(3));
            let after = &doors.counted()[0];
            assert!(after.unavailable > before.unavailable, "{before:?} {after:?}");
            assert_eq!(service.status("/readyz"), 200);
            fs::remove_file(ballast).unwrap();
            let room = Instant::now();
            sleep(reference.allows(BACK_WITHIN) + Duration::from_millis(500));
            let unavailable = doors.unavailable_after(room);
            println!(
                "{test}: the last request that was answered 503 was sent {} ms after there was room",
                unavailable.as_millis()
            );
            assert!(unavailable < reference.allows(BACK_WITHIN), "{unavailable:?}");
        }
    });
    doors.report(test);
    let counts = &doors.counted()[0];
    assert_eq!((counts.unknown_checks, counts.unanswered), (0, 0), "checks write nothing");
    assert!(service.log().contains("full"), "{}", service.log());
    crowd.has_what_was_acknowledged(&doors, test);
    println!("{test}: {} mails came twice", doors.postbox.copied().len());
}
