//! A child process that does not outlive its handle.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::postgres::confine::{Confinement, Step};

/// How long a child may take to obey a signal, each.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running child, in a session of its own. Dropped, it is ended and waited for: at most ten
/// seconds, usually some milliseconds.
pub struct Child {
    pid: Pid,
    end_with: Signal,
    whole_group: bool,
    exit: Arc<Exit>,
    exited: watch::Receiver<bool>,
}

#[derive(Default)]
struct Exit {
    // Held while it is reaped and while it is signalled, so that a signal never meets a stranger
    // to whom the process id was given next.
    status: Mutex<Option<ExitStatus>>,
    changed: Condvar,
}

impl Exit {
    fn lock(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no child.
pub struct SpawnError {
    /// The step of the confinement that was refused; `None`: the program itself could not be run.
    pub step: Option<Step>,
    /// What the system said.
    pub error: io::Error,
}

impl From<io::Error> for SpawnError {
    fn from(error: io::Error) -> SpawnError {
        SpawnError { step: None, error }
    }
}

impl Child {
    /// Starts a program. Blocks for the milliseconds that a fork takes, so that nobody can be
    /// cancelled between the fork and the handle.
    ///
    /// The child is made by a thread of its own, which then waits for it: on Linux "dies with us"
    /// is tied to the thread that made it, and threads of a pool come and go.
    pub fn spawn(command: Command, confinement: Confinement, end_with: Signal) -> Result<Child, SpawnError> {
        Child::spawn_as(command, confinement, end_with, false)
    }

    /// The same for a program whose children must not outlive it: when it ends, or is ended,
    /// all of its group is killed.
    pub fn spawn_group(command: Command, confinement: Confinement) -> Result<Child, SpawnError> {
        Child::spawn_as(command, confinement, Signal::SIGKILL, true)
    }

    fn spawn_as(
        mut command: Command,
        confinement: Confinement,
        end_with: Signal,
        whole_group: bool,
    ) -> Result<Child, SpawnError> {
        let refused = confinement.attach(&mut command)?;
        let exit = Arc::new(Exit::default());
        let (tell_exited, exited) = watch::channel(false);
        let (tell_spawned, spawned) = mpsc::sync_channel(1);
        let keeping = exit.clone();
        let keep = move || {
            let made = command.spawn();
            drop(command);
            let (made, pid) = match made {
                Ok(made) => {
                    let pid = made.id();
                    (Some(made), Ok(pid))
                }
                Err(error) => (None, Err(error)),
            };
            _ = tell_spawned.send(pid);
            if let Some(made) = made {
                wait(made, &keeping, whole_group);
            }
            _ = tell_exited.send(true);
        };
        thread::Builder::new().name("firedrill-keeper".into()).spawn(keep)?;
        let pid = spawned.recv().map_err(|_| io::Error::other("the thread that starts it ended"))?;
        match pid.and_then(|pid| i32::try_from(pid).map_err(io::Error::other)) {
            Ok(pid) => Ok(Child { pid: Pid::from_raw(pid), end_with, whole_group, exit, exited }),
            Err(error) => Err(SpawnError { step: refused.step(), error }),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        *self.exit.lock()
    }

    /// Waits until it ends by itself.
    pub async fn wait(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        // The keeper says so before it goes.
        _ = exited.wait_for(|&exited| exited).await;
        self.exit().unwrap_or_else(|| ExitStatus::from_raw(0x7f00))
    }

    /// Ends it by its own signal, and by SIGKILL to its group when it does not obey. Whether it
    /// is gone; what it has started itself may still be on its way out.
    pub fn end(&self) -> bool {
        self.signal(|pid| match self.whole_group {
            true => killpg(pid, self.end_with),
            false => kill(pid, self.end_with),
        });
        if self.gone_within(PATIENCE) {
            return true;
        }
        self.signal(|pid| killpg(pid, Signal::SIGKILL));
        self.gone_within(PATIENCE)
    }

    fn signal(&self, send: impl Fn(Pid) -> nix::Result<()>) {
        let status = self.exit.lock();
        if status.is_none() {
            // It can only fail because the process is on its way out.
            _ = send(self.pid);
        }
    }

    fn gone_within(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut status = self.exit.lock();
        while status.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (status, _) =
                self.exit.changed.wait_timeout(status, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

fn wait(mut child: std::process::Child, exit: &Exit, whole_group: bool) {
    wait_without_reaping(child.id());
    let mut status = exit.lock();
    if let Some(pid) = i32::try_from(child.id()).ok().filter(|_| whole_group) {
        // Until it is reaped the group's number can't be anybody else's.
        _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    // Without a status it would be waited for in vain.
    *status = Some(child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0x7f00)));
    drop(status);
    exit.changed.notify_all();
}

#[cfg(target_os = "linux")]
fn wait_without_reaping(pid: u32) {
    use nix::errno::Errno;
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let Ok(pid) = i32::try_from(pid) else { return };
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(Pid::from_raw(pid)), flags) == Err(Errno::EINTR) {}
}

/// Elsewhere the wait itself reaps, under the lock. Signals wait for that lock, so a child that
/// must be told to end is polled instead.
#[cfg(not(target_os = "linux"))]
fn wait_without_reaping(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // A zombie still takes signal 0, so the parent's only question is its state.
    let state = || Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    while state().is_ok_and(|said| said.stdout.first().is_some_and(|&state| state != b'Z')) {
        thread::sleep(Duration::from_millis(100));
    }
}
