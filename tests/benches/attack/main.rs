//! What strangers can do to a collector: each attack that worked on version 0.1.0, or all of them at once,
//! beside real traffic, and whether the collector keeps within its bounds.
//!
//! Attackers, real traffic and the collector share one machine. Ends with failure where a bound is broken.
//! Run: `cargo xtask soak attack`; see [`USAGE`].

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark talks, may fail, and takes real time"
)]

mod attack;
mod http;
mod person;
mod report;
mod target;
mod traffic;
mod trial;

use attack::{Attack, Crowd};
use std::process::ExitCode;
use std::time::Duration;
use target::Program;
use tests::storage::Backend;
use trial::Plan;

const USAGE: &str =
    "usage: cargo xtask soak attack [SECONDS] [--each | --only NAME] [--store sled|postgres]
    [--addresses N] [--rate N] [--binary PATH [--before]]
SECONDS of each trial: 600 for all attacks at once, 20 for single ones
--each       one attack after the other, each on a new store; --only one of them
--addresses  how many addresses attackers come from; 1 unless given
--rate       the most requests a second of each attack, as attackers share the cores; 2000 unless given
--binary     another program than this one's release build; --before: it is version 0.1.0";
const ALL_AT_ONCE: Duration = Duration::from_secs(600);
const EACH: Duration = Duration::from_secs(20);

/// What is to be done: trials by name.
type Trials = Vec<(&'static str, Vec<Attack>)>;

fn main() -> ExitCode {
    let (plan, trials) = match read(std::env::args().skip(1)) {
        Ok(read) => read,
        Err(complaint) => {
            eprintln!("{complaint}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Attackers hold thousands of connections.
    let maximum = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let raised = rustix::process::Rlimit { current: maximum, maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    println!("{}", report::HEAD);
    let mut broken = Vec::new();
    for (name, attacks) in trials {
        let trial = actix_web::rt::System::new().block_on(trial::run(&attacks, &plan));
        println!("{}", trial.row(name));
        broken.extend(trial.broken().into_iter().map(|bound| format!("{name}: {bound}")));
    }
    if broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} bounds are broken:\n{}", broken.len(), broken.join("\n"));
    ExitCode::FAILURE
}

fn read(mut words: impl Iterator<Item = String>) -> Result<(Plan, Trials), String> {
    let (mut seconds, mut trials): (_, Option<Trials>) = (None, None);
    let (mut binary, mut before, mut backend) = (None, false, Backend::Sled);
    let mut crowd = Crowd { addresses: 1, rate: 2_000 };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--before" => before = true,
            "--binary" => binary = Some(value()?.into()),
            "--addresses" => {
                let number = value()?.parse().ok().filter(|number| *number > 0);
                crowd.addresses = number.ok_or("--addresses should be a number from 1 on")?;
            }
            "--rate" => {
                let number = value()?.parse().ok().filter(|number| *number > 0);
                crowd.rate = number.ok_or("--rate should be a number from 1 on")?;
            }
            "--store" => {
                backend = match value()?.as_str() {
                    "sled" => Backend::Sled,
                    "postgres" => Backend::Postgres,
                    other => return Err(format!("there is no store `{other}`")),
                }
            }
            "--each" => {
                trials = Some(Attack::ALL.map(|attack| (attack.name(), vec![attack])).into())
            }
            "--only" => {
                let name = value()?;
                let attack = Attack::ALL.into_iter().find(|attack| attack.name() == name);
                let names = Attack::ALL.map(Attack::name).join(", ");
                let attack =
                    attack.ok_or(format!("there is no attack `{name}`; there is {names}"))?;
                trials.get_or_insert_default().push((attack.name(), vec![attack]));
            }
            other => match other.parse() {
                Ok(number) => seconds = Some(Duration::from_secs(number)),
                Err(_) => return Err(format!("`{other}` is not known")),
            },
        }
    }
    let length = if trials.is_some() { EACH } else { ALL_AT_ONCE };
    let binary = binary.ok_or("--binary is missing")?;
    let program = Program { binary, before };
    let plan = Plan { program, backend, crowd, length: seconds.unwrap_or(length) };
    Ok((plan, trials.unwrap_or(vec![("all at once", Attack::ALL.into())])))
}
