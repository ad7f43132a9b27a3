//! `firedrill report`: what stored evidence says, for people and for machines.

pub mod kept;
pub mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use jiff::Timestamp;

use crate::cli::backups::Stores;
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::report::write::write;
use crate::cli::{Places, output};
use crate::evidence::{Error, PublicKey, waiting};
use crate::exit_code::ExitCode;
use crate::plan::{Plan, duration};
use crate::report::backups::Outcome;
use crate::report::html::{Shown, page};
use crate::report::nagios::{self, Status};
use crate::report::standing::{self, Standing};
use crate::report::stock::Stock;
use crate::report::stored::{self, Series};
use crate::report::summary::{Reported, Style, summary};
use crate::report::{encode, junit, layout, prometheus};

/// Show stored evidence as text, HTML, JUnit XML, Prometheus metrics or a Nagios line
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firedrill report                                    the newest drill of each service, as text
  firedrill report orders --html report.html          one self-contained page
  firedrill report --html report.html --backups       and every backup that lies in the stores
  firedrill report --prometheus /var/lib/node_exporter/firedrill.prom
  firedrill report orders --nagios --max-age 26h      one line, and a plugin's exit code

Evidence is verified as it is read: its form, its chain, each verdict, judged again, and its
signatures, where a public key is known: the one beside the plan's private key, those that the
plan names as 'public', or --key. What does not stand up is named, and ends the command with 3.")]
pub struct Arguments {
    /// The services to show [default: those of the plan; without a plan, all with evidence]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Write one page, which needs nothing but itself; '-' is stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// List the stores of the plan too, and draw every backup on the page
    #[arg(long, requires = "html", conflicts_with = "evidence")]
    backups: bool,
    /// Write JUnit XML, a suite for each service; '-' is stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Write metrics for the textfile collector, replacing the file at once; '-' is stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    prometheus: Option<PathBuf>,
    /// Print one line and end as a Nagios plugin does: 0 ok, 1 warning, 2 critical, 3 unknown
    #[arg(long, conflicts_with_all = ["html", "junit", "prometheus"])]
    nagios: bool,
    /// The directory of the evidence, instead of the plan's or the state directory's; no plan is
    /// looked for
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    evidence: Option<PathBuf>,
    /// A public key that must have signed the evidence; may be repeated [default: those that the
    /// plan knows]
    #[arg(long = "key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    keys: Vec<PathBuf>,
    /// How old the newest record of a service may be [default: as old as a backup, by its
    /// cadence and grace; else 26h]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    max_age: Option<Duration>,
}

/// What is said where nobody's key is known.
pub const UNCHECKED: &str = "\
signatures were not checked: name a public key with --key, or as 'public' in the plan's [evidence]
";

/// Reads the evidence and shows it in each way that was asked for.
pub fn report(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    if arguments.nagios {
        return Ok(plugin(arguments, places));
    }
    let outputs = [&arguments.html, &arguments.junit, &arguments.prometheus];
    if outputs.iter().filter(|file| file.as_deref() == Some(Path::new("-"))).count() > 1 {
        let what = "two reports can't share stdout";
        return Err(Refusal::new(ExitCode::Usage, what, "name a file for all but one"));
    }
    let series = read(arguments, places, Depth::All)?;
    let stocks = match stocks(arguments, places, &series)? {
        Ok(stocks) => stocks,
        Err(code) => return Ok(code),
    };
    let now = Timestamp::now();
    for line in remarks(&series, now, arguments.max_age) {
        output::say(&line);
    }
    let code = match outputs.iter().all(|file| file.is_none()) {
        true => output::answer(&text(&series)),
        false => files(arguments, &series, &stocks, now)?,
    };
    let sound = series.iter().all(|one| one.faults_total == 0);
    Ok(if sound { code } else { ExitCode::Degraded })
}

