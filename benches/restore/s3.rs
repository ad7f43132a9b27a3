//! A real S3 server over the folder with the dumps, and how each client reaches it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use firedrill::store::{Environment, Location, Options};

use crate::machine::Failure;
use crate::parts::Part;
use crate::place::Place;
use crate::process::Process;

/// The bucket: the folder of this name below the server's.
pub const BUCKET: &str = "dumps";
const REGION: &str = "us-east-1";
const ACCESS_KEY: &str = "firedrill-access";
const SECRET_KEY: &str = "firedrill-secret";

/// rclone's "serve s3".
pub struct S3Server {
    process: Process,
    pub address: SocketAddr,
}

impl S3Server {
    /// Starts it over `folder`, in which nothing changes from now on.
    pub async fn start(folder: &Path) -> Result<S3Server, Failure> {
        for _ in 0..3 {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let mut process = Process::start(&mut serve(folder, address))?;
            if answers(address, &mut process).await {
                let server = S3Server { process, address };
                // It hashes each object when it is first listed, and remembers.
                Endpoint::at(address).place("").list().await?;
                return Ok(server);
            }
        }
        Err("the S3 server was started three times and never answered".into())
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

fn serve(folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(Part::S3.path());
    command
        .args(["serve", "s3", "--config", "/dev/null", "--addr", &address.to_string()])
        .args(["--auth-key", &format!("{ACCESS_KEY},{SECRET_KEY}")])
        // As little work as possible: the real one has processors of its own.
        .args(["--vfs-cache-mode", "off", "--dir-cache-time", "24h", "--no-checksum", "--buffer-size", "0"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

async fn answers(address: SocketAddr, process: &mut Process) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    // It may be over because somebody else was faster at the port.
    while Instant::now() < deadline && !process.is_over() {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Where clients reach the S3 server: itself, or a line to it.
pub struct Endpoint {
    url: String,
}

impl Endpoint {
    pub fn at(address: SocketAddr) -> Endpoint {
        Endpoint { url: format!("http://{address}") }
    }

    /// Where firedrill finds an object, or a folder of them.
    pub fn place(&self, key: &str) -> Place {
        Place {
            location: Location::S3 { bucket: BUCKET.into(), prefix: String::new() },
            options: Options {
                endpoint: Some(self.url.clone()),
                region: Some(REGION.into()),
                path_style: true,
                ..Options::default()
            },
            environment: Environment::given(variables()),
            key: key.to_owned(),
        }
    }

    /// Another client of S3, told where it is and nothing else: not what this machine's own
    /// variables and files say.
    pub fn command(&self, client: Part) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(client.path());
        command
            .env_clear()
            .envs(variables())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .args(["--endpoint-url", &self.url])
            .kill_on_drop(true);
        command
    }
}

fn variables() -> [(&'static str, &'static str); 2] {
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)]
}
