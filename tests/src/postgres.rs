//! The tests' own PostgreSQL server, in a temporary folder that is removed with it.
//!
//! It is as durable as by default: `fsync` stays on, because tests kill the server and check what
//! survived.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;
use tokio::net::TcpSocket;

/// Creates and starts the server, and stops it when its standard input closes. That is a pipe held
/// by the test process, so nothing is left behind however the process ends. A line in the pipe
/// makes the keeper release a server that has already ended, so that another can start in the same
/// folder.
const KEEPER: &str = r#"
folder=$1 binaries=$2 port=$3 user=
# The kernel sends SIGHUP to a group that lost its parent while one of its processes was suspended.
trap '' HUP
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    chown postgres "$folder"
    user="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
if [ ! -e "$folder/data" ]; then
    $user "$binaries/initdb" --pgdata="$folder/data" --username=postgres --auth=trust \
        --locale=C --encoding=UTF8 --no-sync --no-instructions >&2 || { rm -rf "$folder"; exit; }
fi
$user "$binaries/postgres" -D "$folder/data" -c port="$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$folder" -c max_connections=200 -c shared_buffers=128MB &
server=$!
# From here on only the server holds the log's pipe, which closes with its last process.
exec 2> /dev/null
if read -r line; then
    wait $server
else
    kill -CONT $server
    # A server that has just started ignores SIGQUIT and ends on SIGTERM. Later, SIGTERM alone would
    # wait for clients, and SIGQUIT ends it at once, even its suspended processes.
    kill -TERM $server
    kill -QUIT $server
    wait $server
    rm -rf "$folder"
fi
"#;

/// Where Debian installs the servers, one folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
const OLDEST: u32 = 15;
const READY: &str = "database system is ready to accept connections";

/// A running server. It stops when it is dropped, or when this process ends.
pub struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Bound but never listening, so that nobody else gets the port while the server is down.
    _held: TcpSocket,
    life: Mutex<Life>,
    /// How many databases were created. Locked during creation, because a template must not be in
    /// use by anyone else.
    databases: Mutex<usize>,
}

/// One run of the server, from its start to its end.
struct Life {
    keeper: Child,
    /// Reads the log, and ends with the last of the server's processes.
    log: Option<JoinHandle<()>>,
}

/// An open connection to a database.
pub struct Session {
    psql: Child,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What a session prints after each result.
const DONE: &str = "-- done";

/// A database on a server; it is removed with the server.
#[derive(Clone, Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl Server {
    /// The server that all tests in this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server for one test, which may kill it.
    pub fn start() -> Self {
        let binaries = binaries();
        let held = TcpSocket::new_v4().unwrap();
        // The server sets the same option, so it can bind the port that is bound here.
        held.set_reuseaddr(true).unwrap();
        held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = held.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap().keep();
        let life = Mutex::new(Life::begin(&binaries, &folder, port));
        Self { binaries, folder, port, _held: held, life, databases: Mutex::default() }
    }

    /// Sends SIGKILL to the server, and waits until all its processes have ended.
    pub fn kill(&self) {
        self.end("KILL");
    }

    /// Shuts it down cleanly, without waiting for its clients.
    pub fn stop(&self) {
        self.end("INT");
    }

    /// Starts it again in the same folder and on the same port.
    pub fn restart(&self) {
        let mut life = self.life.lock().unwrap();
        assert!(life.log.is_none(), "the server is still running");
        life.keeper.stdin.as_mut().unwrap().write_all(b"ended\n").unwrap();
        // The old server is a zombie until its keeper reaps it, and the new one would wait for
        // that.
        life.keeper.wait().unwrap();
        *life = Life::begin(&self.binaries, &self.folder, self.port);
    }

    /// Suspends the server and all its processes, so that it answers nobody.
    pub fn suspend(&self) {
        // The postmaster first: it starts the others, so none is missed.
        let postmaster = self.postmaster();
        signal("STOP", &postmaster);
        children(&postmaster).iter().for_each(|child| signal("STOP", child));
    }

    /// Resumes it.
    pub fn resume(&self) {
        let postmaster = self.postmaster();
        children(&postmaster).iter().for_each(|child| signal("CONT", child));
        signal("CONT", &postmaster);
    }

    /// Creates a database: a copy of the template, or an empty one.
    pub fn create_database(&self, template: Option<&Database>) -> Database {
        let mut databases = self.databases.lock().unwrap();
        *databases += 1;
        let name = format!("test_{databases}");
        let template = template.map_or("template0", |template| &template.name);
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        drop(databases);
        let url = format!("postgres://postgres@127.0.0.1:{}/{name}", self.port);
        Database { name, url }
    }

