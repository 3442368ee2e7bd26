use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::waiting::{PATIENCE, Patience};

/// What to do when there is no PostgreSQL on this machine.
const MISSING: &str = "no PostgreSQL server binaries found: install them (Debian, Ubuntu: apt install postgresql; macOS: \
                       brew install postgresql) or set AUTH_TEST_POSTGRES_URL";

/// A PostgreSQL server of its own, on a free port of the loopback interface and on a socket in its own folder. It ends, and
/// its folder goes, when it is dropped or when the process that started it ends, however that comes about.
pub struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    /// Waits for the other end of its standard input to be closed, which the system does for a process that is gone.
    watchdog: Child,
}

impl Cluster {
    /// Starts a server. Blocks for about a second.
    pub fn start() -> Self {
        Self::start_with(|_folder| String::new())
    }

    /// Starts a server with more lines in its `postgresql.conf`, such as those about encryption; they may name files that
    /// are put into the folder.
    pub fn start_with(configure: impl FnOnce(&Path) -> String) -> Self {
        let binaries = find_binaries().expect(MISSING);
        let folder = tempfile::Builder::new().prefix("auth-postgres-").tempdir().expect("a folder");
        // PostgreSQL refuses to run as root.
        let owner = is_root(folder.path()).then(unprivileged);
        // Free a moment ago. Nobody else is likely to take it before the server does.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let watchdog = watch(folder.path(), &binaries, owner);
        let cluster = Self { folder, binaries, port, owner, watchdog };

        let path = cluster.folder.path();
        let more = configure(path);
        for entry in fs::read_dir(path).expect("the folder").flatten() {
            cluster.give_away(&entry.path());
        }
        cluster.give_away(path);
        cluster.run(
            "initdb",
            &["-D", "data", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
        );
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n\
             full_page_writes = off\nmax_connections = 300\nshared_buffers = 64MB\nautovacuum = off\n{more}\n",
            path.display()
        );
        let file = path.join("data/postgresql.conf");
        let defaults = fs::read_to_string(&file).expect("the settings");
        fs::write(&file, defaults + &settings).expect("the settings");
        cluster.resume();
        cluster
    }

    /// The URL of a database, over the socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://postgres@/{database}?host={folder}&port={}", self.port)
    }

    /// Where the server listens on the loopback interface, as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the server's log")
    }

    /// Kills the server: what was not committed is lost, every connection breaks.
    pub fn kill(&self) {
        self.run("pg_ctl", &["-D", "data", "stop", "-m", "immediate"]);
    }

    /// Kills the server's first process with SIGKILL, as the kernel does when memory is short: its other processes notice that
    /// it is gone, and end.
    pub fn crash(&self) {
        let file = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).expect("the server runs");
        let process = file.lines().next().unwrap_or_default();
        let killed = Command::new("kill").args(["-KILL", process]).status().expect("a program called kill");
        assert!(killed.success(), "the server runs");
    }

    /// Starts it again.
    pub fn resume(&self) {
        // Processes of one that crashed may take a moment to be gone, and until then it does not start.
        let seconds = PATIENCE.as_secs().to_string();
        let mut patience = None;
        while !self.try_run("pg_ctl", &["-D", "data", "-l", "log", "-w", "-t", &seconds, "start"]) {
            patience.get_or_insert_with(|| Patience::with(self.told("pg_ctl"))).block_for_a_moment();
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.try_run(program, arguments), "{}", self.told(program));
    }

    /// What `program` has said, and the server's log.
    fn told(&self, program: &str) -> String {
        let told = |file: &str| fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        format!("{program}: {}{}", told(&format!("{program}.out")), told("log"))
    }

    fn try_run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(self.binaries.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // Files, not pipes: the server would inherit those, and nobody would see their end.
        let said = self.folder.path().join(format!("{program}.out"));
        let out = fs::File::create(&said).expect("a file");
        command.stdout(out.try_clone().expect("a file")).stderr(out);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command.status().expect("a program of PostgreSQL's").success()
    }

    fn give_away(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("root may give files away");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ended = self.watchdog.wait();
    }
}

/// Ends the server and removes its folder once this process is gone, or lets go.
fn watch(folder: &Path, binaries: &Path, owner: Option<(u32, u32)>) -> Child {
    let script = r#"read -r _; "$1/pg_ctl" -D data stop -m immediate; cd /; rm -rf "$2""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "watchdog"]).arg(binaries).arg(folder).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    // A Ctrl-C ends the tests, and must not end this before them.
    command.process_group(0);
    command.spawn().expect("a shell")
}

/// Where the server's programs are: on the path, or where Debian and Homebrew put them. The newest, if there are several.
fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut packaged = Vec::new();
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        packaged.extend(
            entries.filter(|path| parent.ends_with("postgresql") || path.to_string_lossy().contains("postgresql")),
        );
    }
    packaged.sort();
    folders.extend(packaged.into_iter().rev().map(|folder| folder.join("bin")));
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// Whether this process runs as root: then the folder it made is root's.
fn is_root(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).expect("the folder").uid() == 0
}

/// User and group of `postgres`, or of `nobody` if there is none.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the machine's users");
    let ids = |name: &str| {
        let fields: Vec<&str> = users.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("a user without privileges")
}
