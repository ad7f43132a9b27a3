//! `firedrill sweep`: removes what killed runs left behind.

use clap::Args;

use crate::cli::refusal::Refusal;
use crate::cli::{Places, output};
use crate::drill::PlanServers;
use crate::exit_code::ExitCode;
use crate::journal::{self, Abandoned, Resource};
use crate::report::encode;

/// Remove what killed runs left behind; each run begins with the same
#[derive(Debug, Args)]
#[command(
    after_help = "What lies on a given server is removed only where the plan that names that server is found. Ends with 3 if something could not be removed, and with 75 while a run is under way."
)]
pub struct Arguments {}

/// Sweeps the state directory, and tells what was found.
pub fn sweep(_: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let state = places.state()?;
    // The plan knows the way to the servers that databases were left on.
    let found = match places.plan_if_any() {
        Err(refusal) if places.names_a_plan() => return Err(refusal),
        Ok(Some(plan)) => journal::sweep(&state, &PlanServers(&plan)),
        Ok(None) | Err(_) => journal::sweep(&state, &journal::NoServers),
    };
    let found = found.map_err(|error| Refusal::of_state(&error))?;
    let written = output::answer(&told(&found));
    let left = found.iter().any(|run| !run.leaked.is_empty() || run.quarantined.is_some());
    Ok(if left { ExitCode::Degraded } else { written })
}

fn told(found: &[Abandoned]) -> String {
    if found.is_empty() {
        return "nothing was left behind\n".into();
    }
    let mut text = String::new();
    for run in found {
        let service = run.service.as_deref().map_or("no drill".into(), |name| encode::name(name, 63));
        let (id, state) = (run.run_id, encode::name(&run.last_state, 80));
        text.push_str(&format!("run {id} ({service}) was cut off: {state}\n"));
        for resource in &run.removed {
            text.push_str(&format!("  removed: {}\n", named(resource)));
        }
        for leaked in &run.leaked {
            let why = encode::sentence(&leaked.why);
            text.push_str(&format!("  still there: {}: {why}\n", named(&leaked.resource)));
        }
        if let Some(path) = &run.quarantined {
            let path = encode::name(&path.to_string_lossy(), 400);
            text.push_str(&format!("  its journal is damaged, and was put aside as {path}\n"));
        }
    }
    text
}

fn named(resource: &Resource) -> String {
    match resource {
        Resource::Cluster { directory, .. } => {
            format!("{} in {}", resource.as_str(), encode::name(&directory.to_string_lossy(), 400))
        }
        Resource::Database { server, name } => {
            format!("{} {} on {}", resource.as_str(), encode::name(name, 63), encode::name(server, 400))
        }
    }
}
