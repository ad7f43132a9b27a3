//! `firedrill backups`: what lies in the stores, and which of it was proven.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::catalog::backup::CLOCK_SKEW;
use crate::catalog::{Backup, Catalog};
use crate::cli::history::believe;
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output, run};
use crate::drill;
use crate::evidence::PublicKey;
use crate::exit_code::ExitCode;
use crate::history::{Beside, Inventory, Limits, Past, Proofs, Word, recall_directly};
use crate::plan::{Service, duration};
use crate::record::Sha256;
use crate::report::backups::{self as report, Listed, Outcome};
use crate::verdict::{Code, Reason};

/// Stores that are listed at once, and digests that are read from one at once.
const AT_ONCE: usize = 8;

/// List the backups of services: age, size, gaps, exposure, and which were proven
#[derive(Debug, Args)]
#[command(after_help = "\
A backup is proven by a drill in which this very object came back whole: same name, size and
version (or tag), and same digest where one lies beside it. The drill passed, or failed by its
objectives alone, and a known key signed its record, where one is known: the one beside the
plan's private key, those that the plan names as 'public', or --key. Nothing is restored.

Exit codes:
    0  each service has backups, the newest as young as its cadence and objective demand
    1  a service has none, or its newest is older than that
    2  otherwise: a store could not be listed
    3  otherwise: some evidence could not be read, and proves nothing")]
pub struct Arguments {
    /// The services, by their names in the plan [default: all of them]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Print one JSON document, which holds every backup ('firedrill schema backups')
    #[arg(long)]
    json: bool,
    /// Show so many backups of each service; figures and JSON always hold all
    #[arg(long, value_name = "N", default_value = "20")]
    last: NonZeroUsize,
    /// Look for gaps and losses so far back [default: over all backups]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    since: Option<Duration>,
    /// A public key that must have signed the evidence; may be repeated [default: those that the
    /// plan knows]
    #[arg(long = "key", value_name = "FILE", value_hint = ValueHint::FilePath)]
    keys: Vec<PathBuf>,
}

/// Lists the stores of the services that were asked for.
pub fn backups(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let mut plan = places.plan()?;
    run::chosen(&mut plan, &arguments.services)?;
    let keys = known_keys(&arguments.keys, Some(&plan))?;
    let stores = match Stores::look(&plan.services, &places.evidence_of(Some(&plan))?, &keys)? {
        Ok(stores) => stores,
        Err(code) => return Ok(code),
    };
    let listed = stores.listed(&plan.services, arguments.since);
    let code = ended(&listed);
    let text = match arguments.json {
        true => as_json(&report::document(&listed, code.number()))?,
        false => report::backups(&listed, output::page(), arguments.last.get()),
    };
    Ok(output::answer_with(&text, code))
}

/// What lies in the stores of services, beside their drills.
pub struct Stores {
    pasts: Vec<Past>,
    seen: Vec<Result<Seen, Reason>>,
}

impl Stores {
    /// Lists the store of each of `services`, whose drills lie below `evidence` and were signed by
    /// one of `keys`, if there are any; the exit code where a signal came first.
    pub fn look(
        services: &[Service],
        evidence: &Path,
        keys: &[PublicKey],
    ) -> Result<Result<Stores, ExitCode>, Refusal> {
        let pasts = services.iter().map(|service| recall_directly(evidence, &service.name));
        let mut pasts: Vec<Past> =
            pasts.collect::<Result<_, _>>().map_err(|error| Refusal::of_evidence(&error))?;
        believe(&mut pasts, evidence, keys)?;
        let look = || async {
            let services = services.iter().zip(&pasts).map(|(service, past)| look(service, past));
            stream::iter(services).buffered(AT_ONCE).collect::<Vec<_>>().await
        };
        let (seen, heard) =
            under_signals(output::say, |cancel| async move { cancel.run_until_cancelled(look()).await })?;
        Ok(match seen {
            Some(seen) => Ok(Stores { pasts, seen }),
            None => Err(heard.unwrap_or(ExitCode::Interrupted)),
        })
    }

