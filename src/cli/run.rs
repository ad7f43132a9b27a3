//! `firedrill run`: from the command line to the drills, and from the drills to an exit code.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::cli::face::Face;
use crate::cli::known_keys::known_keys;
use crate::cli::refusal::Refusal;
use crate::cli::report::kept;
use crate::cli::runtime::under_signals;
use crate::cli::self_test::{self, Wanted};
use crate::cli::{Places, output};
use crate::drill::{self, RunOutcome, RunRequest};
use crate::exit_code::ExitCode;
use crate::journal;
use crate::plan::{CopyForm, Plan, ReadBack, Select, Signing};
use crate::record::Trigger;
use crate::report::revealed::revealed;
use crate::report::summary::{Reported, Style, summary};
use crate::report::{self, encode, json, layout};
use crate::self_test::SelfTest;
use crate::verdict::{Code, Verdict};

/// Drill services: restore their backups, prove the rows, measure the recovery
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Arguments {
    /// The services to drill, by their names in the plan [default: all of them]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// What the drill pretends has happened
    #[arg(long, value_enum, default_value_t = Scenario::Latest)]
    scenario: Scenario,
    /// Which backup, instead of the plan's choice: 'latest', 'oldest', 'random within 30d', or
    /// one by its name. The recovery point objective is held to the newest one all the same
    #[arg(long, value_name = "BACKUP", value_parser = Select::parse)]
    select: Option<Select>,
    /// Connections to the scratch server that restore at once, instead of the plan's number
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// How rows go to the scratch server, instead of the plan's choice: 'auto' spares it the
    /// parsing wherever that is exact, 'text' sends them as they stand in the archive
    #[arg(long, value_name = "FORM", value_parser = copy_form())]
    copy: Option<CopyForm>,
    /// How much of the restored rows the proof reads back, instead of the plan's choice: 'all', or
    /// for the impatient 'sample 5%' of large tables. The record, and a pass, say that it was a sample
    #[arg(long, value_name = "SHARE", value_parser = ReadBack::parse)]
    read_back: Option<ReadBack>,
    /// After the drill of one service: damage copies of what was restored, and what is read of
    /// the backup, in nine ways, and see which checks and proofs turn red. Neither the backup nor
    /// the source is touched. It restores the backup three times more, and each of its
    /// steps may take as long as the service's deadline
    #[arg(long)]
    self_test: bool,
    /// What draws the tables, rows and bytes that a self-test damages, to damage the same again
    #[arg(long, value_name = "N", requires = "self_test")]
    seed: Option<u32>,
    /// Print the result as one JSON document, or, with '=events', one line per event
    #[arg(
        long,
        value_enum,
        value_name = "SHAPE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "document"
    )]
    json: Option<Json>,
    /// Show the primary keys of rows that differ as they are, on this terminal alone: evidence
    /// and reports hold only their hashes. Refused where stderr is no terminal
    #[arg(long)]
    reveal_keys: bool,
    /// Print only what is not a pass, and no progress
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

/// What is said when nobody has thought of signing yet. The records say it every night.
const UNSIGNED: &str = "\
note: the evidence is not signed; 'firedrill keygen' makes a key, and the plan names it in an
[evidence] table, or says sign = false there";

/// What a drill pretends has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Nothing but the loss of the database
    Latest,
}

/// The shape of JSON on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Json {
    /// One document, at the end
    Document,
    /// One line per event, as it happens
    Events,
}

fn after_help() -> String {
    let mut help = "\
Examples:
  firedrill run                                every service of the plan
  firedrill run orders billing --quiet         two of them; silent if both pass
  firedrill run --select 'random within 30d'   an older backup
  firedrill run orders --self-test             can the checks of 'orders' fail?
  firedrill run --json | jq '.drills[].verdict.result'

Exit codes:
"
    .to_owned();
    for code in ExitCode::ALL {
        help.push_str(&format!("  {:>3}  {}\n", code.number(), code.meaning()));
    }
    help
}

/// A number of connections.
pub fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    const JOBS_MAX: usize = 256;
    match text.parse::<NonZeroUsize>() {
        Ok(jobs) if jobs.get() <= JOBS_MAX => Ok(jobs),
        _ => Err(format!("write a number from 1 to {JOBS_MAX}")),
    }
}

fn copy_form() -> impl TypedValueParser<Value = CopyForm> {
    let words = CopyForm::WORDS.map(|(word, _)| word);
    let form = |word: String| CopyForm::WORDS.iter().find(|(known, _)| *known == word).map(|(_, form)| *form);
    PossibleValuesParser::new(words).map(move |word| form(word).unwrap_or_default())
}

