//! Parts of a test that need a process of their own: to be killed, to be somebody else, to be
//! refused something. They run this very test program again.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use nix::unistd::geteuid;

const ROLE: &str = "FIREDRILL_TEST_ROLE";
const DIRECTORY: &str = "FIREDRILL_TEST_DIRECTORY";
const PARENT: &str = "FIREDRILL_TEST_PARENT";

/// A part to be played by another process.
pub struct Part {
    command: Command,
    directory: PathBuf,
}

impl Part {
    /// The role of that name in the test function `part_of_another_process`.
    pub fn of_the_test(role: &str, directory: &Path) -> Part {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "part_of_another_process", "--nocapture"]);
        command.env(ROLE, role).env(DIRECTORY, directory).env(PARENT, std::process::id().to_string());
        Part { command, directory: directory.into() }
    }

    /// Something that it must know.
    pub fn argument(&mut self, name: &str, value: &Path) {
        self.command.env(format!("FIREDRILL_TEST_{name}"), value);
    }

    /// Refuses it all namespaces, as the default profile of a container runtime does.
    pub fn refuse_namespaces(&mut self) {
        #[expect(unsafe_code, reason = "the filter is installed between fork and exec, by two system calls")]
        // SAFETY: the closure allocates nothing and calls prctl only.
        unsafe {
            self.command.pre_exec(refuse_unshare);
        }
    }

    /// Plays it to the end as the user of that id, in the directory `own` of its directory, which
    /// that user owns.
    pub fn run_as(mut self, uid: u32) -> ExitStatus {
        let own = self.directory.join("own");
        fs::create_dir_all(&own).unwrap();
        chown(&own, Some(uid), None).unwrap();
        let program = self.directory.join("program");
        if geteuid().as_raw() != uid {
            // This program may lie where that user can't go.
            fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            let mut command = Command::new(&program);
            command.args(self.command.get_args()).uid(uid).gid(uid);
            for (name, value) in self.command.get_envs() {
                command.env(name, value.unwrap());
            }
            self.command = command;
        }
        // What it says is shown only if the test that asked fails.
        let output = self.command.env(DIRECTORY, &own).current_dir("/").output().unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        _ = fs::remove_file(program);
        output.status
    }

    /// Starts it.
    pub fn start(mut self) -> Playing {
        Playing(self.command.spawn().unwrap())
    }
}

/// A part that is being played; killed at the end at the latest.
pub struct Playing(Child);

impl Playing {
    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The part that this process plays, if it is not the test itself.
pub fn part_of_this_process() -> Option<Playbill> {
    let role = std::env::var(ROLE).ok()?;
    Some(Playbill { role, directory: PathBuf::from(std::env::var_os(DIRECTORY)?) })
}

/// What a part was told.
pub struct Playbill {
    role: String,
    directory: PathBuf,
}

impl Playbill {
    pub fn role(&self) -> &str {
        &self.role
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn parent_process(&self) -> i32 {
        self.text("PARENT").parse().unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        std::env::var(format!("FIREDRILL_TEST_{name}")).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.text(name).into()
    }
}

/// Ends this process when the test that started it is killed.
pub fn die_with(parent: i32) {
    std::thread::spawn(move || {
        while nix::unistd::getppid().as_raw() == parent {
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        std::process::exit(70);
    });
}

#[cfg(not(target_os = "linux"))]
fn refuse_unshare() -> std::io::Result<()> {
    Ok(())
}

/// A filter that answers `unshare` with EPERM and lets everything else through.
#[cfg(target_os = "linux")]
fn refuse_unshare() -> std::io::Result<()> {
    use nix::libc;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The number of the system call stands at the start of what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_unshare as u32,
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    #[expect(unsafe_code, reason = "no safe wrapper of seccomp is at hand")]
    // SAFETY: the program and its filter outlive the call, which copies them.
    let refused = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    if refused == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
