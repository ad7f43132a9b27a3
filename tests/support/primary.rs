//! A server as production has it, on a loopback port: with replicas, other roles and other locales
//! than a scratch would ever have.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firedrill::postgres::Install;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::postgres::{eventually, own_install};

/// Who runs servers where the tests run as root, which no server does.
const ACCOUNT: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is stopped.
pub struct Primary {
    install: Install,
    port: u16,
    server: Child,
}

impl Primary {
    /// A new cluster below `parent`, in which everybody from here may do as they like.
    pub fn start(install: &Install, parent: &Path) -> Primary {
        let data = own_directory(parent, "primary");
        let mut initdb = as_account(&install.bin.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--username=admin", "-D"]);
        done(initdb.arg(&data));
        Primary::serve(install, &data, free_port())
    }

    /// A hot standby of this one, below `parent`, that streams from it.
    pub fn standby(&self, parent: &Path) -> Primary {
        let data = own_directory(parent, "standby");
        let mut copy = as_account(&self.install.bin.join("pg_basebackup"));
        let port = self.port.to_string();
        copy.args(["-h", "127.0.0.1", "-U", "admin", "-p", &port, "-R", "-X", "stream", "-c", "fast", "-D"]);
        done(copy.arg(&data));
        Primary::serve(&self.install, &data, free_port())
    }

    fn serve(install: &Install, data: &Path, port: u16) -> Primary {
        let mut server = as_account(&install.bin.join("postgres"));
        server.arg("-D").arg(data).args(["-p", &port.to_string()]);
        for setting in
            ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB"]
        {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(data.with_extension("log")).unwrap();
        server.stderr(log).stdout(Stdio::null()).stdin(Stdio::null());
        let server = Primary { install: install.clone(), port, server: server.spawn().unwrap() };
        eventually(PATIENCE, "the server answers", || {
            server.client("psql", "postgres").arg("-c").arg("").output().unwrap().status.success()
        });
        server
    }

    /// A client program, pointed at a database.
    pub fn client(&self, program: &str, database: &str) -> Command {
        // An installed part has no client programs, and those of an older major do.
        let mut command = Command::new(own_install().bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", "admin").env("PGDATABASE", database).stdin(Stdio::null());
        command
    }

    /// Runs a script; what it prints, unaligned and without headers.
    pub fn psql(&self, database: &str, script: &str) -> String {
        let mut command = self.client("psql", database);
        let output = command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Where a role finds a database.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The machine's own pg_dump, which is for servers of its major and older ones.
    pub fn pg_dump(&self) -> PathBuf {
        own_install().bin.join("pg_dump")
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // The immediate shutdown takes all its processes along.
        let _ = kill(Pid::from_raw(self.server.id() as i32), Signal::SIGQUIT);
        let _ = self.server.wait();
    }
}

fn as_account(program: &Path) -> Command {
    let mut command = match geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]).arg(program);
            command
        }
        false => Command::new(program),
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn own_directory(parent: &Path, name: &str) -> PathBuf {
    let directory = parent.join(name);
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    if geteuid().is_root() {
        let user = nix::unistd::User::from_name(ACCOUNT).unwrap().expect("there is no user 'postgres'");
        nix::unistd::chown(&directory, Some(user.uid), Some(user.gid)).unwrap();
    }
    directory
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