    /// Runs SQL in a database. Returns one line per row, with `|` between columns.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.client(database);
        psql.args(["-c", sql]);
        output_of(psql)
    }

    /// Opens a connection that keeps its transactions and locks until it is dropped.
    pub fn session(&self, database: &str) -> Session {
        let mut psql = self.client(database);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(psql.stdout.take().unwrap()).lines();
        Session { psql, answers }
    }

    fn client(&self, database: &str) -> Command {
        let mut psql = Command::new(self.binaries.join("psql"));
        psql.args(["--no-psqlrc", "--host=127.0.0.1", "--username=postgres", "-qAt", "--port"])
            .args([&self.port.to_string(), "-v", "ON_ERROR_STOP=1", database]);
        psql
    }

    fn end(&self, by: &str) {
        signal(by, &self.postmaster());
        let log = self.life.lock().unwrap().log.take();
        log.expect("the server has ended already").join().unwrap();
    }

    /// The id of the server's main process.
    fn postmaster(&self) -> String {
        let lock = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        lock.lines().next().unwrap().to_owned()
    }
}

impl Session {
    /// Runs SQL. Returns one line per row, with `|` between columns.
    pub fn run(&mut self, sql: &str) -> String {
        let input = self.psql.stdin.as_mut().unwrap();
        writeln!(input, "{sql};\n\\echo {DONE}").unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.answers.next().expect("psql ended").unwrap();
            if line == DONE {
                return lines.join("\n");
            }
            lines.push(line);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Fails if it has already ended, as after an error.
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes the pipe that the keeper reads. The lock is poisoned if the test is
        // already failing.
        let _ = self.life.get_mut().map(|life| life.keeper.wait());
    }
}

impl Life {
    /// Starts the server and waits until it accepts connections.
    fn begin(binaries: &Path, folder: &Path, port: u16) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([folder, binaries])
            .arg(port.to_string())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is meant for the test process; the keeper notices when that ends.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(keeper.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut before = Vec::new();
        loop {
            match log.next() {
                Some(line) if line.contains(READY) => break,
                Some(line) => before.push(line),
                None => panic!("PostgreSQL did not start:\n{}", before.join("\n")),
            }
        }
        let mut file =
            std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let log = std::thread::spawn(move || {
            before.into_iter().chain(log).for_each(|line| writeln!(file, "{line}").unwrap());
        });
        Self { keeper, log: Some(log) }
    }
}

impl Database {
    /// Its name, for [`Server::psql`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a collector's `store.url`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The folder with the server's programs.
fn binaries() -> PathBuf {
    let mut shell = Command::new("sh");
    let on_path = shell.args(["-c", "command -v postgres"]).output().unwrap();
    let on_path = String::from_utf8(on_path.stdout).unwrap();
    let folder = match std::fs::canonicalize(on_path.trim()) {
        Ok(postgres) => postgres.parent().unwrap().to_owned(),
        Err(_) => newest().unwrap_or_else(|| {
            panic!("PostgreSQL is missing: `cargo xtask test --install` installs it")
        }),
    };
    let mut postgres = Command::new(folder.join("postgres"));
    postgres.arg("--version");
    let version = output_of(postgres);
    let number = version.split(") ").nth(1).and_then(|rest| rest.split(['.', ' ']).next());
    assert!(
        number.and_then(|number| number.parse().ok()).is_some_and(|number: u32| number >= OLDEST),
        "{version} is in {}, and the tests need {OLDEST} or newer: `cargo xtask test --install` \
         installs one where there is none",
        folder.display()
    );
    folder
}

/// The folder with the programs of the newest version from Debian's packages.
fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?.filter_map(|version| {
        let folder = version.unwrap().path();
        let number: u32 = folder.file_name()?.to_str()?.parse().ok()?;
        folder.join("bin/postgres").is_file().then(|| (number, folder.join("bin")))
    });
    versions.max().map(|(_, folder)| folder)
}

/// The ids of a process's children, from `/proc`.
fn children(of: &str) -> Vec<String> {
    let child = |process: std::io::Result<std::fs::DirEntry>| {
        let process = process.ok()?;
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // The line is `pid (name) state parent …`, and a name may contain anything.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
        (parent == of).then(|| process.file_name().into_string().unwrap())
    };
    std::fs::read_dir("/proc").unwrap().filter_map(child).collect()
}

/// Sends a signal. A process that has just ended is fine.
fn signal(name: &str, process: &str) {
    let line = format!("kill -{name} {process}");
    Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status().unwrap();
}

/// What a program prints. The test fails if the program does.
fn output_of(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim_end().to_owned()
}
