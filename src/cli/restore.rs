//! `firedrill restore`: the real thing.

use std::io::IsTerminal;
use std::num::NonZeroUsize;

use clap::Args;

use crate::cli::face::Face;
use crate::cli::refusal::Refusal;
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output, run};
use crate::drill::cores_here;
use crate::event::Events;
use crate::exit_code::ExitCode;
use crate::plan::Select;
use crate::postgres::{GivenServer, PasswordSources};
use crate::recovery::{self, Recovered, RecoveryRequest};
use crate::report::recovered as report;
use crate::restore::{MARKS_SCHEMA, Rules};
use crate::verdict::{Blame, Code, Reason};

/// Restore a service's backup into an empty database that you name: the real thing
#[derive(Debug, Args)]
#[command(after_help = "\
The database NAME must be there, be empty, and be the one in the URL: to type its name is the
confirmation, and nothing else is asked. The same engine as in the drills brings the data back;
then the rows are read back and compared. Interrupted, or stopped by what the server refused, the
same command goes on where it stopped: what is done stands in the schema firedrill_restore of
that database until everything is.

Examples:
  createdb --maintenance-db postgres://admin@db.example/postgres orders
  firedrill restore orders --to postgres://admin@db.example/orders --into orders
  firedrill restore orders --to postgres://app@db.example/orders --into orders --no-owner --no-privileges
  firedrill restore orders --select orders-20261120.dump --to … --into …

The password is read from the URL, PGPASSWORD, PGPASSFILE or ~/.pgpass. A server on another host
is spoken to over TLS and verified; a private authority is named by ?sslrootcert=FILE in the URL.

Exit codes:
    0  everything is back, and what was compared is alike
    1  the archive holds what the server refused, or something is not alike
    2  it could not begin or go on
   64  the database is not empty, or is not the one in the URL")]
pub struct Arguments {
    /// The service, by its name in the plan
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The server and the database in it: postgres://user@host:5432/database
    #[arg(long, value_name = "URL", env = "FIREDRILL_RESTORE_TO", hide_env_values = true)]
    to: String,
    /// The name of that database once more
    #[arg(long, value_name = "NAME")]
    into: String,
    /// Which backup, instead of the plan's choice: 'latest', 'oldest', or one by its name
    #[arg(long, value_name = "BACKUP", value_parser = Select::parse)]
    select: Option<Select>,
    /// Connections to the server that restore at once [default: the plan's number, else the cores]
    #[arg(long, value_name = "N", value_parser = run::jobs)]
    jobs: Option<NonZeroUsize>,
    /// Leave every object to the user of the URL
    #[arg(long)]
    no_owner: bool,
    /// Make no grants
    #[arg(long)]
    no_privileges: bool,
    /// Do not read the rows back to compare them
    #[arg(long)]
    no_proof: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
    /// Print nothing unless something is wrong
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

/// Restores, shows what came of it, and says how it ended.
pub fn restore(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let request = request(arguments, places)?;
    let face = if arguments.quiet { Face::Silent } else { Face::progress() };
    let screen = face.clone();
    let events = Events::new(&request.service.name, face.observer());
    let work = |cancel| {
        let (request, events) = (&request, &events);
        async move { recovery::recover(request, events, &cancel).await }
    };
    let (recovered, heard) = under_signals(move |line: &str| screen.say(line), work)?;
    face.finish();
    let recovered = recovered.map_err(|reason| refused(&reason, heard))?;
    let code = ended(&recovered);
    let text = match (arguments.json, arguments.quiet && code == ExitCode::Passed) {
        (true, _) => report::document(&recovered, code.number())
            .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the document: {error}"), ""))?,
        (false, true) => String::new(),
        (false, false) => report::text(&recovered, &request.server.to_string(), output::page()),
    };
    if !recovered.failures.is_empty() {
        output::say(&format!(
            "hint: mend what was refused and run the same command again, which does only what is left; or accept it: \
             DROP SCHEMA {MARKS_SCHEMA} CASCADE"
        ));
    }
    Ok(output::answer_with(&text, code))
}

fn request(arguments: &Arguments, places: &Places) -> Result<RecoveryRequest, Refusal> {
    let mut plan = places.plan()?;
    run::chosen(&mut plan, std::slice::from_ref(&arguments.service))?;
    let mut service = plan
        .services
        .into_iter()
        .next()
        .ok_or_else(|| Refusal::new(ExitCode::Usage, "the plan has no such service", ""))?;
    if let Some(select) = &arguments.select {
        service.backup.select = select.clone();
    }
    let server = GivenServer::parse(&arguments.to, &PasswordSources::of_environment())
        .map_err(|error| Refusal::new(ExitCode::Usage, &error, error.reason().remedy))?;
    if server.database() != arguments.into {
        let what = format!(
            "--into says '{}', and the URL names the database '{}'",
            arguments.into,
            server.database()
        );
        return Err(Refusal::new(ExitCode::Usage, what, "nothing was changed; name the same database twice"));
    }
    if has_password(&arguments.to) && std::io::stderr().is_terminal() {
        output::say(
            "note: a password on the command line is seen by every user of this machine; PGPASSWORD is not",
        );
    }
    let jobs = arguments.jobs.map(NonZeroUsize::get).or(service.restore.jobs);
    Ok(RecoveryRequest {
        jobs: jobs.unwrap_or_else(cores_here),
        rules: Rules::recovery(!arguments.no_owner, !arguments.no_privileges),
        proof: !arguments.no_proof,
        service,
        server,
    })
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn refused(reason: &Reason, heard: Option<ExitCode>) -> Refusal {
    let code = match reason.code {
        Code::Interrupted => heard.unwrap_or(ExitCode::Interrupted),
        Code::WrongDatabase => ExitCode::Usage,
        code if code.blame() == Blame::Backup => ExitCode::Failed,
        _ => ExitCode::Inconclusive,
    };
    Refusal::new(code, &reason.detail, &reason.remedy)
}

fn ended(recovered: &Recovered) -> ExitCode {
    let alike = recovered.compared.as_ref().is_none_or(|compared| compared.is_alike());
    if recovered.is_complete() && alike { ExitCode::Passed } else { ExitCode::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_in_a_url() {
        let table = [
            ("postgres://ana:s3cret@db/orders", true),
            ("postgres://ana@db:5432/orders", false),
            ("postgres://db:5432/orders", false),
        ];
        for (url, has) in table {
            assert_eq!(has_password(url), has, "{url}");
        }
    }
}
