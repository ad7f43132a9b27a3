//! The binary as its users meet it: arguments, streams and exit codes. What a drill does is
//! tested elsewhere.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use firedrill::exit_code::ExitCode;
use firedrill::journal::{Journal, StateDirectory};
use tempfile::TempDir;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["run"],
    &["restore"],
    &["bench"],
    &["backups"],
    &["history"],
    &["stamp"],
    &["plan"],
    &["plan", "check"],
    &["plan", "show"],
    &["sweep"],
    &["report"],
    &["demo"],
    &["evidence"],
    &["evidence", "verify"],
    &["evidence", "show"],
    &["evidence", "list"],
    &["evidence", "review"],
    &["evidence", "bundle"],
    &["keygen"],
    &["schema"],
    &["completions"],
    &["man"],
];

const PLAN: &str = r#"
[service.orders]
rto = "15m"
checks = "content only"
[service.orders.backup]
location = "file:///srv/backups/orders/"
pattern = "orders-{time:%Y%m%dT%H%M%SZ}.dump"

[service.billing]
checks = "content only"
[service.billing.backup]
location = "s3://backups/billing/"
pattern = "billing-{time:%Y%m%dT%H%M%SZ}.dump"
"#;

/// An empty home, in which the binary runs and finds nothing of ours.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn with_plan(text: &str) -> Home {
        let home = Home::new();
        fs::write(home.path().join("firedrill.toml"), text).unwrap();
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ended(self, code: ExitCode) -> Answer {
        assert_eq!(self.code, Some(code.number().into()), "{self:#?}");
        self
    }
}

#[test]
fn every_command_explains_itself_on_stdout() {
    let home = Home::new();
    for command in COMMANDS {
        for help in ["--help", "-h"] {
            let answer = home.run(&[command, &[help][..]].concat()).ended(ExitCode::Passed);
            assert!(answer.stdout.contains("Usage: firedrill"), "{command:?}: {}", answer.stdout);
            assert_eq!(answer.stderr, "", "{command:?}");
            let wide = answer.stdout.lines().find(|line| line.chars().count() > 100);
            assert_eq!(wide, None, "{command:?}");
        }
    }
}

#[test]
fn the_list_of_commands_is_complete_and_true() {
    let home = Home::new();
    let help = home.run(&["--help"]).stdout;
    let section = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let listed: Vec<_> = section.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let known: Vec<_> = COMMANDS.iter().filter(|path| path.len() == 1).map(|path| path[0]).collect();
    assert_eq!(listed, [known, vec!["help"]].concat());
}

