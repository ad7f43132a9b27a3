//! A throwaway cluster: made, started, used, gone.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::UnixStream;
use uuid::Uuid;

use crate::postgres::account::Account;
use crate::postgres::beside::{self, Place, Ran};
use crate::postgres::child::{Child, SpawnError};
use crate::postgres::confine::{Confinement, Step};
use crate::postgres::directory::OwnDirectory;
use crate::postgres::error::{Error, Kind};
use crate::postgres::install::Install;
use crate::postgres::isolation::{Isolation, IsolationHad};
use crate::postgres::leftover;
use crate::postgres::log::Log;
use crate::postgres::places::{Places, socket_in};
use crate::postgres::session::{RunToken, Session};
use crate::postgres::settings;
use crate::postgres::spool::Spool;

/// The bootstrap superuser. Archives name owners of all kinds, `postgres` before all, and the
/// restore makes those that are missing; this name is the least likely to be one of them.
const USER: &str = "firedrill_scratch";
/// As whom programs that are run beside the server get in, by a password of their own: who has
/// the server's user alone does not.
const GUEST: &str = "firedrill_guest";

/// How often a starting server is tried.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// How long the end of a dying server is awaited, to learn its cause.
const DYING: Duration = Duration::from_secs(3);

/// How long a running server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// How a cluster is made. Databases are created later from `template0`, with the encoding and
/// locale that they need.
#[derive(Clone, Debug, Default)]
pub struct InitdbOptions {
    /// Whether pages carry checksums, which a restore pays for with a few per cent.
    pub page_checksums: bool,
}

/// What a cluster is started with.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Where its directory is made; `None`: `$TMPDIR`, else `/var/tmp`.
    pub parent: Option<PathBuf>,
    /// Its directory's name, from [`crate::postgres::new_directory_name`].
    pub directory_name: String,
    /// Settings of the server, by name and value. Those that keep a scratch a scratch (network,
    /// preloaded libraries, archiving, logging) win over them.
    pub settings: Vec<(String, String)>,
    /// How far it is kept from the network.
    pub isolation: Isolation,
    /// How it is made.
    pub initdb: InitdbOptions,
    /// How long making and starting it may take together.
    pub start_deadline: Duration,
}

impl ClusterOptions {
    /// The directories that [`Cluster::start`] will make with these options.
    ///
    /// # Errors
    /// [`Kind::Start`] when the parent is not there, or the name is not a generated one.
    pub fn places(&self) -> Result<Places, Error> {
        Places::below(self.parent.as_deref(), &self.directory_name)
    }
}

/// A running PostgreSQL server of our own, with nothing in it but what we put there.
///
/// It listens on one unix socket, in a directory with mode 0700 that belongs to the server's user,
/// and lets in one role, [`Cluster::user`], from one user of the machine: ours (`peer` in its
/// `hba_file`, which belongs to us). So neither others on this machine nor, when root has stepped
/// down, a neighbour that runs as the same user get in; only root always can, as everywhere.
///
/// Dropped, it is gone: the server ended, its directories removed. That blocks, usually for some
/// ten milliseconds, at worst for half a minute; [`Cluster::stop`] does it without blocking and
/// tells whether it worked. Killed with `SIGKILL`, on Linux we take the server with us; the
/// directories are left for [`crate::postgres::remove_leftover`].
pub struct Cluster {
    places: Places,
    programs: PathBuf,
    sockets: PathBuf,
    account: Account,
    log: Log,
    isolate: bool,
    isolation: IsolationHad,
    token: RunToken,
    server: Option<Child>,
    // Removed after the server has ended: fields drop in this order, and `Drop` before them.
    own: Vec<OwnDirectory>,
}

