//! `firedrill history`: what past drills say, and where it leads.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::cli::backups::as_json;
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::evidence::{self, PublicKey};
use crate::exit_code::ExitCode;
use crate::history::{Account, PATIENCE, Past, Recalled, WINDOW_MAX, recall};
use crate::plan::Plan;
use crate::report::{encode, history as report};

/// Files of evidence that are named when they can't be read; the rest are counted.
const NAMED_MAX: usize = 5;

/// Show recovery time, data age, size and throughput over drills, and where they lead
#[derive(Debug, Args)]
#[command(after_help = "\
It reads the evidence of past drills and needs no plan. Drills that did not pass count as worse
than any that did; a 95th percentile needs 20 drills, a trend 8. The cache of it, history.sqlite
in the state directory, may be deleted at any time. Signatures are checked where a public key is
known: the one beside the plan's private key, those that the plan names as 'public', or --key.
The chain is not: 'firedrill evidence verify' is for that.

Exit codes:
    0  all evidence was read
    2  a log could not be read at all
    3  some evidence could not be read, or its verdict is not the judge's")]
pub struct Arguments {
    /// The services, by name [default: those of the plan, and all that have evidence]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Print one JSON document ('firedrill schema history')
    #[arg(long)]
    json: bool,
    /// Look at so many drills of each service, the latest ones
    #[arg(long, value_name = "N", default_value = "100", value_parser = window)]
    last: usize,
    /// A public key that must have signed the evidence; may be repeated [default: those that the
    /// plan knows]
    #[arg(long = "key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    keys: Vec<PathBuf>,
}

fn window(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(drills @ 1..=WINDOW_MAX) => Ok(drills),
        _ => Err(format!("write a number from 1 to {WINDOW_MAX}")),
    }
}

/// Shows the history of the services that were asked for.
pub fn history(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let state = places.state()?;
    let plan = places.plan_if_any()?;
    let evidence = places.evidence_of(plan.as_ref())?;
    let keys = known_keys(&arguments.keys, plan.as_ref())?;
    let services = services(arguments, plan, &evidence)?;
    let cache = state.path().join("history.sqlite");
    let mut recalled =
        recall(&cache, &evidence, &services, PATIENCE).map_err(|error| Refusal::of_evidence(&error))?;
    believe(&mut recalled.pasts, &evidence, &keys)?;
    warn(&recalled);
    let accounts: Vec<Account> =
        recalled.pasts.iter().map(|past| Account::of(past, arguments.last)).collect();
    let blemished = accounts.iter().any(|account| account.unreadable > 0 || account.disputed > 0);
    let code = if blemished { ExitCode::Degraded } else { ExitCode::Passed };
    let text = match arguments.json {
        true => as_json(&report::document(&accounts, recalled.unavailable.as_deref(), code.number()))?,
        false => report::history(&accounts, output::page()),
    };
    Ok(output::answer_with(&text, code))
}

/// Leaves of `pasts` only what one of `keys` signed, if there are any.
pub fn believe(pasts: &mut [Past], evidence: &Path, keys: &[PublicKey]) -> Result<(), Refusal> {
    for past in pasts.iter_mut().filter(|_| !keys.is_empty()) {
        let signatures = evidence::signatures(evidence, &past.service, keys);
        past.believe(signatures.map_err(|error| Refusal::of_evidence(&error))?);
    }
    Ok(())
}

/// The services that were named; else those of the plan, and behind them what else has
/// evidence.
fn services(arguments: &Arguments, plan: Option<Plan>, evidence: &Path) -> Result<Vec<String>, Refusal> {
    let mut known: Vec<String> =
        plan.into_iter().flat_map(|plan| plan.services).map(|service| service.name).collect();
    let logs = evidence::services(evidence).map_err(|error| Refusal::of_evidence(&error))?;
    known.extend(logs.into_iter().filter(|log| !known.contains(log)).collect::<Vec<_>>());
    if let Some(unknown) = arguments.services.iter().find(|name| !known.contains(name)) {
        let what = format!("there is neither a plan nor evidence of a service '{unknown}'");
        let remedy = if known.is_empty() { String::new() } else { format!("there is: {}", known.join(", ")) };
        return Err(Refusal::new(ExitCode::Usage, what, remedy));
    }
    if known.is_empty() {
        output::say("there is no plan here, and no evidence of any drill yet");
    }
    if !arguments.services.is_empty() {
        known.retain(|name| arguments.services.contains(name));
    }
    Ok(known)
}

fn warn(recalled: &Recalled) {
    if let Some(why) = &recalled.unavailable {
        output::say(&format!("warning: the history was read from the evidence: {}", encode::sentence(why)));
    }
    let unreadable: Vec<_> = recalled.pasts.iter().flat_map(|past| &past.unreadable).collect();
    for file in unreadable.iter().take(NAMED_MAX) {
        output::say(&format!("warning: {}", encode::sentence(&file.why)));
    }
    if unreadable.len() > NAMED_MAX {
        let files = encode::plural(unreadable.len() as u64, "file");
        output::say(&format!("warning: {files} of evidence could not be read"));
    }
}
