//! What is done to a server's process between fork and exec.
//!
//! Everything here runs in the child of a process with many threads, so nothing allocates or locks:
//! what a step needs is made ready before.

use std::ffi::CString;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, Gid, Pid, Uid, access, getegid, getpid, setgid, setsid, setuid};

use crate::postgres::account::Account;

/// A step that the machine may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A session of its own, limits, no inherited files.
    Prepare,
    /// The empty network namespace.
    Isolate,
    /// Giving up root.
    DropRoot,
    /// Reaching the data directory as that user.
    Reach,
    /// Never gaining privileges again.
    Privileges,
    /// Dying with the parent.
    Lifeline,
}

const STEPS: [Step; 6] =
    [Step::Prepare, Step::Isolate, Step::DropRoot, Step::Reach, Step::Privileges, Step::Lifeline];

/// How a process is confined, ready to be done without allocating.
pub struct Confinement {
    step_down: Option<(Uid, Gid)>,
    isolate: bool,
    reach: CString,
    on_our_death: Signal,
    parent: Pid,
    uid_map: Vec<u8>,
    gid_map: Vec<u8>,
}

impl Confinement {
    /// A session of its own, no core files, no inherited descriptors, no way back to privileges;
    /// the account's user; without a network if `isolate`; able to work in `reach`; and on Linux
    /// the signal `on_our_death` when the thread that spawns it ends.
    pub fn new(
        account: &Account,
        isolate: bool,
        reach: &Path,
        on_our_death: Signal,
    ) -> io::Result<Confinement> {
        let (uid, gid) = (account.uid(), getegid());
        Ok(Confinement {
            step_down: account.is_another().then(|| (uid, account.gid())),
            isolate,
            reach: CString::new(reach.as_os_str().as_bytes())?,
            on_our_death,
            parent: getpid(),
            uid_map: format!("{uid} {uid} 1\n").into_bytes(),
            gid_map: format!("{gid} {gid} 1\n").into_bytes(),
        })
    }

    /// Has it done in the child that `command` will spawn. The reader tells after a failed spawn,
    /// and after `command` is dropped, which step was refused.
    pub fn attach(self, command: &mut Command) -> io::Result<Refused> {
        let (reader, mut writer) = io::pipe()?;
        let confine = move || {
            self.apply().map_err(|(step, errno)| {
                tell(&mut writer, step);
                io::Error::from(errno)
            })
        };
        #[expect(unsafe_code, reason = "confine only makes system calls: it neither allocates nor locks")]
        // SAFETY: see the reason above; the closure owns all that it uses.
        unsafe {
            command.pre_exec(confine);
        }
        Ok(Refused(reader))
    }

    fn apply(&self) -> Result<(), (Step, Errno)> {
        let at = |step: Step| move |errno: Errno| (step, errno);
        self.prepare().map_err(at(Step::Prepare))?;
        if self.isolate {
            self.isolate().map_err(at(Step::Isolate))?;
        }
        if let Some((uid, gid)) = self.step_down {
            step_down(uid, gid).map_err(at(Step::DropRoot))?;
        }
        access(self.reach.as_c_str(), AccessFlags::W_OK | AccessFlags::X_OK).map_err(at(Step::Reach))?;
        give_up_privileges().map_err(at(Step::Privileges))?;
        // Last: every change of credentials clears it.
        hold_lifeline(self.on_our_death, self.parent).map_err(at(Step::Lifeline))
    }

    fn prepare(&self) -> Result<(), Errno> {
        setsid()?;
        umask(Mode::from_bits_truncate(0o077));
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        close_on_exec();
        Ok(())
    }

    /// Root gets the namespaces as they are; others by way of a user namespace in which they are
    /// themselves and nobody else.
    #[cfg(target_os = "linux")]
    fn isolate(&self) -> Result<(), Errno> {
        use nix::sched::{CloneFlags, unshare};
        // The namespace for shared memory comes along: what is in it goes with the last process.
        let alone = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
        if self.step_down.is_some() {
            return unshare(alone);
        }
        unshare(alone | CloneFlags::CLONE_NEWUSER)?;
        overwrite(c"/proc/self/uid_map", &self.uid_map)?;
        overwrite(c"/proc/self/setgroups", b"deny")?;
        overwrite(c"/proc/self/gid_map", &self.gid_map)
    }

    #[cfg(not(target_os = "linux"))]
    fn isolate(&self) -> Result<(), Errno> {
        _ = (&self.uid_map, &self.gid_map);
        Err(Errno::ENOSYS)
    }
}

/// Tells which step of a confinement was refused.
pub struct Refused(PipeReader);

impl Refused {
    /// The step; `None` when the exec itself failed.
    pub fn step(mut self) -> Option<Step> {
        let mut byte = [0_u8];
        match self.0.read(&mut byte) {
            Ok(1) => STEPS.iter().copied().find(|&step| step as u8 == byte[0]),
            _ => None,
        }
    }
}

fn tell(writer: &mut PipeWriter, step: Step) {
    // Without it the error is less precise, nothing more.
    _ = writer.write(&[step as u8]);
}

#[cfg(target_os = "linux")]
fn overwrite(path: &std::ffi::CStr, bytes: &[u8]) -> Result<(), Errno> {
    use nix::fcntl::{OFlag, open};
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    // These files take all or nothing.
    nix::unistd::write(&file, bytes).map(|_| ())
}

fn step_down(uid: Uid, gid: Gid) -> Result<(), Errno> {
    only_group(gid)?;
    setgid(gid)?;
    setuid(uid)
}

#[cfg(target_os = "linux")]
fn only_group(gid: Gid) -> Result<(), Errno> {
    nix::unistd::setgroups(&[gid])
}

#[cfg(not(target_os = "linux"))]
fn only_group(gid: Gid) -> Result<(), Errno> {
    let groups = [gid.as_raw()];
    #[expect(unsafe_code, reason = "no safe wrapper of setgroups is at hand here")]
    // SAFETY: the call reads one group id from an array of one.
    let done = unsafe { nix::libc::setgroups(1, groups.as_ptr()) };
    Errno::result(done).map(|_| ())
}

/// Descriptors that others opened without the flag, or that we were started with, end at the exec.
fn close_on_exec() {
    #[cfg(target_os = "linux")]
    {
        use nix::libc;
        #[expect(unsafe_code, reason = "no safe wrapper of close_range is at hand")]
        // SAFETY: the call takes three integers, and only sets a flag on descriptors. Kernels before
        // 5.11 refuse it, and Rust sets the flag on all that it opens anyway.
        unsafe {
            libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
    }
}

#[cfg(target_os = "linux")]
fn give_up_privileges() -> Result<(), Errno> {
    use nix::libc;
    #[expect(unsafe_code, reason = "no safe wrapper of this prctl is at hand")]
    // SAFETY: the call takes five integers. Where it is refused there are no such capabilities.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }
    nix::sys::prctl::set_no_new_privs()
}

#[cfg(not(target_os = "linux"))]
fn give_up_privileges() -> Result<(), Errno> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn hold_lifeline(signal: Signal, parent: Pid) -> Result<(), Errno> {
    nix::sys::prctl::set_pdeathsig(signal)?;
    // It may have died before the line above.
    if nix::unistd::getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}

/// No such signal exists elsewhere: after a kill -9 of ours the server lives until the next run or
/// `firedrill sweep`. Untested.
#[cfg(not(target_os = "linux"))]
fn hold_lifeline(_: Signal, _: Pid) -> Result<(), Errno> {
    Ok(())
}