impl Cluster {
    /// Makes a cluster and starts its server; about a second. Dropped on the way, nothing stays.
    ///
    /// # Errors
    /// [`Kind::Start`] with the server's own last words, [`Kind::Isolation`] when no network is
    /// required but can't be had.
    pub async fn start(install: &Install, options: ClusterOptions) -> Result<Cluster, Error> {
        let mut cluster = Cluster::lay_out(install, &options)?;
        let making = async {
            cluster.initdb(install, &options).await?;
            cluster.serve(install, &options)?;
            cluster.accepts().await?;
            cluster.observe_isolation(options.isolation)
        };
        match tokio::time::timeout(options.start_deadline, making).await {
            Ok(made) => made.map(|()| cluster),
            Err(_) => Err(cluster.failed(format!(
                "start a scratch cluster: not ready after {} s",
                options.start_deadline.as_secs()
            ))),
        }
    }

    /// Makes the directories and files that the programs need.
    fn lay_out(install: &Install, options: &ClusterOptions) -> Result<Cluster, Error> {
        let account = Account::of_server()?;
        let places = options.places()?;
        let failed = |error: io::Error| {
            let kind = if error.kind() == io::ErrorKind::StorageFull { Kind::DiskFull } else { Kind::Start };
            Error::new(
                kind,
                format!("make the scratch's directory '{}': {error}", places.directory.display()),
            )
            .with_remedy("name a directory for the scratch that can be written to")
        };
        let mut own = vec![OwnDirectory::create(&places.directory, &account).map_err(failed)?];
        if let Some(second) = &places.socket_directory {
            own.push(OwnDirectory::create(second, &account).map_err(failed)?);
        }
        let first = own.first().ok_or_else(|| Error::new(Kind::Start, "no directory was made"))?;
        let sockets = places.sockets();
        first.make_for(&places.data(), &account).map_err(failed)?;
        first.make_for(&sockets, &account).map_err(failed)?;
        let log = Log::new(first.file("log", 0o600).map_err(failed)?);
        // Not secret, and the server must read them without being able to change them.
        let hba = format!(
            "local all {USER} peer map=firedrill\nlocal all {GUEST} scram-sha-256\nlocal all all reject\n"
        );
        write(first, "hba.conf", &hba).map_err(failed)?;
        let name = account.our_name().replace('"', "\"\"");
        write(first, "ident.conf", &format!("firedrill \"{name}\" {USER}\n")).map_err(failed)?;
        let (isolate, isolation) = match options.isolation {
            Isolation::Off => (false, IsolationHad::None { why: "none was asked for".into() }),
            Isolation::Required | Isolation::BestEffort => (true, IsolationHad::NetworkNamespace),
        };
        let token = RunToken::fresh();
        let programs = install.bin.clone();
        Ok(Cluster { places, programs, sockets, account, log, isolate, isolation, token, server: None, own })
    }

    async fn initdb(&mut self, install: &Install, options: &ClusterOptions) -> Result<(), Error> {
        let data = self.places.data().into_os_string();
        let mut arguments: Vec<_> = [
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            // Its file is never read, as the server is given another one.
            "--auth=reject",
            "--username",
            USER,
            "--pgdata",
        ]
        .map(Into::into)
        .into();
        arguments.push(data);
        if options.initdb.page_checksums {
            arguments.push("--data-checksums".into());
        } else if install.version.major >= 18 {
            arguments.push("--no-data-checksums".into());
        }
        let command = || {
            let mut command = self.command(install, "initdb")?;
            command.args(&arguments);
            Ok(command)
        };
        let launched = self.launch(&command, options.isolation, Signal::SIGKILL)?;
        let child = self.keep(launched);
        let status = child.wait().await;
        if status.success() {
            return Ok(());
        }
        Err(self.failed(format!(
            "make a scratch cluster: initdb of {} {}",
            install.version.text,
            ending(status)
        )))
    }

    fn serve(&mut self, install: &Install, options: &ClusterOptions) -> Result<(), Error> {
        let (hba, ident) = (self.places.directory.join("hba.conf"), self.places.directory.join("ident.conf"));
        let data = self.places.data();
        let paths = settings::Paths { data: &data, sockets: &self.sockets, hba: &hba, ident: &ident };
        let arguments = settings::arguments(install.version.major, &options.settings, &paths, &self.token)?;
        let command = || {
            let mut command = self.command(install, "postgres")?;
            command.args(&arguments);
            Ok(command)
        };
        // SIGQUIT is the immediate shutdown, which takes all its processes and shared memory along.
        let launched = self.launch(&command, options.isolation, Signal::SIGQUIT)?;
        let child = self.keep(launched);
        self.server = Some(child);
        Ok(())
    }

