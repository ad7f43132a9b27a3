//! What the environment of a process gives: variables, named profiles, a metadata service that
//! never answers. Each case is a process of its own, because the environment belongs to all of it.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

mod support;

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use firedrill::store::{Location, Options, Store};
use support::s3::S3Server;

/// What the child process is told by: an endpoint, and a profile or nothing.
const ENDPOINT: &str = "FIREDRILL_TEST_ENDPOINT";
const PROFILE: &str = "FIREDRILL_TEST_PROFILE";

/// What the other tests here run in a process with an environment of its own.
#[tokio::test]
async fn part_of_another_process() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    let options =
        Options { endpoint: Some(endpoint), profile: std::env::var(PROFILE).ok(), ..Options::default() };
    let location = Location::S3 { bucket: "b".into(), prefix: String::new() };
    let store = match Store::open(&location, &options).await {
        Ok(store) => store,
        Err(error) => return println!("{:?}: {error}; {}", error.kind(), error.reason().remedy),
    };
    match store.list().await {
        Ok(listing) => println!("listed {}", listing.objects.len()),
        Err(error) => println!("{:?}: {error}", error.kind()),
    }
}

fn list_with(variables: &[(&str, &str)]) -> String {
    let Output { status, stdout, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "part_of_another_process", "--nocapture"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{said}");
    said
}

#[test]
fn variables_and_profiles_are_found_and_a_named_profile_comes_first() {
    let server = S3Server::start();
    server.put("b", "a.dump", b"abc");
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
    std::fs::write(&config, "[profile good]\nregion = eu-central-1\n").unwrap();
    let (access, secret) = (server.access_key.as_str(), server.secret_key.as_str());
    let text = format!(
        "[good]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n\
         [bad]\naws_access_key_id = {access}\naws_secret_access_key = wrong\n"
    );
    std::fs::write(&credentials, text).unwrap();
    let files = [
        (ENDPOINT, server.endpoint.as_str()),
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let keys = |secret| [("AWS_ACCESS_KEY_ID", access), ("AWS_SECRET_ACCESS_KEY", secret)];
    let said = |more: &[(&str, &str)]| list_with(&[&files[..], more].concat());
    assert!(said(&keys(secret)).contains("listed 1"), "variables");
    assert!(said(&[("AWS_PROFILE", "good")]).contains("listed 1"), "a profile of the environment");
    assert!(said(&[(PROFILE, "good")]).contains("listed 1"), "a profile of the plan");
    let both = [&keys("wrong")[..], &[(PROFILE, "good")]].concat();
    assert!(said(&both).contains("listed 1"), "a profile of the plan comes before variables");
    let both = [&keys(secret)[..], &[(PROFILE, "bad")]].concat();
    let refused = said(&both);
    assert!(!refused.contains("listed") && !refused.contains("wrong"), "{refused}");
    let missing = said(&[(PROFILE, "missing")]);
    assert!(missing.contains("Credentials: ") && missing.contains("'missing'"), "{missing}");
}

#[test]
fn without_credentials_a_silent_metadata_service_does_not_hold_us_up() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let metadata = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let said =
        list_with(&[(ENDPOINT, "http://127.0.0.1:9"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)]);
    assert!(said.contains("Credentials: ") && said.contains("no credentials were found"), "{said}");
    assert!(said.contains("anonymous = true"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
