//! The collector as a separate process, to be killed and signalled.

use crate::settings::settings_for;
use crate::storage::Storage;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use tempfile::NamedTempFile;

/// The longest wait for a line of the log.
const LINE: Duration = Duration::from_secs(20);

/// Lets the binary run as root, as tests in a container do.
pub const ALLOW_ROOT: &str = "CLEW_ALLOW_ROOT";

/// A running `clew serve`; killed when dropped.
pub struct Collector {
    child: Child,
    log: Receiver<String>,
    config: NamedTempFile,
    /// Its base URL, without a trailing slash.
    pub url: String,
    /// The base URL for operators: the same, unless it was started with a separate one.
    pub operator_url: String,
}

impl Collector {
    /// Starts it on a store and waits until it is ready.
    pub fn start(storage: &Storage, more_settings: &str) -> Self {
        Self::start_by(Command::new(binary()), storage, more_settings)
    }

    /// Like [`start`](Self::start), with a separate address for operators.
    pub fn start_apart(storage: &Storage, more_settings: &str) -> Self {
        let mut program = Command::new(binary());
        program.env("CLEW_OPERATOR_LISTEN", "127.0.0.1:0");
        Self::start_by(program, storage, more_settings)
    }

    /// Like [`start`](Self::start), but no file may grow beyond this many blocks of 512 bytes: a
    /// write past that fails, as on a full disk.
    pub fn start_within(blocks: u32, storage: &Storage, more_settings: &str) -> Self {
        Self::start_by(within(blocks), storage, more_settings)
    }

    fn start_by(mut program: Command, storage: &Storage, more_settings: &str) -> Self {
        let config = NamedTempFile::new().unwrap();
        let settings = format!("{}{more_settings}", settings_for(&storage.url()));
        std::fs::write(config.path(), settings).unwrap();
        let mut child = program
            .args(["serve", "--allow-root", "--config"])
            .arg(config.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut lines = Vec::new();
        let (address, operator_address) = loop {
            let Some(Ok(line)) = log.next() else {
                panic!("the collector ended before it was ready:\n{}", lines.join("\n"));
            };
            if let Some((_, rest)) = line.split_once("ready address=") {
                let mut words = rest.split_whitespace();
                let address = words.next().unwrap().to_owned();
                let operators = words.next().unwrap().strip_prefix("operator_address=").unwrap();
                break (address, operators.to_owned());
            }
            lines.push(line);
        };
        // Someone must keep reading the pipe: the collector would block once it is full.
        let (lines, log_read) = mpsc::channel();
        std::thread::spawn(move || {
            // Lines are dropped once nobody waits for them.
            log.map_while(Result::ok).for_each(|line| drop(lines.send(line)));
        });
        let (url, operator_url) =
            (format!("http://{address}"), format!("http://{operator_address}"));
        Self { child, log: log_read, config, url, operator_url }
    }

    /// Lifts the limit on the size of its files.
    pub fn make_room(&self) {
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &self.child.id().to_string(), "--fsize=unlimited"]);
        assert!(prlimit.status().unwrap().success());
    }

    /// Rewrites its configuration file, which it reads at the next reload.
    pub fn configure(&self, settings: &str) {
        std::fs::write(self.config.path(), settings).unwrap();
    }

    /// Sends SIGKILL, and waits for the process to end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM. Returns whether the process then exited successfully.
    pub fn terminate(mut self) -> bool {
        self.signal("TERM");
        self.child.wait().unwrap().success()
    }

    /// Sends SIGTERM. Returns every line of the log that no test has waited for.
    pub fn last_lines(mut self) -> Vec<String> {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
        self.log.iter().collect()
    }

    /// Its peak memory so far, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: usize = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib << 10
    }

    /// Sends SIGHUP, on which it reloads its configuration.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Waits for the next log line that contains a text, skipping those before it.
    pub fn line_with(&self, text: &str) -> String {
        let mut passed = Vec::new();
        loop {
            match self.log.recv_timeout(LINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => passed.push(line),
                Err(_) => panic!("the log never had `{text}`:\n{}", passed.join("\n")),
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Fails if it has already ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs the binary with files limited to this many blocks of 512 bytes. It takes the
/// arguments as added.
pub fn within(blocks: u32) -> Command {
    let mut shell = Command::new("sh");
    let limited = r#"trap '' XFSZ; ulimit -S -f "$1"; shift; exec "$@""#;
    shell.args(["-c", limited, "sh", &blocks.to_string()]).arg(binary()).env(ALLOW_ROOT, "1");
    shell
}

/// The result of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// Whether it exited successfully.
    pub success: bool,
    /// Its standard output, then its standard error.
    pub text: String,
}

/// Runs a `clew` command on a store, to its end.
pub fn clew(storage: &Storage, arguments: &[&str]) -> CommandOutput {
    clew_with(storage, "", arguments)
}

/// The same, with more settings.
pub fn clew_with(storage: &Storage, more_settings: &str, arguments: &[&str]) -> CommandOutput {
    let (command, _config) = command_with(storage, more_settings, arguments);
    // A command that hangs fails the test instead of blocking it.
    let mut bounded = Command::new("timeout");
    bounded.arg("120").arg(command.get_program()).args(command.get_args());
    bounded.env(ALLOW_ROOT, "1");
    run(bounded)
}

/// Runs a program to its end.
pub fn run(mut program: Command) -> CommandOutput {
    let output = program.output().unwrap();
    let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    CommandOutput { success: output.status.success(), text }
}

/// A `clew` command that is not yet started, and its configuration file, which must exist while it
/// runs.
pub fn command(storage: &Storage, arguments: &[&str]) -> (Command, NamedTempFile) {
    command_with(storage, "", arguments)
}

/// The same, with more settings.
pub fn command_with(
    storage: &Storage,
    more_settings: &str,
    arguments: &[&str],
) -> (Command, NamedTempFile) {
    let config = NamedTempFile::new().unwrap();
    std::fs::write(config.path(), settings_for(&storage.url()) + more_settings).unwrap();
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(config.path());
    command.env(ALLOW_ROOT, "1");
    (command, config)
}

/// The binary that `cargo xtask test` builds beside the test binary.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).unwrap().join("clew");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo xtask test`, which builds it",
        binary.display()
    );
    binary
}

/// The result of a command that was given an input.
pub struct PipedOutput {
    /// Whether it exited successfully.
    pub success: bool,
    /// Its standard output.
    pub answer: String,
    /// Its standard error.
    pub complaint: String,
}

/// Runs `clew` with the arguments in `line`, separated by spaces, and an input.
pub fn run_with_input(line: &str, input: &[u8]) -> PipedOutput {
    let mut command = Command::new(binary());
    command.args(line.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that fails early stops reading, and then the pipe is closed.
    let writing = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    PipedOutput {
        success: output.status.success(),
        answer: String::from_utf8(output.stdout).unwrap(),
        complaint: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The output of a command that must succeed.
pub fn succeeds(output: CommandOutput) -> String {
    assert!(output.success, "{}", output.text);
    output.text
}

/// The output of `clew check` for a store that must be consistent.
pub fn checked(storage: &Storage) -> String {
    let text = succeeds(clew(storage, &["check"]));
    assert!(text.ends_with("the store is consistent\n"), "{text}");
    text
}
