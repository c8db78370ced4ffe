//! Programs that a task needs from Debian: what is missing, and whether the task may install it.

use crate::shell;
use anyhow::{Result, bail};

/// The flag that lets a task install packages.
const FLAG: &str = "--install";

/// A program, the places where it may be, and the Debian package that brings it.
pub(crate) type Needed = (&'static [&'static str], &'static str);

/// Whether a task may install packages: only with `--install`, or in CI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Consent(bool);

impl Consent {
    /// Takes `--install` out of a task's arguments. `CI=true` in the environment counts as well.
    pub(crate) fn take(arguments: &[String]) -> (Self, Vec<&str>) {
        #[expect(clippy::disallowed_methods, reason = "a task has no settings but its arguments")]
        let ci = std::env::var("CI");
        Self::of(arguments, ci.ok().as_deref())
    }

    fn of<'a>(arguments: &'a [String], ci: Option<&str>) -> (Self, Vec<&'a str>) {
        let rest: Vec<&str> =
            arguments.iter().map(String::as_str).filter(|it| *it != FLAG).collect();
        (Self(ci == Some("true") || rest.len() < arguments.len()), rest)
    }
}

/// How this machine installs packages.
#[derive(Clone, Copy)]
struct Machine {
    has_apt: bool,
    has_sudo: bool,
    is_root: bool,
}

impl Machine {
    fn this() -> Self {
        Self {
            has_apt: shell::is_there("apt-get"),
            has_sudo: shell::is_there("sudo"),
            is_root: shell::read("id", &["-u"]).is_some_and(|id| id.trim() == "0"),
        }
    }
}

/// What to do about packages.
#[derive(PartialEq, Eq, Debug)]
enum Step {
    /// Nothing is missing.
    Nothing,
    /// Run this line.
    Run(String),
    /// Fail and say this.
    Fail(String),
}

/// Makes sure that the programs are there: installs them if that is allowed, and otherwise fails with
/// the command to run.
pub(crate) fn require(needed: &[Needed], consent: Consent) -> Result<()> {
    let missing =
        || needed.iter().filter(|(places, _)| !places.iter().any(|it| shell::is_there(it)));
    let packages: Vec<&str> = missing().map(|(_, package)| *package).collect();
    match decide(&packages, consent, Machine::this()) {
        Step::Nothing => return Ok(()),
        Step::Fail(message) => bail!(message),
        Step::Run(line) => {
            println!("Installing {}: {line}", packages.join(", "));
            shell::run("sh", &["-c", &line])?;
        }
    }
    match missing().next() {
        None => Ok(()),
        Some((places, package)) => {
            bail!("package {package} is installed, but {} is not there", places[0])
        }
    }
}

fn decide(missing: &[&str], consent: Consent, machine: Machine) -> Step {
    if missing.is_empty() {
        return Step::Nothing;
    }
    let what = missing.join(", ");
    let line = |sudo: &str| {
        let packages = missing.join(" ");
        format!("{sudo}apt-get update && {sudo}apt-get install -y {packages}")
    };
    let line = match machine {
        Machine { has_apt: false, .. } => {
            return Step::Fail(format!(
                "missing: {what}. This machine has no apt-get; install them another way"
            ));
        }
        Machine { is_root: true, .. } => line(""),
        Machine { has_sudo: true, .. } => line("sudo "),
        _ => return Step::Fail(format!("missing: {what}. Run as root: {}", line(""))),
    };
    match consent {
        Consent(true) => Step::Run(line),
        Consent(false) => Step::Fail(format!("missing: {what}. Run: {line} (or add {FLAG})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Machine = Machine { has_apt: true, has_sudo: false, is_root: true };
    const USER: Machine = Machine { has_apt: true, has_sudo: true, is_root: false };

    #[test]
    fn consent() {
        let check = |line: &str, ci: Option<&str>, expected: bool, rest: &[&str]| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(
                Consent::of(&arguments, ci),
                (Consent(expected), rest.to_vec()),
                "{line} {ci:?}"
            );
        };
        check("", None, false, &[]);
        check("rates", None, false, &["rates"]);
        check("--install", None, true, &[]);
        check("rates --install", None, true, &["rates"]);
        check("rates", Some("true"), true, &["rates"]);
        check("", Some("false"), false, &[]);
        check("", Some(""), false, &[]);
        check("install", None, false, &["install"]);
    }

    #[test]
    fn decisions() {
        let check = |missing: &[&str], consent: bool, machine: Machine, expected: &Step| {
            assert_eq!(
                &decide(missing, Consent(consent), machine),
                expected,
                "{missing:?} {consent}"
            );
        };
        let both = ["chromium", "postgresql"];
        let root = "apt-get update && apt-get install -y chromium postgresql";
        let user = "sudo apt-get update && sudo apt-get install -y chromium postgresql";
        let fail = |rest: &str| Step::Fail(format!("missing: chromium, postgresql. {rest}"));
        check(&[], false, ROOT, &Step::Nothing);
        check(&[], true, USER, &Step::Nothing);
        check(&both, true, ROOT, &Step::Run(root.to_owned()));
        check(&both, true, USER, &Step::Run(user.to_owned()));
        check(&both, false, ROOT, &fail(&format!("Run: {root} (or add --install)")));
        check(&both, false, USER, &fail(&format!("Run: {user} (or add --install)")));
        // Nothing can be installed on these, so the flag would not help.
        for consent in [false, true] {
            let no_sudo = Machine { has_sudo: false, ..USER };
            check(&both, consent, no_sudo, &fail(&format!("Run as root: {root}")));
            let no_apt = Machine { has_apt: false, ..ROOT };
            let other = "This machine has no apt-get; install them another way";
            check(&both, consent, no_apt, &fail(other));
        }
    }
}
