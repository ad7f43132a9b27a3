//! What `firedrill history --json` makes of stdout.

use schemars::JsonSchema;
use serde::Serialize;

use crate::history::{Account, Figure, NoTrend, Outlook, Place, Ratio, Score, Signed, Trend};
use crate::record::Moment;
use crate::report::history::{DAY_MS, GIB, no_trend, scaled};

/// The history of each service. Times are whole milliseconds and sizes whole bytes; what is
/// not known is absent, never 0.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, title = "firedrill history --json")]
pub struct Document {
    /// The number that the command ends with.
    pub exit_code: u8,
    /// Why the cache of the history could not be used; then all was read from the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_unavailable: Option<String>,
    /// Each service that was asked for.
    pub services: Vec<ServiceDocument>,
}

/// The history of one service.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ServiceDocument {
    /// Its name.
    service: String,
    /// When the first of the drills below began.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Moment>,
    /// When the last of them began.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    /// How many there are, by how they ended.
    drills: Drills,
    /// Whether the right ones signed them.
    signatures: SignaturesDocument,
    /// The conditions that the figures were measured under, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The recovery time.
    recovery_time_ms: FigureDocument,
    /// The age of the data that came back.
    data_age_ms: FigureDocument,
    /// The size of the backup; however a drill ended, it counts if it chose one.
    size_bytes: FigureDocument,
    /// Stored bytes that were restored in a second; here less is worse.
    throughput_bytes_per_second: FigureDocument,
    /// The recovery time over the size of the backup.
    recovery_time_by_size: RatioDocument,
}

/// How drills ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Drills {
    /// Drills that left evidence, the three below together.
    total: u64,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    /// Those whose verdict the judge does not share today; the worse of the two is counted.
    disputed: u64,
    /// Drills that were killed, and left no evidence of their own.
    killed: u64,
    /// Places in the log that have no file.
    missing: u64,
    /// Files that can't be read as evidence.
    unreadable: u64,
    /// Drills that passed under other conditions, and are left out of the figures.
    other_profile: u64,
    /// Drills before these, which are not counted at all.
    earlier: u64,
}

/// What is known of the signatures of drills.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SignaturesDocument {
    /// Whether they were checked against known keys; then what does not stand up is among the
    /// files that can't be read.
    checked: bool,
    /// Drills from before signing began, which nobody signed; absent where nothing was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned: Option<u64>,
}

impl From<Signed> for SignaturesDocument {
    fn from(signed: Signed) -> SignaturesDocument {
        let unsigned = match signed {
            Signed::Unchecked => None,
            Signed::Checked { unsigned } => Some(unsigned),
        };
        SignaturesDocument { checked: unsigned.is_some(), unsigned }
    }
}

/// One figure over the drills, in the unit that its name ends with.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct FigureDocument {
    /// That of the last drill, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<i64>,
    /// Drills that are counted.
    drills: u64,
    /// Those of them that gave no figure: they count as worse than any.
    censored: u64,
    /// The figure that half of the drills were no worse than, by nearest rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<i64>,
    /// The figure that 19 of 20 were no worse than; only from 20 drills on.
    #[serde(skip_serializing_if = "Option::is_none")]
    p95: Option<i64>,
    /// The worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<i64>,
    /// Which of these fall on a drill that gave no figure, so that there is no bound.
    unbounded: Vec<Rank>,
    /// What the objective leaves for it, as the last drill was held to.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    /// How it changes over time.
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<TrendDocument>,
    /// Why nothing is told of how it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_trend: Option<String>,
    /// When the limit would be exceeded; absent without a limit or a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    outlook: Option<OutlookDocument>,
    /// How earlier forecasts did.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<ScoreDocument>,
}

/// A place in a spread.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Rank {
    P50,
    P95,
    Worst,
}

/// A line over time, by Theil and Sen.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TrendDocument {
    /// Through how many figures.
    points: u64,
    /// By how much it rises a day.
    per_day: i64,
    /// The range in which that lies with 95 %.
    per_day_low: i64,
    per_day_high: i64,
    /// How far figures lie beside the line: about two of three are within.
    scatter: i64,
}

/// When a limit would be exceeded.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
enum OutlookDocument {
    /// Never: it falls.
    Falling,
    /// It is exceeded already.
    Exceeded,
    /// Not as far ahead as the drills can tell.
    NotBefore {
        horizon: Moment,
        #[serde(skip_serializing_if = "Option::is_none")]
        earliest: Option<Moment>,
    },
    /// At this moment.
    Breach {
        at: Moment,
        earliest: Moment,
        /// Absent where it is further ahead than the drills can tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        latest: Option<Moment>,
    },
}

/// How earlier forecasts did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ScoreDocument {
    /// How many drills ahead they looked.
    ahead: u64,
    /// How many could be compared.
    forecasts: u64,
    /// Of how many the figure lay in the expected range.
    inside: u64,
    /// How far they were off, in the middle.
    median_error: u64,
    /// When the latest of them was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_at: Option<Moment>,
    /// What it expected, with its range.
    expected: i64,
    expected_low: i64,
    expected_high: i64,
    /// What came.
    actual: i64,
}

