//! The drills of services as one page: a single file without scripts, which loads nothing,
//! prints, and may be opened from a disk years later.
//!
//! Everything from outside passes [`words`] before it reaches a template, and the templates
//! escape every value. Bars and charts are SVG of our own, drawn from numbers alone.

mod bar;
mod bench;
mod card;
mod chart;
mod controls;
mod drift;
mod frame;
mod page;
mod proof;
mod provenance;
mod stock;
mod timeline;
mod trend;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use askama::Template;
use jiff::Timestamp;

use crate::report::html::page::Page;
use crate::report::stock::Stock;
use crate::report::stored::Series;

/// What is shown, and how it was come by.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The services, in their order.
    pub series: &'a [Series],
    /// When the page is made: every age on it is told as of then.
    pub now: Timestamp,
    /// How old the newest record of a service may be; see [`crate::report::standing`].
    pub age_max: Option<Duration>,
    /// The backups of services whose stores were listed, by the services' names; of others, what
    /// drills have seen is shown.
    pub stocks: &'a BTreeMap<String, Stock>,
    /// What is to be known of the whole, such as the period; may be empty.
    pub notes: &'a [String],
}

/// The page of a benchmark, as HTML.
///
/// # Errors
/// As [`page`].
pub fn bench_page(bench: &crate::bench::Bench) -> Result<String, fmt::Error> {
    bench::BenchPage::of(bench).render().map_err(|_| fmt::Error)
}

/// The page, as HTML.
///
/// # Errors
/// A template could not be written, which only a lack of memory explains.
pub fn page(shown: Shown<'_>) -> Result<String, fmt::Error> {
    Page::of(shown).render().map_err(|_| fmt::Error)
}