/// What lies in the stores of the services, by their names, where the page is to show it. A store
/// that can't be listed is told of; the exit code where a signal came first.
fn stocks(
    arguments: &Arguments,
    places: &Places,
    series: &[Series],
) -> Result<Result<BTreeMap<String, Stock>, ExitCode>, Refusal> {
    if !arguments.backups {
        return Ok(Ok(BTreeMap::new()));
    }
    let mut plan = places.plan()?;
    plan.services.retain(|service| series.iter().any(|one| one.service == service.name));
    let keys = known_keys(&arguments.keys, Some(&plan))?;
    let stores = match Stores::look(&plan.services, &places.evidence_of(Some(&plan))?, &keys)? {
        Ok(stores) => stores,
        Err(code) => return Ok(Err(code)),
    };
    let mut stocks = BTreeMap::new();
    for listed in stores.listed(&plan.services, None) {
        let name = encode::sentence(listed.service);
        match &listed.outcome {
            Outcome::Found { inventory, .. } => {
                stocks.insert(listed.service.to_owned(), Stock::listed(inventory));
            }
            Outcome::Unlisted(reason) => {
                let why = encode::sentence(&reason.detail);
                output::say(&format!("warning: {name}: its backups could not be listed: {why}"));
            }
        }
    }
    Ok(Ok(stocks))
}

fn files(
    arguments: &Arguments,
    series: &[Series],
    stocks: &BTreeMap<String, Stock>,
    now: Timestamp,
) -> Result<ExitCode, Refusal> {
    if let Some(file) = &arguments.html {
        let page = page(Shown { series, now, age_max: arguments.max_age, stocks, notes: &[] });
        let page =
            page.map_err(|error| Refusal::new(ExitCode::Bug, format!("make the page: {error}"), ""))?;
        write(file, &page)?;
    }
    if let Some(file) = &arguments.junit {
        write(file, &junit::document(series, now, arguments.max_age))?;
    }
    if let Some(file) = &arguments.prometheus {
        write(file, &prometheus::metrics(series))?;
    }
    Ok(ExitCode::Passed)
}

/// The line and the number of a plugin. Whatever keeps the evidence from being read is
/// unknown: a plugin that says nothing is one that somebody takes for well.
fn plugin(arguments: &Arguments, places: &Places) -> ExitCode {
    let (line, status) = match read(arguments, places, Depth::Newest) {
        Ok(series) => nagios::line(&series, Timestamp::now(), arguments.max_age),
        Err(refusal) => nagios::unknown(&refusal.line()),
    };
    match output::answer(&line) {
        ExitCode::Passed => ended(status),
        _ => ended(Status::Unknown),
    }
}

/// The exit code with the number that a plugin ends with. The numbers are Nagios's, and mean
/// what [`Status`] says.
fn ended(status: Status) -> ExitCode {
    match status {
        Status::Ok => ExitCode::Passed,
        Status::Warning => ExitCode::Failed,
        Status::Critical => ExitCode::Inconclusive,
        Status::Unknown => ExitCode::Degraded,
    }
}

/// How far back evidence is read and verified.
#[derive(Clone, Copy)]
enum Depth {
    /// To its first record.
    All,
    /// To the newest pass, for who asks every minute.
    Newest,
}

impl Depth {
    fn one(self, root: &Path, name: &str, keys: &[PublicKey]) -> Result<Series, Error> {
        match self {
            Depth::All => stored::one(root, name, keys),
            Depth::Newest => stored::newest(root, name, keys),
        }
    }

    fn all(self, root: &Path, keys: &[PublicKey]) -> Result<Vec<Series>, Error> {
        match self {
            Depth::All => stored::all(root, keys),
            Depth::Newest => stored::newest_of_all(root, keys),
        }
    }
}