    /// A program of the install, in an environment that says nothing.
    fn command(&self, install: &Install, program: &str) -> io::Result<Command> {
        let mut command = Command::new(install.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir(&self.places.directory);
        command.stdin(Stdio::null()).stdout(self.log.writer()?).stderr(self.log.writer()?);
        Ok(command)
    }

    /// Starts a program, without a network where that was not refused before.
    fn launch(
        &self,
        command: &dyn Fn() -> io::Result<Command>,
        asked: Isolation,
        end_with: Signal,
    ) -> Result<Launched, Error> {
        let spawn = |isolate: bool| {
            let confinement = Confinement::new(&self.account, isolate, &self.places.data(), end_with)?;
            Child::spawn(command()?, confinement, end_with)
        };
        match spawn(self.isolate) {
            Ok(child) => Ok(Launched { child, refused: None }),
            Err(SpawnError { step: Some(Step::Isolate), error }) if asked == Isolation::BestEffort => {
                let child = spawn(false).map_err(|error| self.not_spawned(error))?;
                Ok(Launched {
                    child,
                    refused: Some(format!("this machine refuses network namespaces: {error}")),
                })
            }
            Err(error) => Err(self.not_spawned(error)),
        }
    }

    /// Remembers what a launch was refused.
    fn keep(&mut self, launched: Launched) -> Child {
        if let Some(why) = launched.refused {
            self.isolate = false;
            self.isolation = IsolationHad::None { why };
        }
        launched.child
    }

    fn not_spawned(&self, SpawnError { step, error }: SpawnError) -> Error {
        let user = self.account.name();
        match step {
            Some(Step::Isolate) => Error::new(
                Kind::Isolation,
                format!("keep the scratch off the network: this machine refuses network namespaces: {error}"),
            ),
            Some(Step::DropRoot) => Error::new(
                Kind::Start,
                format!("run the scratch server as '{user}' instead of root: {error}"),
            )
            .with_remedy("run firedrill as an unprivileged user"),
            Some(Step::Reach) => {
                let directory = self.places.directory.display();
                Error::new(Kind::Start, format!("'{directory}' can't be reached by user '{user}': {error}"))
                    .with_remedy("name a directory for the scratch that this user can pass through to, such as /var/tmp")
            }
            Some(step @ (Step::Prepare | Step::Privileges | Step::Lifeline)) => {
                Error::new(Kind::Start, format!("confine the scratch server: {step:?} was refused: {error}"))
            }
            None => Error::new(Kind::Start, format!("run a PostgreSQL program as user '{user}': {error}"))
                .with_remedy("make PostgreSQL's bin directory readable and executable for this user"),
        }
    }

    /// Waits until the server answers, or ends.
    async fn accepts(&self) -> Result<(), Error> {
        let Some(server) = &self.server else { return Err(self.failed("no server was started")) };
        loop {
            if let Some(status) = server.exit() {
                return Err(self.failed(format!("start a scratch cluster: the server {}", ending(status))));
            }
            // Until it listens there is no socket, and then for a moment it says that it starts up.
            if let Ok(session) = self.session("postgres").await {
                return session
                    .map_err(|error| Error::of_driver("start a scratch cluster", &error))?
                    .assert_here(&self.token)
                    .await;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// A session; the outer error means "try again".
    async fn session(&self, database: &str) -> io::Result<Result<Session, tokio_postgres::Error>> {
        let socket = UnixStream::connect(socket_in(&self.sockets)).await?;
        match Session::over(socket, USER, database).await {
            Err(error) if error.code().is_some_and(|code| code.code() == "57P03") => {
                Err(io::Error::other(error))
            }
            session => Ok(session),
        }
    }

    /// Sees on the running server whether it has a network namespace of its own.
    fn observe_isolation(&mut self, asked: Isolation) -> Result<(), Error> {
        if self.isolation != IsolationHad::NetworkNamespace {
            return Ok(());
        }
        let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
        // Where this can't be looked at, the system's word for the call that made it must do: the
        // server would not run otherwise.
        let (Ok(ours), Ok(its)) = (namespace("self"), namespace(&self.server_pid().to_string())) else {
            return Ok(());
        };
        if ours != its {
            return Ok(());
        }
        let why = "the server was found in this machine's own network namespace";
        if asked == Isolation::Required {
            return Err(Error::new(Kind::Isolation, why));
        }
        self.isolation = IsolationHad::None { why: why.into() };
        Ok(())
    }

    /// Opens a session, and makes sure that it is on this server and in that database.
    ///
    /// # Errors
    /// [`Kind::Crashed`] and its relatives when the server is gone, [`Kind::WrongDatabase`],
    /// [`Kind::Statement`] when the server refuses, for instance an unknown database.
    pub async fn connect(&self, database: &str) -> Result<Session, Error> {
        let opening = async {
            let session = self.session(database).await.map_err(|error| {
                Error::new(Kind::Crashed, format!("connect to the scratch server: {}", error.kind()))
            })?;
            let session =
                session.map_err(|error| Error::of_driver("connect to the scratch server", &error))?;
            session.assert_here(&self.token).await?;
            Ok(session)
        };
        let opened = match tokio::time::timeout(CONNECT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::new(Kind::Crashed, "connect to the scratch server: it does not answer")),
        };
        match opened {
            Err(error) => Err(self.explain(error).await),
            session => session,
        }
    }

    /// Runs a program of somebody's to its end, as the server's user, with `PG*` variables that
    /// lead to `database` and nothing of our own environment. It has the network of this machine.
    /// When it ends, or the future is dropped, its whole process group is killed.
    ///
    /// # Errors
    /// [`Kind::Start`]: it could not be run. How it ended is no error.
    pub async fn run_beside(&self, argv: &[String], database: &str) -> Result<Ran, Error> {
        self.run_heard(argv, database, 0).await.map(|(ran, _)| ran)
    }

    /// The same, with the first `heard_bytes_max` bytes of what it said, which are not to be
    /// shown: they may hold rows and statements.
    ///
    /// # Errors
    /// As [`Cluster::run_beside`].
    pub async fn run_heard(
        &self,
        argv: &[String],
        database: &str,
        heard_bytes_max: usize,
    ) -> Result<(Ran, Vec<u8>), Error> {
        let password = self.admit_guest().await?;
        let place = Place {
            account: &self.account,
            sockets: self.sockets.clone(),
            directory: self.places.directory.clone(),
            reach: self.places.data(),
            user: GUEST,
            password: &password,
            database,
            heard_bytes_max,
        };
        beside::run(argv, place).await
    }

    /// Lets the guest in by a password that nobody had before.
    async fn admit_guest(&self) -> Result<String, Error> {
        let session = self.connect("postgres").await?;
        let known = format!("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{GUEST}'");
        let verb = if session.rows(&known).await?.is_empty() { "CREATE" } else { "ALTER" };
        let password = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        // Up to PostgreSQL 13 another one is the default.
        let admit = format!(
            "SET password_encryption = 'scram-sha-256'; {verb} ROLE {GUEST} LOGIN SUPERUSER PASSWORD '{password}'"
        );
        session.run(&admit).await?;
        Ok(password)
    }

    /// Whether the server runs and says nothing of a crash.
    ///
    /// # Errors
    /// [`Kind::OutOfMemory`] when a process was killed by signal 9, [`Kind::DiskFull`],
    /// [`Kind::Crashed`] otherwise.
    pub fn alive(&self) -> Result<(), Error> {
        let exit = self.server.as_ref().and_then(Child::exit);
        match (exit, self.log.cause()) {
            // Also before it has quite gone down. A full disk alone does not end a server.
            (_, Some(cause)) if exit.is_some() || cause.kind() != Kind::DiskFull => Err(cause),
            (Some(status), _) if status.signal() == Some(9) => {
                Err(Error::new(Kind::OutOfMemory, "the scratch server was killed by signal 9"))
            }
            (Some(status), _) => {
                Err(Error::new(Kind::Crashed, format!("the scratch server {}", ending(status))))
            }
            (None, _) => Ok(()),
        }
    }

    /// The cause behind an error of a session: when the connection went down because the server
    /// did, what the server died of. Other errors come back as they are. Waits at most three
    /// seconds.
    pub async fn explain(&self, error: Error) -> Error {
        if error.kind() != Kind::Crashed {
            return error;
        }
        if let Some(server) = &self.server {
            _ = tokio::time::timeout(DYING, server.wait()).await;
        }
        self.alive().err().unwrap_or(error)
    }

    /// The server's last words: at most twelve lines, without values, statements or details.
    pub fn log_tail(&self) -> String {
        self.log.tail()
    }

    /// The cluster's directory, which goes with it.
    pub fn directory(&self) -> &Path {
        &self.places.directory
    }

    /// A program of the install that the server is of, by its absolute path.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A place in the cluster's directory for files that its programs read; it goes with it.
    ///
    /// # Errors
    /// [`Kind::DiskFull`] or [`Kind::Start`]: it can't be made.
    pub fn make_spool(&self) -> Result<Spool, Error> {
        Spool::make(&self.places.directory, &self.account)
    }

    /// The place that [`Cluster::make_spool`] has made.
    pub fn reopen_spool(&self) -> Spool {
        Spool::made(&self.places.directory, &self.account)
    }

    /// The directory that holds the server's socket, for `host=` of other clients.
    pub fn socket_directory(&self) -> &Path {
        &self.sockets
    }

    /// How far the server was kept from the network, as observed.
    pub fn isolated(&self) -> IsolationHad {
        self.isolation.clone()
    }

    /// The superuser of the cluster, the only role that may connect.
    pub fn user(&self) -> &str {
        USER
    }

    /// The user of the machine that the server runs as.
    pub fn system_user(&self) -> &str {
        self.account.name()
    }

    /// What tells this server from all others.
    pub fn run_token(&self) -> &RunToken {
        &self.token
    }

    /// The process id of the server.
    pub fn server_pid(&self) -> u32 {
        self.server.as_ref().map_or(0, |server| server.pid().as_raw().unsigned_abs())
    }

    /// Ends the server, removes the directories, and sees both gone. Goes on to the end even if
    /// the future is dropped.
    ///
    /// # Errors
    /// [`Kind::Leftover`], which names what is still there.
    pub async fn stop(self) -> Result<(), Error> {
        let mut cluster = self;
        let gone = tokio::task::spawn_blocking(move || cluster.remove());
        gone.await.map_err(|_| Error::new(Kind::Leftover, "the removal of the scratch was cut short"))?
    }

    fn remove(&mut self) -> Result<(), Error> {
        let ended = self.server.take().is_none_or(|server| server.end());
        leftover::clear(&self.places)?;
        self.own.clear();
        if ended { Ok(()) } else { Err(Error::new(Kind::Leftover, "the scratch server would not end")) }
    }

    fn failed(&self, what: impl Into<String>) -> Error {
        let cause = self.log.cause().filter(|cause| cause.kind() != Kind::Crashed);
        let mut what = what.into();
        if let Some(last) = self.log.tail().lines().last() {
            what.push_str(": ");
            what.push_str(last);
        }
        Error::new(cause.map_or(Kind::Start, |cause| cause.kind()), what)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.own.is_empty() {
            // Who wants to know calls `stop`; what stays is named in the journal.
            _ = self.remove();
        }
    }
}

/// A started program, and why it has a network if it should not.
struct Launched {
    child: Child,
    refused: Option<String>,
}

fn write(directory: &OwnDirectory, name: &str, text: &str) -> io::Result<()> {
    let mut file = directory.file(name, 0o644)?;
    file.write_all(text.as_bytes())
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
