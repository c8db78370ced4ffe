//! `cargo xtask run`: the collector on sled and the demo around it, until Ctrl-C.
//!
//! The first run makes settings, an API key and a webhook secret under `target/demo`; later runs go
//! on with the same store. Nothing listens beyond this machine.

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

const HELP: &str = "
  Open these, in this order:

    http://localhost:8082        a trade magazine: follow one of its links
    http://127.0.0.1:8081        the demo site: read a little, then send the contact form
    http://127.0.0.1:8083        the CRM: the lead is there ten seconds after the form

  The collector is http://127.0.0.1:8080 (/metrics, /readyz, /v1/leads); the API key lies in
  target/demo/api-key. Ctrl-C stops all of it; delete target/demo to begin anew.
";

/// Builds and starts everything; `--year` first fills the store with a year of journeys.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let year = match arguments {
        [] => false,
        [flag] if flag == "--year" => true,
        _ => bail!("the only argument is --year"),
    };
    tracker::run(&[])?;
    shell::run("cargo", &["build", "--workspace", "--exclude", "xtask"])?;
    let folder = shell::root().join("target/demo");
    if !folder.join("ready").is_file() {
        settle(&folder)?;
    }
    if year {
        let config = folder.join("clew.toml").display().to_string();
        shell::run(&binary("clew"), &["--config", &config, "demo", "--site", "demo"])?;
    }
    serve(&folder)
}

fn binary(name: &str) -> String {
    shell::root().join("target/debug").join(name).display().to_string()
}

/// Settings, key and secret; `ready` is written last, so that a run cut short begins anew.
fn settle(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("target/demo is half made and could not be removed")?;
    }
    fs::create_dir_all(folder).context("target/demo could not be made")?;
    let config = folder.join("clew.toml");
    let path = config.display().to_string();
    let hosts = ["--host", "127.0.0.1"];
    shell::run(
        &binary("clew"),
        &[&["init", "--site", "demo", "--output", &path], &hosts[..]].concat(),
    )?;
    let key = shell::read(
        &binary("clew"),
        &["--config", &path, "key", "--site", "demo", "--name", "demo"],
    );
    let key = key.context("`clew key` failed")?;
    fs::write(folder.join("api-key"), key.lines().next().unwrap_or_default())?;

    let mut dice = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut dice))?;
    let secret = format!("whsec_{}", STANDARD.encode(dice));
    fs::write(folder.join("webhook-secret"), &secret)?;
    let mut text = fs::read_to_string(&config)?;
    let store = folder.join("data").display().to_string();
    text = text.replace("url = \"sled:./data\"", &format!("url = \"sled:{store}\""));
    write!(
        text,
        "\n[[destinations]]\nname = \"crm\"\nsite = \"demo\"\nurl = \"http://127.0.0.1:8083/webhook\"\n\
         secret = \"{secret}\"\nallow_private = true\n"
    )?;
    fs::write(&config, text)?;
    fs::write(folder.join("ready"), "")?;
    Ok(())
}

/// Runs both programs until a signal comes or one of them ends; then ends both in order.
fn serve(folder: &Path) -> Result<()> {
    let (signal, signalled) = channel();
    // Once the receiver is gone, stopping is under way already.
    let told = move || signal.send(()).unwrap_or_default();
    ctrlc::set_handler(told).context("cannot listen for Ctrl-C")?;
    let secret = fs::read_to_string(folder.join("webhook-secret"))?;
    let config: PathBuf = folder.join("clew.toml");
    let mut clew = Command::new(binary("clew"));
    clew.arg("--config").arg(config).arg("serve");
    let mut demo = Command::new(binary("clew-demo"));
    demo.arg("--api-key-file").arg(folder.join("api-key")).env("CLEW_DEMO_WEBHOOK_SECRET", secret);
    let mut programs = [("clew", start(&mut clew)?), ("clew-demo", start(&mut demo)?)];
    println!("{HELP}");
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
    program
        .spawn()
        .with_context(|| format!("{} could not be started", program.get_program().display()))
}

/// SIGTERM and wait. Ctrl-C reached the program already; asking twice does no harm.
fn stop(program: &mut Child) -> io::Result<std::process::ExitStatus> {
    if let Some(status) = program.try_wait()? {
        return Ok(status);
    }
    let line = format!("kill -TERM {}", program.id());
    Command::new("sh").args(["-c", &line]).status()?;
    program.wait()
}
