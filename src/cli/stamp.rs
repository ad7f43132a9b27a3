//! `firedrill stamp`: from the command line to the stamp beside a backup.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;

use crate::cli::refusal::Refusal;
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output, run};
use crate::evidence::SigningKey;
use crate::exit_code::ExitCode;
use crate::plan::{Check, size};
use crate::postgres::{GivenServer, PasswordSources};
use crate::report::encode;
use crate::stamp::{self, DumpCommand, Pattern, Request, SUFFIX, Taken};

/// Dump a database, and write down what it held in that very snapshot
#[derive(Debug, Args)]
#[command(after_help = "\
Opens a snapshot, runs the given pg_dump in it (--snapshot and the connection are put in for you),
and hashes every row of that snapshot over connections of its own, which only read. The stamp is
written when the dump has succeeded: upload both, side by side, and every drill compares what came
back with what the source held. A pg_dump that writes to its standard output is passed on.

Exit codes: 0 dumped and stamped; 1 the dump failed; 2 the dump is there, and no stamp; 64 wrong
usage.

Examples:
  firedrill stamp --database postgres://backup@db/orders --key /etc/firedrill/stamp/evidence.key \\
      -- pg_dump -Fc -f orders.dump
  firedrill stamp --database postgres://backup@replica/orders --out orders.dump.stamp.json \\
      --jobs 1 --max-rate 20MiB -- pg_dump -Fc > orders.dump
  firedrill stamp --database postgres://backup@db/orders --plan firedrill.toml --service orders \\
      -- pg_dump -Fc -f orders.dump

The password comes from PGPASSWORD or the password file, as for pg_dump itself.")]
pub struct Arguments {
    /// The database to dump: postgres://USER@HOST[:PORT]/NAME, a replica too
    #[arg(long, value_name = "URL")]
    database: String,
    /// Where the stamp is written [default: the archive's name with .stamp.json behind it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Hash only the tables that the pattern names, of those that are dumped; may be repeated
    #[arg(long, short = 't', value_name = "PATTERN")]
    table: Vec<String>,
    /// Do not hash the tables that the pattern names; may be repeated
    #[arg(long, short = 'T', value_name = "PATTERN")]
    exclude_table: Vec<String>,
    /// The private key that signs the stamp; 'firedrill keygen' makes one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Ask this service's freshness checks of the plan, too, and stamp what they find
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Connections that read rows beside the dump
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Read at most so many bytes of rows in a second, such as 20MiB
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    max_rate: Option<u64>,
    /// The pg_dump to run, behind '--'
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn rate(text: &str) -> Result<u64, String> {
    match size::parse(text) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        Ok(_) => Err("write a size above zero".into()),
        Err(complaint) => Err(complaint.to_string()),
    }
}

/// Dumps, and takes the stamp.
pub fn stamp(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let server =
        GivenServer::parse(&arguments.database, &PasswordSources::of_environment()).map_err(|error| {
            let remedy = error.reason().remedy;
            Refusal::new(ExitCode::Usage, error, remedy)
        })?;
    let request = request(arguments, &server, checks(arguments, places)?)?;
    let rows = AtomicU64::new(0);
    let told = |more| _ = rows.fetch_add(more, Ordering::Relaxed);
    let (taken, heard) = under_signals(output::say, |cancel| async move {
        stamp::take(request, async || server.connect().await, told, &cancel).await
    })?;
    match taken {
        Ok(taken) => {
            output::say(&summary(&taken));
            for (check, why) in &taken.unanswered {
                let check = encode::name(check, 200);
                output::say(&format!(
                    "warning: check \"{check}\" has no answer at the source, and is not stamped: {why}"
                ));
            }
            Ok(ExitCode::Passed)
        }
        Err(error) => Err(Refusal::new(heard.unwrap_or_else(|| code(error.kind())), &error, error.remedy())),
    }
}

fn code(kind: stamp::Kind) -> ExitCode {
    match kind {
        stamp::Kind::Command | stamp::Kind::Key => ExitCode::Usage,
        stamp::Kind::Dump => ExitCode::Failed,
        _ => ExitCode::Inconclusive,
    }
}

/// The checks of the service whose database it is.
fn checks(arguments: &Arguments, places: &Places) -> Result<Vec<Check>, Refusal> {
    let Some(name) = &arguments.service else {
        return if places.names_a_plan() {
            let what = "a plan is named, and no service of it";
            Err(Refusal::new(ExitCode::Usage, what, "name one with --service NAME"))
        } else {
            Ok(Vec::new())
        };
    };
    let mut plan = places.plan()?;
    run::chosen(&mut plan, std::slice::from_ref(name))?;
    Ok(plan.services.into_iter().flat_map(|service| service.checks).collect())
}

fn request(arguments: &Arguments, server: &GivenServer, checks: Vec<Check>) -> Result<Request, Refusal> {
    let refused = |error: stamp::Error| Refusal::new(ExitCode::Usage, &error, error.remedy());
    let command = DumpCommand::parse(arguments.command.clone()).map_err(refused)?;
    let patterns = |texts: &[String]| {
        texts.iter().map(|text| Pattern::parse(text, false)).collect::<Result<Vec<_>, _>>().map_err(refused)
    };
    let out = arguments.out.clone().or_else(|| {
        let mut name = command.file.clone()?.into_os_string();
        name.push(SUFFIX);
        Some(name.into())
    });
    let out = out.ok_or_else(|| {
        let what = "the archive goes to the standard output, and the stamp has no place";
        Refusal::new(ExitCode::Usage, what, "name a file in --out")
    })?;
    let key = arguments.key.as_deref().map(SigningKey::read).transpose().map_err(|error| {
        let remedy = error.reason().remedy;
        Refusal::new(ExitCode::Usage, crate::evidence::with_causes(&error), remedy)
    })?;
    if command.file.is_none() && output::stdout_is_terminal() && std::io::stdin().is_terminal() {
        let what = "the archive would be written to the terminal";
        return Err(Refusal::new(ExitCode::Usage, what, "give pg_dump a file with -f, or redirect it"));
    }
    Ok(Request {
        environment: server.for_clients().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        zone: std::env::var("PGTZ").ok().filter(|zone| !zone.is_empty()),
        output: Some(Box::new(std::io::stdout())),
        out,
        tables: patterns(&arguments.table)?,
        exclude_tables: patterns(&arguments.exclude_table)?,
        key,
        checks,
        jobs: arguments.jobs.into(),
        rate_max: arguments.max_rate,
        command,
    })
}

/// What was stamped, in one line; the standard output may be the archive's.
fn summary(taken: &Taken) -> String {
    let stamp = &taken.document.predicate;
    let rows = stamp.tables.iter().map(|table| table.rows).fold(0, u64::saturating_add);
    let left_out = match stamp.left_out.len() as u64 {
        0 => String::new(),
        count => format!(", {} left out", encode::plural(count, "table")),
    };
    let signed = match taken.signed_by {
        Some(_) => "signed",
        None => "not signed",
    };
    format!(
        "stamped {} of {} as of {}{left_out}, {signed}: {}",
        encode::plural(rows, "row"),
        encode::plural(stamp.tables.len() as u64, "table"),
        stamp.snapshot.at,
        encode::name(&taken.path.to_string_lossy(), 400)
    )
}
