//! The collector as a process of its own: to be killed, and to be told things by signals.

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

/// Lets `clew serve` run as root, as who tests run in a container.
pub const ALLOW_ROOT: &str = "CLEW_ALLOW_ROOT";

/// A running `clew serve`; killed when it is dropped.
pub struct Collector {
    child: Child,
    log: Receiver<String>,
    config: NamedTempFile,
    /// Its address, without a slash behind.
    pub url: String,
    /// The address that answers operators: the same, unless it was started with one apart.
    pub operator_url: String,
}

impl Collector {
    /// Starts on a store and waits until it is ready.
    pub fn start(storage: &Storage, more_settings: &str) -> Self {
        Self::start_by(Command::new(binary()), storage, more_settings)
    }

    /// The same with an address of their own for operators.
    pub fn start_apart(storage: &Storage, more_settings: &str) -> Self {
        let mut program = Command::new(binary());
        program.env("CLEW_OPERATOR_LISTEN", "127.0.0.1:0");
        Self::start_by(program, storage, more_settings)
    }

    /// The same where no file may grow beyond so many blocks of 512 bytes: a write that would fails, as
    /// on a full disk.
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
        let mut told = Vec::new();
        let (address, operator_address) = loop {
            let Some(Ok(line)) = log.next() else {
                panic!("the collector ended before it was ready:\n{}", told.join("\n"));
            };
            if let Some((_, rest)) = line.split_once("ready address=") {
                let mut words = rest.split_whitespace();
                let address = words.next().unwrap().to_owned();
                let operators = words.next().unwrap().strip_prefix("operator_address=").unwrap();
                break (address, operators.to_owned());
            }
            told.push(line);
        };
        // The pipe must be read on, or the collector would stand still once it is full.
        let (lines, log_read) = mpsc::channel();
        std::thread::spawn(move || {
            // Lines that come when nobody waits for them any more are dropped.
            log.map_while(Result::ok).for_each(|line| drop(lines.send(line)));
        });
        let (url, operator_url) =
            (format!("http://{address}"), format!("http://{operator_address}"));
        Self { child, log: log_read, config, url, operator_url }
    }

    /// Makes room: its files may grow again.
    pub fn make_room(&self) {
        let mut prlimit = Command::new("prlimit");
        prlimit.args(["--pid", &self.child.id().to_string(), "--fsize=unlimited"]);
        assert!(prlimit.status().unwrap().success());
    }

    /// Writes other settings into its file, for the next time that it reads them.
    pub fn configure(&self, settings: &str) {
        std::fs::write(self.config.path(), settings).unwrap();
    }

    /// SIGKILL, and wait for the end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; whether it then ended with success.
    pub fn terminate(mut self) -> bool {
        self.signal("TERM");
        self.child.wait().unwrap().success()
    }

    /// SIGTERM; every line of the log that nobody has waited for.
    pub fn last_lines(mut self) -> Vec<String> {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success());
        self.log.iter().collect()
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: usize = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib << 10
    }

    /// SIGHUP: it reads its configuration again.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// The next line of the log that contains a text; those before it are passed over.
    pub fn line_with(&self, text: &str) -> String {
        let mut passed = Vec::new();
        loop {
            match self.log.recv_timeout(LINE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => passed.push(line),
                Err(_) => panic!("the log never told of `{text}`:\n{}", passed.join("\n")),
            }
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Fails where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, to be given arguments, with a limit on the size of files.
pub fn within(blocks: u32) -> Command {
    let mut shell = Command::new("sh");
    let limited = r#"trap '' XFSZ; ulimit -S -f "$1"; shift; exec "$@""#;
    shell.args(["-c", limited, "sh", &blocks.to_string()]).arg(binary()).env(ALLOW_ROOT, "1");
    shell
}

/// What a command said.
#[derive(Debug)]
pub struct Told {
    /// Whether it did what was asked.
    pub success: bool,
    /// Its answer and its complaints.
    pub text: String,
}

/// Runs a command of the binary on a store, to its end.
pub fn clew(storage: &Storage, arguments: &[&str]) -> Told {
    clew_with(storage, "", arguments)
}

/// The same with more settings.
pub fn clew_with(storage: &Storage, more_settings: &str, arguments: &[&str]) -> Told {
    let (command, _config) = command_with(storage, more_settings, arguments);
    // One that does not end fails the test, and does not hold it up.
    let mut bounded = Command::new("timeout");
    bounded.arg("120").arg(command.get_program()).args(command.get_args());
    bounded.env(ALLOW_ROOT, "1");
    told(bounded)
}

/// Runs a program to its end.
pub fn told(mut program: Command) -> Told {
    let output = program.output().unwrap();
    let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    Told { success: output.status.success(), text }
}

/// The same not yet started, with the configuration that has to be there while it runs.
pub fn command(storage: &Storage, arguments: &[&str]) -> (Command, NamedTempFile) {
    command_with(storage, "", arguments)
}

/// The same with more settings.
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

/// What a command made of its standard input.
pub struct Said {
    /// Whether it ended well.
    pub success: bool,
    /// Its standard output.
    pub answer: String,
    /// Its standard error.
    pub complaint: String,
}

/// Runs `clew` with an input; the words of the line have spaces between them.
pub fn say(line: &str, input: &[u8]) -> Said {
    let mut command = Command::new(binary());
    command.args(line.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    // One that complains early reads no further, and then the pipe is closed.
    let writing = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    Said {
        success: output.status.success(),
        answer: String::from_utf8(output.stdout).unwrap(),
        complaint: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a command that has to succeed told.
pub fn succeeds(told: Told) -> String {
    assert!(told.success, "{}", told.text);
    told.text
}

/// What `clew check` told of a store that has to hold together.
pub fn checked(storage: &Storage) -> String {
    let text = succeeds(clew(storage, &["check"]));
    assert!(text.ends_with("the store is consistent\n"), "{text}");
    text
}