    /// The same `services` with what was found, of which gaps and losses within `window` count.
    pub fn listed<'a>(&'a self, services: &'a [Service], window: Option<Duration>) -> Vec<Listed<'a>> {
        let found = services.iter().zip(&self.pasts).zip(&self.seen);
        found.map(|((service, past), seen)| listed(service, past, seen, window)).collect()
    }
}

/// One JSON document on one line.
pub fn as_json(document: &impl serde::Serialize) -> Result<String, Refusal> {
    let text = serde_json::to_string(document)
        .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the document: {error}"), ""))?;
    Ok(text + "\n")
}

/// What was seen of a service's store.
struct Seen {
    catalog: Catalog,
    beside: HashMap<String, Beside>,
}

/// Lists the store of a service, and reads the digests beside backups that a drill proved.
async fn look(service: &Service, past: &Past) -> Result<Seen, Reason> {
    let store = drill::open_store(service).await.map_err(|error| error.reason())?;
    let listing = store.list().await.map_err(|error| error.reason())?;
    let catalog = Catalog::new(listing, &service.backup);
    let proofs = Proofs::of(&past.drills);
    let proven = |backup: &&Backup| matches!(proofs.on(&backup.object), Word::Proven(_));
    let store = &store;
    let read = |backup: Backup| async move {
        let beside = match drill::digest_beside(store, &backup).await {
            Ok(None) => return Ok(None),
            Ok(Some(digest)) => Beside::Digest(Sha256::from(digest)),
            Err(reason) if reason.code == Code::NoIntegrityReference => Beside::Unusable,
            Err(reason) => return Err(reason),
        };
        Ok(Some((backup.label, beside)))
    };
    let reading = catalog.backups.iter().filter(proven).cloned().map(read).collect::<Vec<_>>();
    let beside: Vec<Option<(String, Beside)>> = stream::iter(reading).buffered(AT_ONCE).try_collect().await?;
    Ok(Seen { beside: beside.into_iter().flatten().collect(), catalog })
}

fn listed<'a>(
    service: &'a Service,
    past: &'a Past,
    seen: &'a Result<Seen, Reason>,
    window: Option<Duration>,
) -> Listed<'a> {
    let limits = Limits::of(service);
    Listed {
        service: &service.name,
        location: service.backup.location.to_string(),
        limits,
        outcome: match seen {
            Err(reason) => Outcome::Unlisted(reason.clone()),
            Ok(Seen { catalog, beside }) => Outcome::Found {
                inventory: Box::new(Inventory::new(
                    catalog,
                    &past.drills,
                    beside,
                    limits,
                    catalog.listed_at,
                    window,
                )),
                other_objects: catalog.rejected_counts.values().sum(),
                clock_off: catalog
                    .clock_offset
                    .map(|offset| offset.unsigned_abs())
                    .filter(|offset| *offset > CLOCK_SKEW),
            },
        },
        unreadable: past.unreadable.len(),
        signed: past.signed,
    }
}

/// Backups that fall short outweigh what could not be told, and that outweighs a blemish.
fn ended(listed: &[Listed<'_>]) -> ExitCode {
    let falls_short = |one: &Listed<'_>| match &one.outcome {
        Outcome::Found { inventory, .. } => inventory.falls_short(),
        Outcome::Unlisted(_) => false,
    };
    let unlisted = |one: &Listed<'_>| matches!(one.outcome, Outcome::Unlisted(_));
    if listed.iter().any(falls_short) {
        ExitCode::Failed
    } else if listed.iter().any(unlisted) {
        ExitCode::Inconclusive
    } else if listed.iter().any(|one| one.unreadable > 0) {
        ExitCode::Degraded
    } else {
        ExitCode::Passed
    }
}
