//! The account of a service over its drills.

use crate::history::drill::{Content, Drill};
use crate::history::outlook::{Outlook, outlook};
use crate::history::past::{Past, Signed};
use crate::history::score::{Score, score};
use crate::history::spread::{Spread, Worse, spread};
use crate::history::trend::{NoTrend, POINTS_MIN, Point, Trend, Unfit, fit};
use crate::record::{Millis, Moment};
use crate::verdict::Verdict;

/// How many drills an account is made over at most, the latest ones.
pub const WINDOW_MAX: usize = 1000;

/// How many drills ahead the forecasts are scored that looked furthest.
const AHEAD: usize = 7;

/// How many times the largest backup so far a line over sizes is believed.
const BEYOND: f64 = 10.0;

/// What the drills of a service amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The service.
    pub service: String,
    /// When the first and the last of the drills began; absent without any.
    pub period: Option<(Moment, Moment)>,
    /// Drills that left evidence.
    pub drills: usize,
    /// Those that passed.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that were inconclusive.
    pub inconclusive: usize,
    /// Drills that were killed, and are named by later ones only.
    pub killed: u64,
    /// Places in the log that have no file.
    pub missing: u64,
    /// Files that can't be read as evidence.
    pub unreadable: u64,
    /// What is known of their signatures.
    pub signed: Signed,
    /// Drills whose verdict the judge does not share today; the worse of the two is counted.
    pub disputed: usize,
    /// Drills before these, which are not counted.
    pub earlier: usize,
    /// Under what the figures were measured, in words.
    pub profile: Option<String>,
    /// Drills that passed under other conditions, and are left out of the figures.
    pub other_profile: usize,
    /// The recovery time in milliseconds. Its limit is what the objective leaves beside what
    /// the plan declares.
    pub recovery: Figure,
    /// The data age in milliseconds, and the recovery point objective.
    pub data_age: Figure,
    /// The size of the backups in bytes; a drill that chose none is not counted.
    pub size: Figure,
    /// The stored bytes that were restored in a second.
    pub throughput: Figure,
    /// The recovery time over the size.
    pub by_size: Ratio,
}

/// One figure over the drills.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// That of the last drill, if it gave one.
    pub newest: Option<i64>,
    /// How it spreads; drills that did not pass count as worse than any figure.
    pub spread: Option<Spread>,
    /// How it changes over time, in its unit per millisecond.
    pub trend: Result<Trend, Unfit>,
    /// What it must not exceed, as the last drill was held to.
    pub limit: Option<i64>,
    /// When it would exceed that; absent where there is no limit.
    pub outlook: Option<Outlook>,
    /// How earlier forecasts did.
    pub score: Option<Score>,
}

/// The recovery time over the size of the backup.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// In milliseconds per byte.
    pub trend: Result<Trend, NoTrend>,
    /// The size at which the limit would be reached: by the line, at the least, and at the
    /// most where that can be told.
    pub limit_bytes: Option<(i64, i64, Option<i64>)>,
}

impl Account {
    /// The account of a service over its latest `window` drills, at most [`WINDOW_MAX`].
    pub fn of(past: &Past, window: usize) -> Account {
        let earlier = past.drills.len().saturating_sub(window.clamp(1, WINDOW_MAX));
        let drills = past.drills.get(earlier..).unwrap_or_default();
        let verdicts = |verdict| drills.iter().filter(|drill| drill.verdict == verdict).count();
        let lost = Lost::in_window(past, drills);
        let profile = profile(drills);
        let alike = |drill: &Drill| drill.profile == profile;
        let figures = Figures { drills, lost, profile: profile.as_deref() };
        let recovery = figures.recovery();
        Account {
            service: past.service.clone(),
            signed: past.signed,
            period: drills
                .first()
                .zip(drills.last())
                .map(|(first, last)| (first.started_at, last.started_at)),
            drills: drills.len(),
            passed: verdicts(Verdict::Pass),
            failed: verdicts(Verdict::Fail),
            inconclusive: verdicts(Verdict::Inconclusive),
            killed: lost.killed,
            missing: lost.missing,
            unreadable: lost.unreadable,
            disputed: drills.iter().filter(|drill| drill.disputed).count(),
            earlier,
            other_profile: drills.iter().filter(|d| d.verdict == Verdict::Pass && !alike(d)).count(),
            by_size: figures.by_size(recovery.limit),
            recovery,
            data_age: figures.data_age(),
            size: figures.size(),
            throughput: figures.throughput(),
            profile,
        }
    }
}

/// Drills that were begun and of which there is no evidence.
#[derive(Clone, Copy)]
struct Lost {
    killed: u64,
    missing: u64,
    unreadable: u64,
}

impl Lost {
    fn in_window(past: &Past, drills: &[Drill]) -> Lost {
        let broken = past.unreadable.iter().map(|file| file.sequence);
        let first = drills.first().map(|drill| drill.sequence).filter(|_| drills.len() < past.drills.len());
        let mut places: Vec<u64> =
            broken.clone().filter(|place| first.is_none_or(|first| *place > first)).collect();
        let unreadable = places.len() as u64;
        places.extend(drills.iter().map(|drill| drill.sequence));
        places.sort_unstable();
        places.dedup();
        let span = places
            .first()
            .zip(places.last())
            .map_or(0, |(first, last)| last.abs_diff(*first).saturating_add(1));
        Lost {
            killed: drills.iter().fold(0, |sum, drill| sum.saturating_add(drill.killed_before)),
            missing: span.saturating_sub(places.len() as u64),
            unreadable,
        }
    }

