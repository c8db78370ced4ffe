//! The collector under attack: a process of its own, with the settings of an installation, and what it
//! costs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::NamedTempFile;
use tests::postgres::Server;
use tests::process::ALLOW_ROOT;
use tests::settings::{KEY, destination, key};
use tests::storage::Storage;

/// The hook of a HubSpot connection.
pub(crate) const HOOK: &str = "/hooks/sales";
/// A collector that takes more is ended, before it takes the machine's memory.
const MOST_BYTES: u64 = 4 << 30;
const SAMPLED: Duration = Duration::from_millis(50);

/// Which program is attacked.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    /// Whether it knows the settings of version 0.1.0 alone.
    pub(crate) before: bool,
}

/// A running collector; killed when it is dropped.
pub(crate) struct Target {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where `/readyz` is answered.
    pub(crate) operators: SocketAddr,
    costs: Arc<Costs>,
    storage: Storage,
    _config: NamedTempFile,
}

#[derive(Default)]
struct Costs {
    peak_bytes: AtomicU64,
    lines: AtomicU64,
    ended: AtomicBool,
}

impl Target {
    /// Starts it on a store, handing leads to a receiver, and waits until it is ready. It may have 1,024
    /// open files, as a login gives, unless it raises that itself.
    pub(crate) fn start(program: &Program, storage: Storage, receiver: &str) -> Self {
        let config = NamedTempFile::new().unwrap();
        fs::write(config.path(), settings(program, &storage.url(), receiver)).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", r#"ulimit -S -n 1024; exec "$@""#, "sh"])
            .arg(&program.binary)
            .args(["serve", "--config"])
            .arg(config.path())
            .env(ALLOW_ROOT, "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let (address, operators) = loop {
            let Some(Ok(line)) = log.next() else { panic!("the collector did not start:\n{said}") };
            if let Some((_, rest)) = line.split_once("ready address=") {
                let mut words = rest.split_whitespace();
                let address = words.next().unwrap().parse().unwrap();
                let apart = words.next().and_then(|word| word.strip_prefix("operator_address="));
                break (address, apart.map_or(address, |apart| apart.parse().unwrap()));
            }
            said = said + &line + "\n";
        };
        let costs = Arc::new(Costs::default());
        let counted = Arc::clone(&costs);
        thread::spawn(move || {
            let shows = std::env::var_os("CLEW_ATTACK_LOG").is_some();
            for line in log.map_while(Result::ok) {
                counted.lines.fetch_add(1, Ordering::Relaxed);
                if shows {
                    eprintln!("{line}");
                }
            }
        });
        let (sampled, id) = (Arc::clone(&costs), child.id());
        thread::spawn(move || sampled.watch(id));
        Self { child, address, operators, costs, storage, _config: config }
    }

    /// The most memory that it had since this was asked last, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.costs.peak_bytes.swap(0, Ordering::Relaxed)
    }

    /// Lines of its log so far.
    pub(crate) fn lines(&self) -> u64 {
        self.costs.lines.load(Ordering::Relaxed)
    }

    /// Whether it has ended, or took so much memory that it was ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.costs.ended.load(Ordering::Relaxed) || !matches!(self.child.try_wait(), Ok(None))
    }

    /// What the store takes on the disk, in bytes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        match &self.storage {
            Storage::Sled(_) => size(&self.storage.folder()),
            Storage::Postgres(database) => {
                let sql = format!("SELECT pg_database_size('{}')", database.name());
                Server::shared().psql("postgres", &sql).trim().parse().unwrap()
            }
        }
    }
}

impl Costs {
    fn watch(&self, id: u32) {
        while let Some(bytes) = resident_bytes(id) {
            self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
            if bytes > MOST_BYTES {
                self.ended.store(true, Ordering::Relaxed);
                let line = format!("kill -KILL {id}");
                drop(Command::new("sh").args(["-c", &line]).status());
                return;
            }
            thread::sleep(SAMPLED);
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process's memory; `None` once it has ended.
fn resident_bytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn size(path: &Path) -> u64 {
    let Ok(status) = path.symlink_metadata() else { return 0 };
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    status.blocks() * 512 + inside.map(|entry| size(&entry.path())).sum::<u64>()
}

/// What differs from the defaults: the addresses, a proxy in front, and a short wait before deliveries,
/// so that they fall into what is measured. The CRM is another site's, as strangers call only its hook.
fn settings(program: &Program, store: &str, receiver: &str) -> String {
    let (operators, site, scopes) = match program.before {
        true => ("", "identify = true", "site = \"demo\""),
        false => ("operator_listen = \"127.0.0.1:0\"", "", "site = \"demo\"\nscopes = [\"admin\"]"),
    };
    format!(
        "listen = \"127.0.0.1:0\"\n{operators}\ntrusted_proxies = [\"127.0.0.1/32\"]\n\
         [store]\nurl = \"{store}\"\n[delivery]\nsettle_seconds = 1\n\
         [[token_keys]]\nid = 1\nsecret = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n\
         [[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n{site}\n{}{}\
         [[sites]]\nname = \"sold\"\nhosts = [\"sold.example\"]\n\
         [[crm]]\nname = \"sales\"\nsite = \"sold\"\ncurrency = \"EUR\"\npoll_minutes = 0\n\
         [crm.hubspot]\ntoken = \"t\"\nclient_secret = \"s\"\n",
        key("test", KEY, scopes),
        destination("hook", receiver),
    )
}
