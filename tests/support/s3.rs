//! A real S3 server: rclone over a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill::store::{Environment, Options};
use tempfile::TempDir;

use super::parts::{Server, part};

/// Buckets are the folders below `dir`, objects the files in them.
pub struct S3Server {
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
    pub dir: PathBuf,
    _server: Server,
    _folder: TempDir,
}

impl S3Server {
    pub fn start() -> S3Server {
        let rclone = part("s3", "rclone");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (access_key, secret_key) = ("firedrill-access", "firedrill-secret");
        let server = Server::start("the S3 server", |port| {
            let mut command = Command::new(&rclone);
            command
                .args(["serve", "s3", "--config", "/dev/null", "--addr", &format!("127.0.0.1:{port}")])
                .args(["--auth-key", &format!("{access_key},{secret_key}")])
                // Files are put into the folder behind its back: it must look each time.
                .args(["--dir-cache-time", "0s", "--vfs-cache-mode", "off"])
                .arg(folder.path());
            command
        });
        S3Server {
            endpoint: format!("http://{}", server.address),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            dir: folder.path().to_owned(),
            _server: server,
            _folder: folder,
        }
    }

    /// Writes an object, and its bucket where there is none.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        write(&self.dir.join(bucket).join(key), bytes);
    }

    pub fn remove(&self, bucket: &str, key: &str) {
        fs::remove_file(self.dir.join(bucket).join(key)).expect("an object to remove");
    }

    /// How a store reaches it.
    pub fn options(&self) -> Options {
        Options {
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".into()),
            path_style: true,
            ..Options::default()
        }
    }

    /// The variables that hold its credentials.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [("AWS_ACCESS_KEY_ID", self.access_key.clone()), ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone())]
    }

    pub fn environment(&self) -> Environment {
        Environment::given(self.variables())
    }
}

/// Replaces the file in one step, so that nobody sees half of it.
pub fn write(path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("a parent");
    fs::create_dir_all(folder).expect("a folder");
    let mut file = tempfile::NamedTempFile::new_in(folder).expect("a file");
    std::io::Write::write_all(&mut file, bytes).expect("bytes written");
    file.persist(path).expect("the file in its place");
}
