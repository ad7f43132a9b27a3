//! `firedrill demo`: a complete drill with nothing configured.

mod shop;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::cli::demo::shop::Shop;
use crate::cli::refusal::Refusal;
use crate::cli::run::{Shown, drill_and_show};
use crate::cli::runtime::under_signals;
use crate::cli::{Places, output};
use crate::digest::Hasher;
use crate::drill::RunRequest;
use crate::exit_code::ExitCode;
use crate::journal::StateDirectory;
use crate::plan;
use crate::record::Trigger;

/// Show a complete drill: make a sample database, back it up, drill the backup
#[derive(Debug, Args)]
#[command(after_help = "\
It needs the PostgreSQL server programs, and nothing else. The database and its backup are
removed at the end; the evidence stays in the state directory.")]
pub struct Arguments {}

/// Makes the sample, dumps it into a local store, and drills it.
pub fn demo(_: &Arguments, places: &Places) -> Result<ExitCode, Refusal> {
    let state = places.state()?;
    let folder = tempfile::Builder::new().prefix("firedrill-demo-").tempdir();
    let folder = folder.map_err(|error| {
        Refusal::new(ExitCode::Bug, format!("make a directory for the sample: {error}"), "")
    })?;
    let (made, heard) = under_signals(output::say, |cancel| make(&state, folder.path(), cancel))?;
    if made?.is_none() {
        return Ok(heard.unwrap_or(ExitCode::Interrupted));
    }
    let plan = folder.path().join("firedrill.toml");
    std::fs::write(&plan, plan_text(folder.path()))
        .map_err(|error| Refusal::new(ExitCode::Bug, format!("write the plan of the sample: {error}"), ""))?;
    let plan = plan::load(&plan).map_err(|faults| Refusal::of_plan(&faults))?;
    output::say("drilling the backup");
    let request = RunRequest { plan, state, trigger: Trigger::Demo, reveal_keys: false };
    let code = drill_and_show(request, None, Shown::Text { quiet: false })?;
    if code == ExitCode::Passed {
        output::say("the sample and its backup are removed; for your own, write a plan and 'firedrill run'");
    }
    Ok(code)
}

/// The backup of a sample database, in `folder`; nothing when it was cancelled.
async fn make(
    state: &StateDirectory,
    folder: &Path,
    cancel: CancellationToken,
) -> Result<Option<()>, Refusal> {
    let name = Timestamp::now().strftime("shop-%Y%m%dT%H%M%SZ.dump").to_string();
    let dump = folder.join(&name);
    let shop = Shop::prepare().await?;
    let journal = shop.announce(state)?;
    let made = cancel.run_until_cancelled(shop.back_up(&dump)).await;
    shop.gone(journal)?;
    if matches!(made, Some(Ok(()))) {
        vouch(&dump, &name).map_err(|error| {
            Refusal::new(ExitCode::Bug, format!("write the digest of the sample's dump: {error}"), "")
        })?;
    }
    made.transpose()
}

/// Puts the digest of a dump beside it, as whoever makes backups should.
fn vouch(dump: &Path, name: &str) -> io::Result<()> {
    let mut file = File::open(dump)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(bytes @ [_, ..]) => hasher.update(bytes),
            _ => break,
        }
    }
    let beside = dump.with_file_name(format!("{name}.sha256"));
    std::fs::write(beside, format!("{}  {name}\n", hasher.finish()))
}

fn plan_text(folder: &Path) -> String {
    let location = toml::Value::String(format!("file://{}/", folder.display()));
    format!(
        r#"[evidence]
sign = false

[service.shop]
description = "the sample database of the demonstration"
rto = "5m"
rpo = "1h"

[service.shop.backup]
location = {location}
pattern = "shop-{{time:%Y%m%dT%H%M%SZ}}.dump"
every = "1d"

[service.shop.scratch]
isolation = "best-effort"

[[service.shop.check]]
name = "the latest order is there"
sql = 'select max(placed_at) from shop."order"'
newest = "1h"

[[service.shop.check]]
name = "no orphaned payments"
sql = 'select count(*) from shop.payment p left join shop."order" o using (order_id, placed_at) where o.order_id is null'
expect = "= 0"
"#
    )
}