    fn all(self) -> u64 {
        self.killed.saturating_add(self.missing).saturating_add(self.unreadable)
    }
}

/// The conditions that most figures were measured under; the latest of several.
fn profile(drills: &[Drill]) -> Option<String> {
    let known: Vec<&String> = drills.iter().filter_map(|drill| drill.profile.as_ref()).collect();
    let count = |profile: &String| known.iter().filter(|other| **other == profile).count();
    known.iter().max_by_key(|profile| count(profile)).map(|profile| (*profile).clone())
}

/// The drills that figures are drawn from.
struct Figures<'a> {
    drills: &'a [Drill],
    lost: Lost,
    profile: Option<&'a str>,
}

impl Figures<'_> {
    fn recovery(&self) -> Figure {
        let measured = |drill: &Drill| drill.recovery.map(signed);
        let declared = self.drills.iter().rev().find(|drill| drill.recovery.is_some());
        let declared = declared.map_or(Millis::default(), |drill| drill.declared);
        let rto = self.drills.last().and_then(|drill| drill.rto);
        let limit = rto.map(|rto| signed(rto).saturating_sub(signed(declared)));
        self.figure(measured, Worse::Larger, limit)
    }

    fn data_age(&self) -> Figure {
        let limit = self.drills.last().and_then(|drill| drill.rpo).map(signed);
        self.figure(|drill| drill.data_age.map(|age| age.get()), Worse::Larger, limit)
    }

    fn throughput(&self) -> Figure {
        self.figure(|drill| drill.throughput().and_then(whole), Worse::Smaller, None)
    }

    /// The size is a fact of the backup, however the drill ended.
    fn size(&self) -> Figure {
        let size = |drill: &Drill| drill.artifact.as_ref().and_then(|one| whole(one.bytes));
        let sizes: Vec<i64> = self.drills.iter().filter_map(size).collect();
        let points = self.drills.iter().filter_map(|drill| Some(Point { x: moment(drill), y: size(drill)? }));
        Figure {
            newest: self.drills.last().and_then(size),
            spread: spread(&sizes, 0, Worse::Larger),
            trend: fit(&points.collect::<Vec<_>>()),
            limit: None,
            outlook: None,
            score: None,
        }
    }

    fn by_size(&self, limit: Option<i64>) -> Ratio {
        let point = |drill: &&Drill| {
            Some(Point { x: whole(drill.artifact.as_ref()?.bytes)?, y: signed(drill.recovery?) })
        };
        let points: Vec<Point> = self.came_back().filter_map(|drill| point(&drill)).collect();
        let trend = fit(&points).map_err(NoTrend::Unfit).and_then(Trend::clear);
        let limit_bytes = trend.ok().zip(limit).and_then(|(trend, limit)| size_at(&trend, limit));
        Ratio { trend, limit_bytes }
    }

    /// Drills that brought the backup back, under the conditions of most.
    fn came_back(&self) -> impl Iterator<Item = &Drill> {
        self.drills.iter().filter(|drill| drill.content == Content::Whole && self.is_alike(drill))
    }

    fn is_alike(&self, drill: &Drill) -> bool {
        drill.profile.as_deref() == self.profile
    }

    fn figure(&self, of: impl Fn(&Drill) -> Option<i64>, worse: Worse, limit: Option<i64>) -> Figure {
        let passed: Vec<&Drill> = self
            .drills
            .iter()
            .filter(|drill| drill.verdict == Verdict::Pass && self.is_alike(drill))
            .collect();
        let figures: Vec<i64> = passed.iter().filter_map(|drill| of(drill)).collect();
        let unmeasured = passed.len().saturating_sub(figures.len());
        let not_passed = self.drills.iter().filter(|drill| drill.verdict != Verdict::Pass).count();
        let censored = self.lost.all().saturating_add(unmeasured.saturating_add(not_passed) as u64);
        let mut points: Vec<Point> =
            self.came_back().filter_map(|drill| Some(Point { x: moment(drill), y: of(drill)? })).collect();
        points.sort_unstable();
        let trend = fit(&points);
        let ahead = AHEAD.min(points.len().saturating_sub(POINTS_MIN));
        Figure {
            newest: self.drills.last().and_then(&of),
            spread: spread(&figures, censored, worse),
            trend,
            limit,
            outlook: limit.map(|limit| outlook(trend.map_err(NoTrend::Unfit), limit)),
            score: score(&points, ahead).filter(|_| limit.is_some()),
        }
    }
}

/// The sizes at which the line reaches `limit`, none beyond what it can be believed for.
fn size_at(trend: &Trend, limit: i64) -> Option<(i64, i64, Option<i64>)> {
    let reach = |slope: f64| {
        let bytes = trend.reaches(limit, slope).filter(|_| slope > 0.0)?;
        (bytes >= 0.0 && bytes <= trend.ends.1 as f64 * BEYOND).then_some(bytes as i64)
    };
    let (by_line, one, other) = (reach(trend.slope)?, reach(trend.high), reach(trend.low));
    let ends = [one, other].into_iter().flatten().chain([by_line]);
    let most = one.and(other).map(|_| ends.clone().max().unwrap_or(by_line));
    Some((by_line, ends.min()?, most))
}

fn moment(drill: &Drill) -> i64 {
    drill.started_at.at().as_millisecond()
}

fn signed(millis: Millis) -> i64 {
    whole(millis.get()).unwrap_or(i64::MAX)
}

fn whole(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}
