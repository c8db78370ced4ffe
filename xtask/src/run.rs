//! `cargo xtask run`: runs the collector on sled and the demo until Ctrl-C; with `--crm` also a
//! CRM's stand-in.
//!
//! The first run creates settings, API keys and a webhook secret under `target/demo`; later runs
//! continue with the same store. A stand-in forgets everything when it stops, so a run with one
//! starts from scratch in its own folder. Nothing listens beyond this machine.

mod vendor;

use crate::install::Consent;
use crate::{shell, tracker};
use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{fs, io};
use vendor::Vendor;

const HELP: &str = "
  Open these, in this order:

    http://localhost:8082        a trade magazine: follow one of its links
    http://127.0.0.1:8081        the demo site: read a little, then send the contact form
    http://127.0.0.1:8083        the demo CRM: shows the lead ten seconds after the form

  The collector is http://127.0.0.1:8080 (/v1/leads) and, for operators, http://127.0.0.1:9464
  (/metrics, /readyz). An API key that reads leads is in FOLDER/read-key. Ctrl-C stops everything. ANEW.
";
const ANEW: &str = "Delete FOLDER to start from scratch";
const ALWAYS_ANEW: &str = "The stand-in then forgets everything, so each run starts from scratch";

/// Builds and starts everything; `--year` first fills the store with a year of journeys.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut year, mut vendor) = (false, None);
    let (consent, arguments) = Consent::take(arguments);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument {
            "--year" => year = true,
            "--crm" => vendor = Some(Vendor::named(arguments.next().unwrap_or_default())?),
            _ => {
                bail!("the arguments are --year, --crm hubspot or --crm salesforce, and --install")
            }
        }
    }
    tracker::build(consent)?;
    shell::run("cargo", &["build", "--workspace", "--exclude", "xtask"])?;
    let folder = folder(vendor);
    if vendor.is_some() || !folder.join("ready").is_file() {
        settle(&folder, vendor)?;
    }
    if year {
        let config = folder.join("clew.toml").display().to_string();
        shell::run(&binary("clew"), &["--config", &config, "demo", "--site", "demo"])?;
    }
    serve(&folder, vendor)
}

/// The folder of settings and store.
fn folder(vendor: Option<Vendor>) -> PathBuf {
    let name = vendor.map_or_else(|| "demo".to_owned(), |vendor| format!("demo-{}", vendor.name()));
    shell::root().join("target").join(name)
}

fn binary(name: &str) -> String {
    shell::root().join("target/debug").join(name).display().to_string()
}

/// Creates settings, keys and secrets. `ready` is written last, so that an interrupted run starts
/// from scratch.
fn settle(folder: &Path, vendor: Option<Vendor>) -> Result<()> {
    let path = folder.display();
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {path}"))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {path}"))?;
    let config = folder.join("clew.toml");
    let path = config.display().to_string();
    let hosts = ["--host", "127.0.0.1"];
    // The next steps that it prints are done here.
    let init = [&["init", "--site", "demo", "--output", &path], &hosts[..]].concat();
    shell::read(&binary("clew"), &init).context("`clew init` failed")?;
    // The form handler's key may only report leads; the other is for trying out the API.
    for (name, scope) in [("forms", "leads:write"), ("read", "leads:read")] {
        let arguments = ["--site", "demo", "--name", name, "--scope", scope];
        let key = [&["--config", &path, "key"], &arguments[..]].concat();
        let key = shell::read(&binary("clew"), &key).context("`clew key` failed")?;
        let first_line = key.lines().next().unwrap_or_default();
        fs::write(folder.join(format!("{name}-key")), first_line)?;
    }

    let secret = format!("whsec_{}", STANDARD.encode(random_bytes()?));
    fs::write(folder.join("webhook-secret"), &secret)?;
    let mut text = fs::read_to_string(&config)?;
    let store = folder.join("data").display().to_string();
    text = text.replace("url = \"sled:./data\"", &format!("url = \"sled:{store}\""));
    write!(
        text,
        "\n[[destinations]]\nname = \"crm\"\nsite = \"demo\"\nurl = \"http://127.0.0.1:8083/webhook\"\n\
         secret = \"{secret}\"\nallow_private = true\n"
    )?;
    if let Some(vendor) = vendor {
        let hook = base16ct::lower::encode_string(&random_bytes()?);
        fs::write(folder.join("hook-secret"), &hook)?;
        text += &vendor.connection(&hook);
    }
    fs::write(&config, text)?;
    fs::write(folder.join("ready"), "")?;
    Ok(())
}

fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes))?;
    Ok(bytes)
}

/// Runs the programs until a signal arrives or one of them ends; then stops them all.
fn serve(folder: &Path, vendor: Option<Vendor>) -> Result<()> {
    let (signal, signalled) = channel();
    // Once the receiver is gone, the programs are being stopped already.
    let on_signal = move || signal.send(()).unwrap_or_default();
    ctrlc::set_handler(on_signal).context("cannot listen for Ctrl-C")?;
    let secret = fs::read_to_string(folder.join("webhook-secret"))?;
    let config: PathBuf = folder.join("clew.toml");
    let mut clew = Command::new(binary("clew"));
    // On a fresh machine, or in a container, the developer may be root.
    clew.arg("--config").arg(config).args(["serve", "--allow-root"]);
    let mut demo = Command::new(binary("clew-demo"));
    demo.arg("--api-key-file")
        .arg(folder.join("forms-key"))
        .env("CLEW_DEMO_WEBHOOK_SECRET", secret);
    let mut programs = Vec::new();
    // Started first: the collector waits a minute after it could not reach a CRM.
    if let Some(vendor) = vendor {
        let hook = fs::read_to_string(folder.join("hook-secret"))?;
        let mut standin = Command::new(binary("crm-standin"));
        programs.push(("crm-standin", start(standin.args(vendor.arguments(&hook)))?));
    }
    programs.push(("clew", start(&mut clew)?));
    programs.push(("clew-demo", start(&mut demo)?));
    let shown = folder.strip_prefix(shell::root()).unwrap_or(folder).display().to_string();
    let anew = vendor.map_or(ANEW, |_| ALWAYS_ANEW);
    let help = HELP.replace("ANEW", anew).replace("FOLDER", &shown);
    println!("{help}{}", vendor.map_or("", Vendor::help));
    let mut ended = None;
    while ended.is_none() {
        match signalled.recv_timeout(Duration::from_millis(200)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
        for (name, program) in &mut programs {
            if let Some(status) = program.try_wait()? {
                ended = Some(format!("{name} ended with {status}"));
            }
        }
    }
    let stopped: Vec<_> =
        programs.iter_mut().map(|(name, program)| (*name, stop(program))).collect();
    for (name, status) in stopped {
        let status = status?;
        if ended.is_none() && !status.success() {
            ended = Some(format!("{name} ended with {status}"));
        }
    }
    match ended {
        None => Ok(()),
        Some(what) => bail!("{what}; its messages are above"),
    }
}

fn start(program: &mut Command) -> Result<Child> {
    program.spawn().with_context(|| format!("cannot start {}", program.get_program().display()))
}

/// Sends SIGTERM and waits. Ctrl-C reached the program already; a second signal does no harm.
fn stop(program: &mut Child) -> io::Result<std::process::ExitStatus> {
    if let Some(status) = program.try_wait()? {
        return Ok(status);
    }
    let line = format!("kill -TERM {}", program.id());
    Command::new("sh").args(["-c", &line]).status()?;
    program.wait()
}
