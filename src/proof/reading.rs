//! A session that only reads, in the state in which pg_dump writes rows.

use crate::postgres::{self, Kind, Session, quote_literal};
use crate::proof::Error;
use crate::proof::pace::Pace;
use crate::restore::{RowHashes, Scratch, UnsteadyFields};

/// Bytes that are paid for at once, where there is a limit.
const BYTES_PER_PAYMENT: u64 = 256 * 1024;
/// Rows that are told at once.
const ROWS_PER_TELLING: u64 = 10_000;

/// What the dumping session had, as far as it is known or inferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The zone in which instants are written.
    pub time_zone: String,
    /// Whether `bytea` is written in the escape format.
    pub bytea_escape: bool,
    /// In which way amounts of money are written; `None` for that of the session.
    pub monetary: Option<String>,
}

impl Manner {
    /// The statements that make a session write rows in this manner.
    fn statements(&self) -> String {
        let monetary = self.monetary.as_deref().map_or("DEFAULT".to_owned(), quote_literal);
        format!(
            "SET TimeZone = {}; SET bytea_output = '{}'; SET lc_monetary = {monetary};",
            quote_literal(&self.time_zone),
            if self.bytea_escape { "escape" } else { "hex" },
        )
    }
}

/// Opens a read-only session.
///
/// # Errors
/// The server is gone, or it is not the drill's own.
pub async fn open(scratch: &Scratch) -> Result<Session, Error> {
    let session = scratch.connect().await?;
    pin(&session).await?;
    Ok(session)
}

/// Makes `session` read-only, and pins every setting that changes how rows are written.
///
/// # Errors
/// The server is gone.
pub async fn pin(session: &Session) -> Result<(), postgres::Error> {
    let guards = "SET default_transaction_read_only = on; SET search_path = ''; SET row_security = off; \
                  SET statement_timeout = 0; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                  SET extra_float_digits = 3; SET xmloption = content; SET TimeZone = 'UTC'; \
                  SET bytea_output = 'hex'; SET max_parallel_workers_per_gather = 0; \
                  SELECT pg_catalog.set_config(name, 'view, foreign-table', false) \
                  FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
    session.run(guards).await
}

/// Whether the server has the rules of that zone.
///
/// # Errors
/// The server is gone.
pub async fn knows_zone(session: &Session, zone: &str) -> Result<bool, Error> {
    knows(session, "TimeZone", zone).await
}

/// Whether the server can write amounts of money in that way.
///
/// # Errors
/// The server is gone.
pub async fn knows_monetary(session: &Session, name: &str) -> Result<bool, Error> {
    knows(session, "lc_monetary", name).await
}

async fn knows(session: &Session, setting: &str, value: &str) -> Result<bool, Error> {
    match session.run(&format!("SET {setting} = {}", quote_literal(value))).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == Kind::Statement => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the server writes amounts of money, in the way that the session has, as they were.
///
/// # Errors
/// The server is gone.
pub async fn writes_amounts(session: &Session, amounts: &[&str]) -> Result<bool, Error> {
    let texts: Vec<String> = amounts.iter().map(|amount| quote_literal(amount)).collect();
    let sql = format!(
        "SELECT pg_catalog.bool_and(amount::pg_catalog.money::pg_catalog.text = amount) \
         FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS amount",
        texts.join(", ")
    );
    match session.rows(&sql).await {
        Ok(rows) => Ok(matches!(rows.first().map(Vec::as_slice), Some([Some(all)]) if all == "t")),
        Err(error) if error.kind() == Kind::Statement => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes `session` write rows in `manner`.
///
/// # Errors
/// The server does not know the zone.
pub async fn adopt(session: &Session, manner: &Manner) -> Result<(), postgres::Error> {
    session.run(&manner.statements()).await
}

/// Pages from the first of the two numbers to before the second.
pub type Stretch = (u64, u64);

/// How a table is read.
pub struct Reading {
    /// The list of columns as SQL, without parentheses; empty for a table without columns.
    pub columns: String,
    /// The same columns by their names, without quotes.
    pub names: Vec<String>,
    /// What stands behind FROM.
    pub from: String,
    /// The condition of an extension's configuration table.
    pub condition: String,
    /// Pages, where it can be read in stretches.
    pub pages: Option<u64>,
    /// The encoding of the rows, quoted.
    pub encoding: String,
    /// Columns whose text is not the same everywhere.
    pub unsteady: UnsteadyFields,
}

impl Reading {
    /// The columns whose text is not the same everywhere.
    pub fn unsteady_columns(&self) -> Vec<String> {
        self.unsteady.iter().filter_map(|(place, _)| self.names.get(place).cloned()).collect()
    }

    /// The rows of a stretch of pages, or of the whole table.
    pub fn statement(&self, stretch: Option<Stretch>) -> String {
        self.copy(&self.condition(stretch))
    }

    /// The same, but only those rows that a condition holds for.
    pub fn statement_of(&self, sampled: &str, stretch: Option<Stretch>) -> String {
        let condition = self.condition(stretch);
        let joined = if condition.is_empty() { "WHERE" } else { "AND" };
        self.copy(&format!("{condition} {joined} {sampled}"))
    }

    /// How many rows there are in a stretch of pages, or in the whole table.
    pub fn count(&self, stretch: Option<Stretch>) -> String {
        format!("SELECT pg_catalog.count(*) FROM {} {}", self.from, self.condition(stretch))
    }

    fn copy(&self, condition: &str) -> String {
        let Reading { columns, from, encoding, .. } = self;
        format!("COPY (SELECT {columns} FROM {from} {condition}) TO STDOUT WITH (ENCODING {encoding})")
    }

    fn condition(&self, stretch: Option<Stretch>) -> String {
        stretch.map_or_else(
            || self.condition.clone(),
            |(first, end)| {
                format!("WHERE ctid >= '({first},0)'::pg_catalog.tid AND ctid < '({end},0)'::pg_catalog.tid")
            },
        )
    }
}

/// The hashes of the rows of a stretch, or of the whole table, read at `pace`; `tell` is told how
/// many more there are.
///
/// # Errors
/// The server refuses it, or is gone.
pub async fn hash_of(
    session: &Session,
    reading: &Reading,
    stretch: Option<Stretch>,
    pace: Option<&Pace>,
    tell: impl Fn(u64),
) -> Result<RowHashes, postgres::Error> {
    hash_by(session, reading, &reading.statement(stretch), pace, tell).await
}

/// The same of the rows that a `statement` of `reading` gives.
///
/// # Errors
/// The server refuses it, or is gone.
pub async fn hash_by(
    session: &Session,
    reading: &Reading,
    statement: &str,
    pace: Option<&Pace>,
    tell: impl Fn(u64),
) -> Result<RowHashes, postgres::Error> {
    let mut rows = session.copy_out(statement).await?;
    let mut hashes = RowHashes::default();
    let (mut told, mut paid) = (0, 0);
    while let Some(row) = rows.next().await? {
        hashes.add(row.strip_suffix(b"\n").unwrap_or(&row), &reading.unsteady);
        let (read, bytes) = (hashes.whole.rows(), hashes.whole.bytes());
        if let Some(pace) = pace.filter(|_| bytes - paid >= BYTES_PER_PAYMENT) {
            pace.pay(bytes - paid).await;
            paid = bytes;
        }
        if read - told >= ROWS_PER_TELLING {
            tell(read - told);
            told = read;
        }
    }
    // Many small tables cost as much as a large one.
    if let Some(pace) = pace {
        pace.pay(hashes.whole.bytes() - paid).await;
    }
    tell(hashes.whole.rows() - told);
    Ok(hashes)
}
