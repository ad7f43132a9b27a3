//! A real Azure Blob server: Azurite.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use firedrill::store::{Environment, Options};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use tempfile::TempDir;

use super::parts::{Server, part};

/// The account that Azurite always has, with the key that its documentation publishes.
pub const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub struct Azurite {
    /// With the account in it, as Azurite wants it.
    pub endpoint: String,
    server: Server,
    _folder: TempDir,
}

/// The ways in.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    Key,
    Sas,
    ConnectionString,
}

impl Azurite {
    pub fn start() -> Azurite {
        let main = part("azurite", "node_modules/azurite/dist/src/blob/main.js");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Server::start("Azurite", |port| {
            let mut command = Command::new("node");
            command
                .arg(&main)
                .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--location"])
                .arg(folder.path())
                .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
            command
        });
        let endpoint = format!("http://{}/{ACCOUNT}", server.address);
        Azurite { endpoint, server, _folder: folder }
    }

    /// Makes a container; one that is there stays.
    pub fn make(&self, container: &str) {
        let status = self.send("PUT", container, "restype=container", &[], b"");
        assert!(matches!(status, 201 | 409), "making the container {container}: {status}");
    }

    /// Writes a blob; its container must be there.
    pub fn put(&self, container: &str, blob: &str, bytes: &[u8]) {
        self.put_with(container, blob, bytes, &[]);
    }

    /// Writes a blob with more headers (`x-ms-…`).
    pub fn put_with(&self, container: &str, blob: &str, bytes: &[u8], headers: &[(&str, &str)]) {
        let headers: Vec<_> = headers.iter().copied().chain([("x-ms-blob-type", "BlockBlob")]).collect();
        let status = self.send("PUT", &format!("{container}/{}", escaped(blob)), "", &headers, bytes);
        assert_eq!(status, 201, "putting {container}/{blob}");
    }

    pub fn remove(&self, container: &str, blob: &str) {
        let status = self.send("DELETE", &format!("{container}/{}", escaped(blob)), "", &[], b"");
        assert_eq!(status, 202, "removing {container}/{blob}");
    }

    /// Moves a blob into another access tier: `Archive`.
    pub fn set_tier(&self, container: &str, blob: &str, tier: &str) {
        let path = format!("{container}/{}", escaped(blob));
        let status = self.send("PUT", &path, "comp=tier", &[("x-ms-access-tier", tier)], b"");
        assert!(matches!(status, 200 | 202), "tier of {blob}: {status}");
    }

    /// How a store reaches it.
    pub fn options(&self, access: Access) -> Options {
        let endpoint = Some(self.endpoint.clone());
        match access {
            Access::Key => {
                Options { endpoint, account_key_env: Some("TEST_KEY".into()), ..Options::default() }
            }
            Access::Sas => Options { endpoint, sas_env: Some("TEST_SAS".into()), ..Options::default() },
            Access::ConnectionString => {
                Options { connection_string_env: Some("TEST_CONNECTION".into()), ..Options::default() }
            }
        }
    }

    /// The variables that [`Azurite::options`] names.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        let connection = format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};",
            self.endpoint
        );
        [("TEST_KEY", KEY.into()), ("TEST_SAS", sas()), ("TEST_CONNECTION", connection)]
    }

    pub fn environment(&self) -> Environment {
        Environment::given(self.variables())
    }

    /// One signed request; the status of the answer.
    fn send(&self, verb: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
        let date = jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S GMT", Timestamp::now()).expect("a date");
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        signed.extend([("x-ms-date", date.as_str()), ("x-ms-version", "2021-12-02")]);
        signed.sort();
        let length = if body.is_empty() { String::new() } else { body.len().to_string() };
        let mut text = format!("{verb}\n\n\n{length}\n\n\n\n\n\n\n\n\n");
        text.extend(signed.iter().map(|(name, value)| format!("{name}:{value}\n")));
        text += &format!("/{ACCOUNT}/{ACCOUNT}/{path}");
        text.extend(query.split_once('=').map(|(name, value)| format!("\n{name}:{value}")));
        let signature = sign(&text);
        let mut head =
            format!("{verb} /{ACCOUNT}/{path}?{query} HTTP/1.1\r\nhost: {}\r\n", self.server.address);
        head.extend(signed.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        head += &format!("authorization: SharedKey {ACCOUNT}:{signature}\r\n");
        head += &format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let mut wire = TcpStream::connect(self.server.address).expect("Azurite answers");
        wire.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        wire.write_all(head.as_bytes()).and_then(|()| wire.write_all(body)).expect("a request sent");
        let mut answer = Vec::new();
        wire.read_to_end(&mut answer).expect("an answer");
        let line = String::from_utf8_lossy(&answer);
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }
}

/// A signature over the account that lets read and list for an hour.
fn sas() -> String {
    let hour = jiff::SignedDuration::from_hours(1);
    let expiry = jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", Timestamp::now() + hour).expect("a date");
    let signature = sign(&format!("{ACCOUNT}\nrl\nb\nsco\n\n{expiry}\n\nhttps,http\n2021-12-02\n\n"));
    format!(
        "sv=2021-12-02&ss=b&srt=sco&sp=rl&se={}&spr=https,http&sig={}",
        escaped(&expiry),
        escaped(&signature)
    )
}

fn sign(text: &str) -> String {
    let key = STANDARD.decode(KEY).expect("the published key");
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("any length will do");
    hmac.update(text.as_bytes());
    STANDARD.encode(hmac.finalize().into_bytes())
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
