//! The values of a record, each with one spelling: what reads back is what was written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::clock::{Phase, rfc3339_millis};
use crate::digest::Digest;
use crate::verdict::{Code, Verdict};

/// The largest integer that every JSON reader keeps exact, 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How long an observed value may be, in characters.
const OBSERVED_CHARS_MAX: usize = 256;

/// A text that is not the one spelling of a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct Invalid {
    expected: &'static str,
}

/// Reads and writes a value as the one text that it has.
macro_rules! as_text {
    ($name:ident, $expected:literal, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$name, Invalid> {
                $name::spelled(text)
                    .filter(|value| value.to_string() == text)
                    .ok_or(Invalid { expected: $expected })
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// A moment, in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Timestamp);

impl Moment {
    /// The moment as a timestamp.
    pub fn at(self) -> Timestamp {
        self.0
    }

    /// How much later this is than `earlier`; negative if it is not.
    pub fn since(self, earlier: Moment) -> SignedMillis {
        SignedMillis(self.0.as_millisecond().saturating_sub(earlier.0.as_millisecond()))
    }

    fn spelled(text: &str) -> Option<Moment> {
        text.parse().ok().map(Moment)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Moment {
        Moment(Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339_millis(self.0))
    }
}

as_text!(Moment, "a moment in UTC with milliseconds, as 2026-11-20T02:30:00.112Z", {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"
});

/// A SHA-256 digest: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sha256(pub Digest);

impl Sha256 {
    fn spelled(text: &str) -> Option<Sha256> {
        Digest::parse(text).map(Sha256)
    }
}

impl From<Digest> for Sha256 {
    fn from(digest: Digest) -> Sha256 {
        Sha256(digest)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(Sha256, "64 lower-case hexadecimal digits", {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$"
});

/// The name of a run: a version 7 UUID, so that names sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Uuid);

impl RunId {
    /// A name that no other run has.
    pub fn fresh() -> RunId {
        RunId(Uuid::now_v7())
    }

    fn spelled(text: &str) -> Option<RunId> {
        Uuid::try_parse(text).ok().map(RunId)
    }
}

impl From<Uuid> for RunId {
    fn from(id: Uuid) -> RunId {
        RunId(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(RunId, "a lower-case UUID", {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
});

/// The version of a document's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaVersion {
    /// Another one can't be read.
    pub major: u32,
    /// A later one has fields more.
    pub minor: u32,
    /// Words of the documentation.
    pub patch: u32,
}

impl SchemaVersion {
    fn spelled(text: &str) -> Option<SchemaVersion> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = SchemaVersion { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

as_text!(SchemaVersion, "a version of three numbers", {
    "type": "string",
    "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"
});

/// A verdict, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictWord(pub Verdict);

impl VerdictWord {
    fn spelled(text: &str) -> Option<VerdictWord> {
        [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .map(VerdictWord)
    }
}

impl fmt::Display for VerdictWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(VerdictWord, "pass, fail or inconclusive", {
    "enum": ["pass", "fail", "inconclusive"]
});

/// A published reason code, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCode(pub Code);

impl ReasonCode {
    fn spelled(text: &str) -> Option<ReasonCode> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text).map(ReasonCode)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(ReasonCode, "a published reason code", {
    "enum": Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>()
});

/// A phase of the drill, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseName(pub Phase);

impl PhaseName {
    const ALL: [Phase; 6] =
        [Phase::Select, Phase::Provision, Phase::Restore, Phase::Ready, Phase::Proof, Phase::Cleanup];

    fn spelled(text: &str) -> Option<PhaseName> {
        PhaseName::ALL.into_iter().find(|phase| phase.as_str() == text).map(PhaseName)
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

as_text!(PhaseName, "a phase of the drill", {
    "enum": PhaseName::ALL.iter().map(|phase| phase.as_str()).collect::<Vec<_>>()
});

/// What a check was answered: one scalar as text, at most 256 characters, or the word that
/// stands for a redacted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed(String);

impl Observed {
    /// The scalar `text`, cut where it is too long.
    pub fn scalar(text: &str) -> Observed {
        match text.char_indices().nth(OBSERVED_CHARS_MAX) {
            None => Observed(text.to_owned()),
            Some(_) => Observed(text.chars().take(OBSERVED_CHARS_MAX - 1).chain(['…']).collect()),
        }
    }

    /// An answer that must not be shown.
    pub fn redacted() -> Observed {
        Observed("[redacted]".to_owned())
    }

    /// The answer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn spelled(text: &str) -> Option<Observed> {
        Some(Observed::scalar(text))
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(Observed, "at most 256 characters", {
    "type": "string",
    "maxLength": OBSERVED_CHARS_MAX
});

/// A length of time in whole milliseconds, at most 2^53 - 1 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Millis(u64);

impl Millis {
    /// So many milliseconds.
    pub fn new(millis: u64) -> Millis {
        Millis(millis.min(INTEGER_MAX))
    }

    /// How many milliseconds.
    pub fn get(self) -> u64 {
        self.0
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Duration> for Millis {
    fn from(length: Duration) -> Millis {
        Millis::new(u64::try_from(length.as_millis()).unwrap_or(INTEGER_MAX))
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        let millis = u64::deserialize(deserializer)?;
        if millis > INTEGER_MAX {
            return Err(de::Error::custom(Invalid { expected: "an integer below 2^53" }));
        }
        Ok(Millis(millis))
    }
}

impl JsonSchema for Millis {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Millis".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": INTEGER_MAX })
    }
}

/// A length of time that may be negative, such as an age or the offset of a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SignedMillis(i64);

impl SignedMillis {
    /// So many milliseconds, of which at most 2^53 - 1 are kept on either side.
    pub fn new(millis: i64) -> SignedMillis {
        let most = INTEGER_MAX as i64;
        SignedMillis(millis.clamp(-most, most))
    }

    /// How many milliseconds.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl From<SignedDuration> for SignedMillis {
    fn from(length: SignedDuration) -> SignedMillis {
        SignedMillis::new(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
    }
}

impl<'de> Deserialize<'de> for SignedMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SignedMillis, D::Error> {
        let millis = i64::deserialize(deserializer)?;
        if millis.unsigned_abs() > INTEGER_MAX {
            return Err(de::Error::custom(Invalid { expected: "an integer between -2^53 and 2^53" }));
        }
        Ok(SignedMillis(millis))
    }
}

impl JsonSchema for SignedMillis {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignedMillis".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let most = INTEGER_MAX as i64;
        json_schema!({ "type": "integer", "minimum": -most, "maximum": most })
    }
}
