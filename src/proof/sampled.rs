//! Tables of which a sample is read back, and all rows are counted.
//!
//! The sample is told by the rows' own keys, on both sides by the same rule, so that both
//! samples are the same rows or the difference shows. A table goes by a sample only where that
//! takes nothing from the proof but the rows beside it; whatever differs is read whole.

use crate::digest::{Digest, RowHash};
use crate::postgres::{self, Session};
use crate::proof::Error;
use crate::proof::fingerprint::Sourced;
use crate::proof::reading::{self, Reading, Stretch};
use crate::proof::stretches::Back;
use crate::restore::{Restored, RowsSeen, SAMPLE_PARTS, Sample, SampledBy, TableLoaded, hash_text_extended};

/// Tables with fewer bytes of text are read whole.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024;

/// Keys that the server is asked to hash, before its hash is relied upon: of every length around
/// that of a block, and of an `int8` and a `uuid`.
const KEYS: [&str; 8] = [
    "",
    "1",
    "-23",
    "12345678901",
    "123456789012",
    "1234567890123",
    "-9223372036854775808",
    "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
];

/// What a sample is read by, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    by: SampledBy,
    stream: RowHash,
}

/// A table that was proven by a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// The column by which the sample was taken.
    pub column: String,
    /// Which rows are in it.
    pub sample: Sample,
    /// Those of the archive.
    pub stream: RowHash,
    /// Those that were read back.
    pub restored: RowHash,
    /// All rows of the restored table, as they were counted.
    pub restored_rows: u64,
}

impl Sampling {
    /// How a table goes by a sample, if it may: its rows went in as the text that they came in,
    /// they are many, some are in the sample and not far fewer than wanted, and those that are not
    /// in it are the stamp's by the archive's word, where there is a stamp.
    pub fn of(part: &TableLoaded, seen: &RowsSeen, sourced: &Sourced, columns: Digest) -> Option<Sampling> {
        let by = part.shape.sampled_by.clone()?;
        let is_text = part.sent.binary == 0 && part.shape.unsteady.is_empty();
        let all = u128::from(seen.hash.rows());
        let in_sample = u128::from(seen.sampled.rows());
        let enough = (1..all).contains(&in_sample)
            && in_sample * 2 * u128::from(SAMPLE_PARTS) >= all * u128::from(by.sample.share_ppm);
        let of_the_source = match sourced {
            Sourced::NoStamp | Sourced::LeftOut => true,
            Sourced::Known(stamp, of) => stamp.whole == seen.hash && *of == columns,
            Sourced::Unknown => false,
        };
        let fits = is_text && enough && of_the_source && seen.hash.bytes() >= WHOLE_BYTES_MAX;
        fits.then_some(Sampling { by, stream: seen.sampled })
    }

    /// The rows of a stretch, or of the whole table, that are in the sample, and the number of all.
    ///
    /// # Errors
    /// The server refuses it, or is gone.
    pub async fn read(
        &self,
        session: &Session,
        reading: &Reading,
        stretch: Option<Stretch>,
    ) -> Result<Back, postgres::Error> {
        let statement = reading.statement_of(&self.by.sample.condition(&self.by.column), stretch);
        let hashes = reading::hash_by(session, reading, &statement, None, |_| {}).await?;
        let counted = session.rows(&reading.count(stretch)).await?;
        let counted = counted.first().and_then(|row| row.first()).and_then(Option::as_deref);
        let rows = counted.and_then(|rows| rows.parse().ok());
        let none = || postgres::Error::new(postgres::Kind::Protocol, "count rows: no number came");
        Ok(Back { hashes, rows: rows.ok_or_else(none)? })
    }

    /// The sample that came back, of so many rows, if it is that of the archive.
    pub fn equal(&self, restored: RowHash, restored_rows: u64) -> Option<Sampled> {
        (restored == self.stream).then(|| Sampled {
            column: self.by.column.clone(),
            sample: self.by.sample,
            stream: self.stream,
            restored,
            restored_rows,
        })
    }
}

/// Whether samples can be read: one was taken of a table at least, and the server hashes keys as
/// we do.
///
/// # Errors
/// The server is gone.
pub async fn can_be_read(restored: &Restored, session: &Session) -> Result<bool, Error> {
    let samples = restored.tables.iter().filter_map(|table| table.shape.sampled_by.as_ref());
    let Some(Sample { seed, .. }) = samples.map(|by| by.sample).next() else { return Ok(false) };
    let hashed =
        KEYS.map(|key| format!("pg_catalog.hashtextextended('{key}' COLLATE pg_catalog.\"C\", {seed})"));
    let answered = session.rows(&format!("SELECT {}", hashed.join(", "))).await?;
    let ours = KEYS.map(|key| Some((hash_text_extended(key.as_bytes(), u64::from(seed)) as i64).to_string()));
    Ok(answered.first().is_some_and(|row| *row == ours))
}
