//! A `[service.NAME]` table, but for its backup.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::fault::{Complaint, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::table::{Item, Table};
use crate::plan::read::{Context, backup, check, drift, proof, scratch, text};
use crate::plan::{
    Amcheck, Backup, Check, CopyForm, Drift, Engine, Minimum, Proof, Question, Restore, Service,
    TABLES_AT_ONCE_MAX, duration, size,
};

/// How many overheads a service may declare, and how many controls it may name.
const LIST_MAX: usize = 100;

/// The deadline of a drill whose service has no recovery time objective.
const DEADLINE: Duration = Duration::from_secs(2 * 3_600);

/// The least deadline that is derived from an objective.
const DEADLINE_MIN: Duration = Duration::from_secs(30 * 60);

/// Reads a service; `None` where a part of it is missing that nothing can stand in for.
pub fn read(name: &str, mut table: Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Service> {
    let faults_before = faults.len();
    let description = table.take_text("description", faults, text::line);
    let tier = table.take_number("tier", faults, 1..=99).and_then(|tier| u32::try_from(tier).ok());
    let owner = table.take_text("owner", faults, text::line);
    let environment = table.take_text("environment", faults, text::line);
    let controls = read_controls(&mut table, faults);
    let rto = read_rto(&mut table, faults);
    let rpo = table.take("rpo");
    let overheads = read_overheads(&mut table, rto, faults);
    let deadline = read_deadline(&mut table, rto, faults);
    let backup = read_backup(&mut table, context, faults);
    let scratch = scratch::read(&mut table, context, faults);
    let restore = read_restore(&mut table, faults);
    let minimum = read_minimum(&mut table, faults);
    let proof = table
        .take_table("proof", faults)
        .map_or_else(Proof::default, |table| proof::read(table, context, faults));
    let drift =
        table.take_table("drift", faults).map_or_else(Drift::default, |table| drift::read(table, faults));
    let (checks, content_only) = check::read_all(&mut table, context, faults);
    if scratch.server.is_some() {
        needs_no_cluster(&table, &proof, &checks, &restore, faults);
    }
    let rpo = rpo.and_then(|item| {
        let rpo = item.duration(faults)?;
        if let Some(backup) = backup.as_ref().filter(|_| faults.len() == faults_before) {
            must_be_dated(&item, backup, &checks, faults);
        }
        Some(rpo)
    });
    table.finish(faults);
    Some(Service {
        name: name.into(),
        description,
        tier,
        owner,
        environment,
        controls,
        rto,
        rpo,
        overheads,
        deadline,
        backup: backup?,
        scratch,
        restore,
        proof,
        drift,
        checks,
        content_only,
        minimum,
    })
}

/// What is done beside a server, or as its superuser, needs a cluster of the drill's own.
fn needs_no_cluster(
    table: &Table<'_>,
    proof: &Proof,
    checks: &[Check],
    restore: &Restore,
    faults: &mut Faults,
) {
    let commands = checks.iter().filter(|check| matches!(check.question, Question::Command { .. }));
    let mut impossible: Vec<String> =
        commands.map(|check| format!("the check '{}' runs a command", check.name)).collect();
    if proof.amcheck != Amcheck::Off {
        impossible.push("amcheck is run by superusers alone".to_owned());
    }
    if restore.engine == Engine::PgRestore {
        impossible.push("pg_restore reads a file beside the scratch".to_owned());
    }
    for what in impossible {
        let problem = format!("{what}, and the scratch is on a given server");
        faults.add(
            table.place(),
            table.path(),
            Complaint::new(problem, "remove it, or write scratch.kind = \"cluster\""),
        );
    }
}

fn read_controls(table: &mut Table<'_>, faults: &mut Faults) -> Vec<String> {
    let what = "write controls = [\"A1.2\", \"A.8.13\"]";
    let items = table.take_array("controls", faults, what).unwrap_or_default();
    if let Some(item) = items.get(LIST_MAX) {
        item.fault(faults, Complaint::new("there are more than 100 controls", "name fewer"));
    }
    items.iter().take(LIST_MAX).filter_map(|item| item.text(faults, text::line)).collect()
}

fn read_rto(table: &mut Table<'_>, faults: &mut Faults) -> Option<Duration> {
    if table.has("overhead") && !table.has("rto") {
        let problem = "there is an overhead, and no rto that it counts against";
        faults.add(
            table.place(),
            table.path(),
            Complaint::new(problem, "add an rto, or remove the overhead"),
        );
    }
    table.take_duration("rto", faults)
}

fn read_overheads(
    table: &mut Table<'_>,
    rto: Option<Duration>,
    faults: &mut Faults,
) -> BTreeMap<String, Duration> {
    let Some(item) = table.take("overhead") else { return BTreeMap::new() };
    let Some(mut steps) = item.table(faults) else { return BTreeMap::new() };
    let mut overheads = BTreeMap::new();
    for (name, step) in steps.take_all().into_iter().take(LIST_MAX) {
        if let Err(complaint) = text::name(name) {
            step.fault(faults, complaint);
        }
        overheads.extend(step.duration(faults).map(|length| (name.to_owned(), length)));
    }
    let sum = overheads.values().fold(Duration::ZERO, |sum, length| sum.saturating_add(*length));
    if let Some(rto) = rto.filter(|rto| sum >= *rto) {
        let problem = format!(
            "these take {}, which leaves nothing of the rto of {}",
            duration::text(sum),
            duration::text(rto)
        );
        item.fault(faults, Complaint::new(problem, "shorten them, or lengthen the rto"));
    }
    overheads
}

fn read_deadline(table: &mut Table<'_>, rto: Option<Duration>, faults: &mut Faults) -> Duration {
    let default = rto.map_or(DEADLINE, |rto| rto.saturating_mul(4).max(DEADLINE_MIN));
    let Some(item) = table.take("deadline") else { return default };
    let Some(deadline) = item.duration(faults) else { return default };
    if let Some(rto) = rto.filter(|rto| deadline <= *rto) {
        let problem = format!(
            "a drill that is stopped after {} can't miss an rto of {}",
            duration::text(deadline),
            duration::text(rto)
        );
        item.fault(
            faults,
            Complaint::new(problem, "write a deadline above the rto, or leave it out for four times the rto"),
        );
    }
    deadline
}

fn read_backup(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Backup> {
    if !table.has("backup") {
        let remedy = format!("add a [{}.backup] table with a location", table.path());
        table.missing("backup", &remedy, faults);
    }
    let backup = table.take_table("backup", faults)?;
    backup::read(backup, context, faults)
}

fn read_restore(table: &mut Table<'_>, faults: &mut Faults) -> Restore {
    let Some(mut table) = table.take_table("restore", faults) else { return Restore::default() };
    let engine = table.take_text("engine", faults, |word| text::one_of(word, &Engine::WORDS));
    let count = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let restore = Restore {
        jobs: count(table.take_number("jobs", faults, 1..=256)),
        copy_connections: count(table.take_number("copy_connections", faults, 1..=256)),
        tables_at_once: count(table.take_number("tables_at_once", faults, 1..=TABLES_AT_ONCE_MAX as u64)),
        connections: count(table.take_number("connections", faults, 1..=256)),
        part_bytes: table.take_text("part", faults, part_size),
        copy: table
            .take_text("copy", faults, |word| text::one_of(word, &CopyForm::WORDS))
            .unwrap_or_default(),
        engine: engine.unwrap_or_default(),
    };
    table.finish(faults);
    restore
}

fn part_size(text: &str) -> Result<u64, Complaint> {
    let bytes = size::parse(text)?;
    if !(1 << 16..=1 << 30).contains(&bytes) {
        return Err(Complaint::new(
            format!("'{}' is out of range", shortened(text)),
            "write one from 64KiB to 1GiB",
        ));
    }
    Ok(bytes)
}

fn read_minimum(table: &mut Table<'_>, faults: &mut Faults) -> Minimum {
    let Some(mut table) = table.take_table("minimum", faults) else { return Minimum::default() };
    let most = i64::MAX.unsigned_abs();
    let minimum = Minimum {
        tables: table.take_number("tables", faults, 1..=most),
        rows: table.take_number("rows", faults, 1..=most),
    };
    table.finish(faults);
    minimum
}

/// An age that nothing can ever tell can never meet an objective.
fn must_be_dated(rpo: &Item<'_>, backup: &Backup, checks: &[Check], faults: &mut Faults) {
    let fresh = checks.iter().any(|check| matches!(check.question, Question::Newest { .. }));
    if backup.pattern.has_time() || backup.dump_timezone.is_some() || fresh {
        return;
    }
    let remedy = "put {time:…} into the pattern, give dump_timezone, or add a check with 'newest'";
    rpo.fault(faults, Complaint::new("nothing tells how old the data is", remedy));
}