/// The series that were asked for.
fn read(arguments: &Arguments, places: &Places, depth: Depth) -> Result<Vec<Series>, Refusal> {
    let plan = match arguments.evidence.is_some() && !places.names_a_plan() {
        true => None,
        false => places.plan_if_any()?,
    };
    let keys = known_keys(&arguments.keys, plan.as_ref())?;
    let root = match &arguments.evidence {
        Some(folder) => folder.clone(),
        None => places.evidence_of(plan.as_ref())?,
    };
    let remote = plan.as_ref().and_then(|plan| plan.evidence.remote.clone());
    let mut found = chosen(arguments, plan, &root, &keys, depth)?;
    for one in &mut found {
        let location = remote.as_ref().map(|remote| remote.location.to_string());
        one.unsent = location.and_then(|location| waiting(&root.join(&one.service), &location).ok());
    }
    Ok(found)
}

/// The series of the services that were named; else those of the plan, or of all that left
/// evidence.
fn chosen(
    arguments: &Arguments,
    plan: Option<Plan>,
    root: &Path,
    keys: &[PublicKey],
    depth: Depth,
) -> Result<Vec<Series>, Refusal> {
    let planned: Option<Vec<String>> =
        plan.map(|plan| plan.services.into_iter().map(|service| service.name).collect());
    if !arguments.services.is_empty() {
        let named = |name: &String| named(depth, root, name, planned.as_deref(), keys);
        return arguments.services.iter().map(named).collect();
    }
    let series = match planned {
        Some(names) => names.iter().map(|name| depth.one(root, name, keys)).collect(),
        None if root.is_dir() => depth.all(root, keys),
        None => Ok(Vec::new()),
    };
    let series = series.map_err(|error| refused(&error))?;
    match series.is_empty() {
        true => Err(nothing(format!("there is no evidence in '{}'", root.display()))),
        false => Ok(series),
    }
}

/// The series of a service that the command line names: one that nobody knows is a mistake.
fn named(
    depth: Depth,
    root: &Path,
    name: &str,
    planned: Option<&[String]>,
    keys: &[PublicKey],
) -> Result<Series, Refusal> {
    let series = depth.one(root, name, keys).map_err(|error| refused(&error))?;
    let is_planned = planned.is_some_and(|names| names.iter().any(|planned| planned == name));
    match series.newest.is_none() && series.faults_total == 0 && !is_planned {
        true => Err(nothing(format!("there is no evidence of '{name}' in '{}'", root.display()))),
        false => Ok(series),
    }
}

fn nothing(what: String) -> Refusal {
    Refusal::new(
        ExitCode::Usage,
        what,
        "drill first with 'firedrill run', or name the directory with --evidence",
    )
}

fn refused(error: &Error) -> Refusal {
    Refusal::new(ExitCode::Usage, encode::with_causes(error), error.reason().remedy)
}

/// What must be known beside the verdicts, one line each.
fn remarks(series: &[Series], now: Timestamp, age_max: Option<Duration>) -> Vec<String> {
    let mut lines = Vec::new();
    for one in series {
        let name = encode::sentence(&one.service);
        lines.extend(one.faults.iter().map(|fault| format!("warning: {name}: {}", encode::sentence(fault))));
        let standing = Standing::of(one, now, age_max);
        if let Some(why) = standing::why(one, standing, now, age_max).filter(|_| one.faults.is_empty()) {
            lines.push(format!("warning: {name}: {}", encode::sentence(&why)));
        }
    }
    lines
}

fn text(series: &[Series]) -> String {
    let drills: Vec<Reported<'_>> = series
        .iter()
        .filter_map(|one| one.newest.as_ref())
        .map(|drill| Reported { record: &drill.record, evidence: drill.evidence.as_deref() })
        .collect();
    let columns = layout::readable(layout::stdout_columns());
    let paint = output::with_surroundings(output::stdout_is_terminal(), |around| around.paint());
    match drills.is_empty() {
        true => String::new(),
        false => {
            let words = summary(&drills, Style { paint, columns, quiet: false });
            let unchecked = series.iter().any(|one| !one.signatures_checked && !one.drills.is_empty());
            words + if unchecked { UNCHECKED } else { "" }
        }
    }
}