/// The recovery time over the size of the backup.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RatioDocument {
    /// More milliseconds for each GiB more.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_gib_ms: Option<i64>,
    /// The range in which that lies with 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_gib_low_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_gib_high_ms: Option<i64>,
    /// The size at which the recovery time would exceed its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_bytes: Option<i64>,
    /// That size at the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_low_bytes: Option<i64>,
    /// That size at the most; absent where it is further than the drills can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_high_bytes: Option<i64>,
    /// Why nothing is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_trend: Option<String>,
}

/// The document of the accounts of services.
pub fn document(accounts: &[Account], history_unavailable: Option<&str>, exit_code: u8) -> Document {
    Document {
        exit_code,
        history_unavailable: history_unavailable.map(str::to_owned),
        services: accounts.iter().map(service).collect(),
    }
}

fn service(account: &Account) -> ServiceDocument {
    ServiceDocument {
        service: account.service.clone(),
        since: account.period.map(|(since, _)| since),
        until: account.period.map(|(_, until)| until),
        drills: Drills {
            total: account.drills as u64,
            passed: account.passed as u64,
            failed: account.failed as u64,
            inconclusive: account.inconclusive as u64,
            disputed: account.disputed as u64,
            killed: account.killed,
            missing: account.missing,
            unreadable: account.unreadable,
            other_profile: account.other_profile as u64,
            earlier: account.earlier as u64,
        },
        signatures: account.signed.into(),
        profile: account.profile.clone(),
        recovery_time_ms: figure(&account.recovery),
        data_age_ms: figure(&account.data_age),
        size_bytes: figure(&account.size),
        throughput_bytes_per_second: figure(&account.throughput),
        recovery_time_by_size: ratio(&account.by_size),
    }
}

fn figure(figure: &Figure) -> FigureDocument {
    let spread = figure.spread;
    let places = [
        (Rank::P50, spread.map(|spread| spread.p50)),
        (Rank::P95, spread.and_then(|spread| spread.p95)),
        (Rank::Worst, spread.map(|spread| spread.worst)),
    ];
    let unbounded = places.iter().filter(|(_, place)| *place == Some(Place::Unbounded));
    let on = |place: Option<Place>| match place {
        Some(Place::On(figure)) => Some(figure),
        Some(Place::Unbounded) | None => None,
    };
    let trend = figure.trend.map_err(NoTrend::Unfit).and_then(Trend::clear);
    FigureDocument {
        last: figure.newest,
        drills: spread.map_or(0, |spread| spread.drills),
        censored: spread.map_or(0, |spread| spread.censored),
        p50: on(places[0].1),
        p95: on(places[1].1),
        worst: on(places[2].1),
        unbounded: unbounded.map(|(rank, _)| *rank).collect(),
        limit: figure.limit,
        trend: trend.ok().map(over_time),
        no_trend: trend.err().map(no_trend),
        outlook: figure.outlook.and_then(outlook),
        score: figure.score.map(score),
    }
}

fn over_time(trend: Trend) -> TrendDocument {
    TrendDocument {
        points: trend.points as u64,
        per_day: scaled(trend.slope, DAY_MS),
        per_day_low: scaled(trend.low, DAY_MS),
        per_day_high: scaled(trend.high, DAY_MS),
        scatter: scaled(trend.scatter, 1.0),
    }
}

fn outlook(outlook: Outlook) -> Option<OutlookDocument> {
    Some(match outlook {
        Outlook::Declined(_) => return None,
        Outlook::Falling => OutlookDocument::Falling,
        Outlook::Broken => OutlookDocument::Exceeded,
        Outlook::Later { horizon, earliest } => {
            OutlookDocument::NotBefore { horizon: horizon.into(), earliest: earliest.map(Moment::from) }
        }
        Outlook::Breach { at, earliest, latest } => OutlookDocument::Breach {
            at: at.into(),
            earliest: earliest.into(),
            latest: latest.map(Moment::from),
        },
    })
}

fn score(score: Score) -> ScoreDocument {
    let latest = score.latest;
    ScoreDocument {
        ahead: score.ahead as u64,
        forecasts: score.forecasts as u64,
        inside: score.inside as u64,
        median_error: score.median_error,
        made_at: jiff::Timestamp::from_millisecond(latest.made_at).ok().map(Moment::from),
        expected: latest.expected,
        expected_low: latest.low,
        expected_high: latest.high,
        actual: latest.actual,
    }
}

fn ratio(ratio: &Ratio) -> RatioDocument {
    let trend = ratio.trend.ok();
    let bytes = ratio.limit_bytes;
    RatioDocument {
        per_gib_ms: trend.map(|trend| scaled(trend.slope, GIB)),
        per_gib_low_ms: trend.map(|trend| scaled(trend.low, GIB)),
        per_gib_high_ms: trend.map(|trend| scaled(trend.high, GIB)),
        limit_bytes: bytes.map(|(bytes, _, _)| bytes),
        limit_low_bytes: bytes.map(|(_, low, _)| low),
        limit_high_bytes: bytes.and_then(|(_, _, high)| high),
        no_trend: ratio.trend.err().map(no_trend),
    }
}