#[test]
fn the_help_of_run_holds_the_table_of_exit_codes() {
    let help = Home::new().run(&["run", "--help"]).stdout;
    for code in ExitCode::ALL {
        let line = format!("{:>3}  {}", code.number(), code.meaning());
        assert!(help.contains(&line), "the help lacks: {line}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let answer = Home::new().run(&["--version"]).ended(ExitCode::Passed);
    assert_eq!(answer.stdout, format!("firedrill {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_64_and_says_what_is_wrong() {
    let home = Home::with_plan(PLAN);
    let table: &[(&[&str], &str)] = &[
        (&[], "Usage: firedrill"),
        (&["drill"], "unrecognized subcommand 'drill'"),
        (&["run", "--fast"], "unexpected argument '--fast'"),
        (&["run", "--scenario", "flood"], "invalid value 'flood'"),
        (&["run", "--jobs", "0"], "write a number from 1 to 256"),
        (&["run", "--jobs", "257"], "write a number from 1 to 256"),
        (&["run", "--select", "newest"], "write 'latest'"),
        (&["run", "--copy", "binary"], "[possible values: auto, text]"),
        (&["run", "--json=xml"], "invalid value 'xml'"),
        (&["run", "--json", "--quiet"], "cannot be used with"),
        (&["plan"], "Usage: firedrill plan"),
        (&["schema", "weather"], "invalid value 'weather'"),
        (&["completions", "csh"], "invalid value 'csh'"),
        (&["man", "drill"], "there is no command 'drill'"),
        (&["man", "plan", "drill"], "there is no command 'plan drill'"),
        (&["run", "shop"], "the plan has no service 'shop'"),
        (&["run", "orders", "\x1b[2J"], "the plan has no service '\\u{1b}[2J'"),
    ];
    for (arguments, says) in table {
        let answer = home.run(arguments).ended(ExitCode::Usage);
        assert!(answer.stderr.contains(says), "{arguments:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{arguments:?}");
    }
}

#[test]
fn an_unknown_service_is_answered_with_those_there_are() {
    let answer = Home::with_plan(PLAN).run(&["run", "shop"]).ended(ExitCode::Usage);
    assert_eq!(answer.stderr, "error: the plan has no service 'shop'\nhint: it has: orders, billing\n");
}

#[test]
fn a_missing_plan_ends_with_78_and_where_it_was_looked_for() {
    let home = Home::new();
    for arguments in [&["run"][..], &["plan", "check"], &["plan", "show"]] {
        let answer = home.run(arguments).ended(ExitCode::PlanWrong);
        let mine = home.path().join(".config/firedrill/firedrill.toml");
        for place in ["firedrill.toml", mine.to_str().unwrap(), "/etc/firedrill/firedrill.toml"] {
            assert!(answer.stderr.contains(place), "{arguments:?}: {}", answer.stderr);
        }
    }
    let answer = home.run(&["--plan", "elsewhere.toml", "plan", "check"]).ended(ExitCode::PlanWrong);
    assert!(answer.stderr.contains("elsewhere.toml"), "{}", answer.stderr);
}

#[test]
fn a_wrong_plan_ends_with_78_and_all_of_its_faults_by_line() {
    let home = Home::with_plan(PLAN);
    home.run(&["plan", "check"]).ended(ExitCode::Passed);
    let wrong =
        PLAN.replace("\"15m\"", "\"15\"").replace("s3://backups", "s4://backups") + "colour = 'red'\n";
    let home = Home::with_plan(&wrong);
    for arguments in [&["plan", "check"][..], &["plan", "show"], &["run"]] {
        let answer = home.run(arguments).ended(ExitCode::PlanWrong);
        assert_eq!(answer.stdout, "");
        let errors: Vec<_> = answer.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 3, "{}", answer.stderr);
        let places = [
            ("firedrill.toml:3:", "rto"),
            ("firedrill.toml:12:", "location"),
            ("firedrill.toml:14:", "colour"),
        ];
        for (error, (place, key)) in errors.iter().zip(places) {
            assert!(error.contains(place) && error.contains(key), "{error}");
        }
    }
}

#[test]
fn the_plan_shown_is_a_plan_again_and_shows_the_same() {
    let home = Home::with_plan(PLAN);
    let shown = home.run(&["plan", "show"]).ended(ExitCode::Passed).stdout;
    assert!(shown.contains("deadline"), "defaults are filled in: {shown}");
    let again = Home::with_plan(&shown).run(&["plan", "show"]).ended(ExitCode::Passed).stdout;
    assert_eq!(again, shown);
}

#[test]
fn the_plan_in_the_readme_has_no_fault() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let plan = readme.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    Home::with_plan(plan).run(&["plan", "check"]).ended(ExitCode::Passed);
}

#[test]
fn the_plan_and_the_state_can_be_named_before_or_behind_the_command() {
    let home = Home::new();
    fs::write(home.path().join("p.toml"), PLAN).unwrap();
    home.run(&["--plan", "p.toml", "plan", "check"]).ended(ExitCode::Passed);
    home.run(&["plan", "check", "--plan", "p.toml"]).ended(ExitCode::Passed);
    home.run(&["sweep", "--state", "s"]).ended(ExitCode::Passed);
    assert!(home.path().join("s").is_dir());
}

#[test]
fn shells_get_completions_that_know_the_commands() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]).ended(ExitCode::Passed).stdout;
        for word in ["sweep", "select", "plan", "check"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = home.run(&["completions", "bash"]).stdout;
    let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::new();
    for command in COMMANDS {
        let page = home.run(&[&["man"], *command].concat()).ended(ExitCode::Passed).stdout;
        let title = [&["firedrill"], *command].concat().join("-");
        assert!(page.contains(&format!(".TH {title} 1")), "{command:?}: {page}");
        assert!(page.contains(".SH SYNOPSIS"), "{command:?}");
    }
}

#[test]
fn the_schema_of_evidence_is_one_json_document() {
    let text = Home::new().run(&["schema", "evidence"]).ended(ExitCode::Passed).stdout;
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn a_reader_that_closed_the_pipe_is_no_failure_and_no_panic() {
    let home = Home::with_plan(PLAN);
    let table: &[&[&str]] = &[
        &["--help"],
        &["--version"],
        &["run", "--help"],
        &["plan", "show"],
        &["completions", "bash"],
        &["man"],
        &["schema", "evidence"],
        &["sweep"],
        &["history"],
        &["schema", "backups"],
        &["schema", "history"],
    ];
    for arguments in table {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let answer = Answer::of(home.command(arguments).stdout(writer).output().unwrap());
        let answer = answer.ended(ExitCode::Passed);
        assert_eq!(answer.stderr, "", "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_not_a_success() {
    let home = Home::with_plan(PLAN);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let answer = Answer::of(home.command(&["plan", "show"]).stdout(full).output().unwrap());
    let answer = answer.ended(ExitCode::Degraded);
    assert!(answer.stderr.contains("the result can't be written"), "{}", answer.stderr);
}

#[test]
fn a_second_run_in_the_same_state_directory_ends_with_75_at_once() {
    let home = Home::with_plan(PLAN);
    let path = home.path().join("state");
    let state = StateDirectory::open(&path).unwrap();
    let (journal, _) = Journal::open(&state, uuid::Uuid::now_v7()).unwrap();
    for command in ["run", "sweep", "demo"] {
        let answer = home.run(&[command, "--state", "state"]).ended(ExitCode::Locked);
        assert!(answer.stderr.contains("another run holds the lock"), "{command}: {}", answer.stderr);
    }
    journal.finish().unwrap();
    home.run(&["sweep", "--state", "state"]).ended(ExitCode::Passed);
}

#[test]
fn a_state_directory_that_others_can_write_to_is_refused() {
    let home = Home::with_plan(PLAN);
    let path = home.path().join("state");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let answer = home.run(&["sweep", "--state", "state"]).ended(ExitCode::Bug);
    assert!(answer.stderr.contains("others can write"), "{}", answer.stderr);
}

#[test]
fn a_sweep_that_finds_nothing_says_so() {
    let answer = Home::new().run(&["sweep"]).ended(ExitCode::Passed);
    assert_eq!(answer.stdout, "nothing was left behind\n");
}
