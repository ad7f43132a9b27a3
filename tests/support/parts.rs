//! Where `script/parts` puts things, and processes made of them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A file of a part, or a failed test that says what to run.
pub fn part(name: &str, file: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(target).join("parts").join(name).join(file);
    assert!(path.exists(), "the part '{name}' is missing ({}): run 'script/parts {name}'", path.display());
    path
}

/// A process that is ended, by its id, when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts what `command` makes for a free port, and waits until it accepts connections.
    pub fn start(name: &str, command: impl Fn(u16) -> Command) -> Server {
        for _ in 0..3 {
            let address = free_address();
            let child = command(address.port())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
            let mut server = Server { child, address };
            if server.answers() {
                return server;
            }
        }
        panic!("{name} was started three times and never answered");
    }

    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok() {
                return true;
            }
            // Somebody else was faster at the port.
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of the loopback that nobody listens at.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}