/// Runs the drills that were asked for, shows them, and says how they ended.
pub fn run(arguments: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    if arguments.reveal_keys && !output::stderr_is_terminal() {
        let what = "--reveal-keys shows what identifies rows, and stderr is no terminal";
        return Err(Refusal::new(ExitCode::Usage, what, "run it by hand, and let stderr go nowhere else"));
    }
    let plan = narrowed(places.plan()?, arguments)?;
    let trigger = if std::io::stderr().is_terminal() { Trigger::Manual } else { Trigger::Timer };
    let request = RunRequest { plan, state: places.state()?, trigger, reveal_keys: arguments.reveal_keys };
    let shown = match (arguments.json, arguments.quiet) {
        (Some(Json::Document), _) => Shown::Document,
        (Some(Json::Events), _) => Shown::Events,
        (None, quiet) => Shown::Text { quiet },
    };
    let wanted = arguments.self_test.then(|| Wanted::of(&request, arguments.seed)).transpose()?;
    drill_and_show(request, wanted, shown)
}

/// The plan with only the services that were asked for, and the options in place of its own.
fn narrowed(mut plan: Plan, arguments: &Arguments) -> Result<Plan, Refusal> {
    chosen(&mut plan, &arguments.services)?;
    for service in &mut plan.services {
        if let Some(select) = &arguments.select {
            service.backup.select = select.clone();
        }
        if let Some(jobs) = arguments.jobs {
            service.restore.jobs = Some(jobs.get());
        }
        if let Some(copy) = arguments.copy {
            service.restore.copy = copy;
        }
        if let Some(read_back) = arguments.read_back {
            service.proof.read_back = read_back;
        }
    }
    Ok(plan)
}

/// Leaves in the plan only the services that were named, all of them if none was.
pub fn chosen(plan: &mut Plan, wanted: &[String]) -> Result<(), Refusal> {
    if let Some(unknown) = wanted.iter().find(|name| !plan.services.iter().any(|s| s.name == **name)) {
        let known: Vec<_> = plan.services.iter().map(|service| service.name.as_str()).collect();
        let what = format!("the plan has no service '{unknown}'");
        return Err(Refusal::new(ExitCode::Usage, what, format!("it has: {}", known.join(", "))));
    }
    if !wanted.is_empty() {
        plan.services.retain(|service| wanted.contains(&service.name));
    }
    Ok(())
}

/// How a run and its result are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Progress on stderr, and the final word on stdout.
    Text {
        /// No progress, and of the final word only what is not a pass.
        quiet: bool,
    },
    /// Progress on stderr, and one JSON document on stdout.
    Document,
    /// JSON lines on stdout.
    Events,
}

/// Runs the drills of a request under signals, with the self-test that is wanted after them,
/// shows them, and says how they ended.
pub fn drill_and_show(
    request: RunRequest,
    wanted: Option<Wanted>,
    shown: Shown,
) -> Result<ExitCode, Refusal> {
    let face = match shown {
        Shown::Text { quiet: true } => Face::Silent,
        Shown::Text { quiet: false } | Shown::Document => Face::progress(),
        Shown::Events => Face::events(),
    };
    if request.plan.evidence.signing == Signing::Unsaid && shown != (Shown::Text { quiet: true }) {
        output::say(UNSIGNED);
    }
    let planned: Vec<_> = request.plan.services.iter().map(|service| service.name.clone()).collect();
    let state = request.state.path().to_owned();
    let known = known_keys(&[], Some(&request.plan)).unwrap_or_default();
    let screen = face.clone();
    let tell = move |line: &str| screen.say(line);
    let (hears, asks) = (face.observer(), wanted.as_ref());
    let work = |cancel: CancellationToken| async move {
        let outcome = drill::run(request, hears.clone(), cancel.clone()).await?;
        let tested = match asks {
            Some(wanted) => wanted.test(&outcome, hears, &cancel).await,
            None => Ok(None),
        };
        Ok((outcome, tested))
    };
    let (outcome, heard) = under_signals(tell, work)?;
    face.finish();
    let (mut outcome, tested) = outcome.map_err(|error| Refusal::of_run(&error))?;
    let keys = if known.is_empty() { outcome.key.iter().cloned().collect() } else { known };
    let page = kept::keep(&state, &outcome, &keys).unwrap_or_else(|what| {
        outcome.degraded.push(what);
        None
    });
    let skipped = skipped(&planned, &outcome);
    let code = ended(&outcome, skipped.len(), heard);
    let (tested, code) = after_all(wanted.is_some(), tested, code, heard);
    for service in skipped {
        output::say(&format!("warning: '{service}' was not drilled"));
    }
    for what in &outcome.conflicts {
        output::say(&format!("error: {}", encode::sentence(what)));
    }
    for what in &outcome.degraded {
        output::say(&format!("warning: {}", encode::sentence(what)));
    }
    let written = output::result(&result(&outcome, tested.as_ref(), page.as_deref(), code, shown));
    for drill in &outcome.drills {
        revealed(&drill.record.service.id, &drill.revealed).iter().for_each(|line| output::say(line));
    }
    match written {
        Ok(()) => Ok(code),
        Err(error) => {
            output::say(&format!("error: the result can't be written: {error}"));
            Ok(if code == ExitCode::Passed { ExitCode::Degraded } else { code })
        }
    }
}

/// What came of the self-test, told where it came to nothing, and the code of the whole.
fn after_all(
    wanted: bool,
    tested: Result<Option<SelfTest>, journal::Error>,
    code: ExitCode,
    heard: Option<ExitCode>,
) -> (Option<SelfTest>, ExitCode) {
    match tested {
        Ok(Some(test)) => {
            let code = self_test::ended(code, &test, heard);
            (Some(test), code)
        }
        Ok(None) => {
            if wanted {
                output::say(
                    "note: there was no self-test: only the checks of a backup that passes can be tested",
                );
            }
            (None, code)
        }
        Err(error) => {
            output::say(&format!(
                "warning: there was no self-test: {}",
                encode::sentence(&error.to_string())
            ));
            (None, if code == ExitCode::Passed { ExitCode::Inconclusive } else { code })
        }
    }
}

/// The services whose drill was never begun.
fn skipped<'a>(planned: &'a [String], outcome: &RunOutcome) -> Vec<&'a str> {
    let drilled = |name: &String| outcome.drills.iter().any(|drill| drill.record.service.id == *name);
    planned.iter().filter(|name| !drilled(name)).map(String::as_str).collect()
}

/// How the run ended: by its drills, of which `skipped` were never begun, unless a signal cut
/// it short.
fn ended(outcome: &RunOutcome, skipped: usize, heard: Option<ExitCode>) -> ExitCode {
    let has = |code: Code| {
        let mut codes = outcome.drills.iter().flat_map(|drill| &drill.record.verdict.reason_codes);
        codes.any(|reason| reason.0 == code)
    };
    if let Some(code) = heard.filter(|_| skipped > 0 || has(Code::Interrupted)) {
        return code;
    }
    let mut verdicts: Vec<Verdict> =
        outcome.drills.iter().map(|drill| drill.record.verdict.result.0).collect();
    verdicts.extend(std::iter::repeat_n(Verdict::Inconclusive, skipped));
    let left = |drill: &drill::Drilled| {
        drill.record.cleanup.as_ref().is_some_and(|cleanup| {
            !cleanup.scratch_removed || !cleanup.removal_verified || !cleanup.leaked.is_empty()
        })
    };
    let blemished = outcome.drills.iter().any(|drill| drill.evidence.is_none() || left(drill));
    let bug = has(Code::Internal) || !outcome.conflicts.is_empty();
    ExitCode::of_run(&verdicts, bug, blemished || !outcome.degraded.is_empty())
}

fn result(
    outcome: &RunOutcome,
    tested: Option<&SelfTest>,
    page: Option<&Path>,
    code: ExitCode,
    shown: Shown,
) -> String {
    let drills: Vec<_> = outcome
        .drills
        .iter()
        .map(|drill| Reported { record: &drill.record, evidence: drill.evidence.as_deref() })
        .collect();
    let run_id = outcome.run_id.to_string();
    let written = match shown {
        Shown::Text { quiet } => {
            let columns = layout::readable(layout::stdout_columns());
            let paint = output::with_surroundings(output::stdout_is_terminal(), |around| around.paint());
            let words = summary(&drills, Style { paint, columns, quiet });
            let page = page.map(|page| format!("page of this run: {}\n", page.display()));
            let told = tested.filter(|test| !quiet || !test.all_detected() || !test.is_complete());
            let told = told.map(|test| report::self_test::text(test, layout::Page { paint, columns }));
            let told = told.map(|text| if words.is_empty() { text } else { format!("\n{text}") });
            let around = if quiet { String::new() } else { heads(outcome) + &page.unwrap_or_default() };
            return words + &around + &told.unwrap_or_default();
        }
        Shown::Document => json::document(&run_id, code.number(), &drills, tested),
        Shown::Events => json::last_line(&run_id, code.number(), &drills, tested),
    };
    written.unwrap_or_else(|error| {
        output::say(&format!("error: the result can't be made: {error}"));
        String::new()
    })
}

/// The heads of the logs, which a mail or a chat keeps where nobody rewrites them.
fn heads(outcome: &RunOutcome) -> String {
    let line = |drill: &drill::Drilled| {
        let head = drill.head?;
        let service = encode::name(&drill.record.service.id, 63);
        Some(format!("head of {service}: {}, {}\n", head.sequence, head.sha256))
    };
    outcome.drills.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Halt, ReasonCode, Record, RunId};
    use crate::report::sample;
    use crate::verdict::Reason;

    fn outcome(records: Vec<Record>) -> RunOutcome {
        let drilled = |record| drill::Drilled {
            record,
            evidence: Some("e.json".into()),
            head: None,
            revealed: Vec::new(),
        };
        let drills = records.into_iter().map(drilled).collect();
        RunOutcome {
            run_id: RunId::fresh(),
            drills,
            evidence: "evidence".into(),
            key: None,
            degraded: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    fn with_code(code: Code) -> Record {
        let mut record = sample::begun();
        record.halt = Some(Halt::new(Reason::new(code, "", ""), None));
        record.verdict.reason_codes = vec![ReasonCode(code)];
        record
    }

    #[test]
    fn drills_decide_how_a_run_ended() {
        let table = [
            ("all passed", vec![sample::pass(), sample::pass()], ExitCode::Passed),
            ("one failed", vec![sample::pass(), sample::failure()], ExitCode::Failed),
            ("one was not judged", vec![sample::pass(), sample::begun()], ExitCode::Inconclusive),
            ("one met a bug", vec![sample::failure(), with_code(Code::Internal)], ExitCode::Bug),
            ("none there", vec![], ExitCode::Inconclusive),
        ];
        for (name, records, code) in table {
            assert_eq!(ended(&outcome(records), 0, None), code, "{name}");
        }
    }

    #[test]
    fn a_blemish_shows_only_where_all_passed() {
        let mut unstored = outcome(vec![sample::pass()]);
        unstored.drills[0].evidence = None;
        let mut leaking = outcome(vec![sample::pass()]);
        leaking.drills[0].record.cleanup.as_mut().unwrap().removal_verified = false;
        let mut degraded = outcome(vec![sample::pass()]);
        degraded.degraded.push("the journal could not be ended".into());
        for mut blemished in [unstored, leaking, degraded] {
            assert_eq!(ended(&blemished, 0, None), ExitCode::Degraded);
            blemished.drills.extend(outcome(vec![sample::failure()]).drills);
            assert_eq!(ended(&blemished, 0, None), ExitCode::Failed);
        }
    }

    #[test]
    fn evidence_of_somebody_else_in_the_place_of_ours_outweighs_everything() {
        let mut outcome = outcome(vec![sample::pass(), sample::failure()]);
        outcome.conflicts.push("other bytes are there already".into());
        assert_eq!(ended(&outcome, 0, None), ExitCode::Bug);
    }

    #[test]
    fn a_service_that_was_not_drilled_is_no_pass() {
        let planned = ["orders".to_owned(), "billing".to_owned()];
        let half = outcome(vec![sample::pass()]);
        assert_eq!(skipped(&planned, &half), ["billing"]);
        assert_eq!(ended(&half, 1, None), ExitCode::Inconclusive);
        assert_eq!(ended(&half, 1, Some(ExitCode::Interrupted)), ExitCode::Interrupted);
        let both = outcome(vec![sample::pass(), sample::failure()]);
        assert_eq!(skipped(&planned, &both), [""; 0]);
    }

    #[test]
    fn a_signal_shows_only_where_it_cut_something_short() {
        let heard = Some(ExitCode::Terminated);
        assert_eq!(ended(&outcome(vec![sample::pass()]), 0, heard), ExitCode::Passed);
        let cut_short = outcome(vec![sample::failure(), with_code(Code::Interrupted)]);
        assert_eq!(ended(&cut_short, 0, heard), ExitCode::Terminated);
    }
}
