//! How long a store is borne with: the one place where anything is tried again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::store::driver::{Driver, Fault, FaultKind};
use crate::store::error::{Error, ErrorKind};
use crate::store::traffic::Counters;

/// The limits of one store's retries and waits. The default suits real stores; servers that
/// play dead in a test suit shorter ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts at one question, the first among them.
    pub attempts: u32,
    /// The longest pause before the second attempt; it doubles with each, and the pause taken
    /// is anything from nothing to that (full jitter).
    pub backoff_base: Duration,
    /// What that pause never exceeds.
    pub backoff_cap: Duration,
    /// For a connection to come about.
    pub connect: Duration,
    /// Without a byte, before a connection is dropped and its part asked for again.
    pub stall: Duration,
    /// How much fruitless waiting one question is worth in all.
    pub give_up: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            attempts: 8,
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(20),
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            give_up: Duration::from_secs(120),
        }
    }
}

impl Patience {
    /// The pause before attempt `attempt` (the second is 2), `luck` being in 0..=u64::MAX.
    fn pause(&self, attempt: u32, luck: u64) -> Duration {
        let doublings = attempt.saturating_sub(2).min(30);
        let longest = self.backoff_base.saturating_mul(1 << doublings).min(self.backoff_cap);
        // Only ever spread over time, so 53 bits of the luck are plenty.
        longest.mul_f64((luck >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// What is asked, as far as the wording and the blame of an error depend on it.
#[derive(Clone, Debug)]
pub(super) enum Question {
    List(String),
    Read(String),
}

/// A store's patience and what is left of it, shared by everything that asks the store.
pub(super) struct Retry {
    pub patience: Patience,
    pub counters: Arc<Counters>,
    budget: Mutex<u32>,
    renewed_at: tokio::sync::Mutex<Option<Instant>>,
    gate: Gate,
}

const BUDGET_FULL: u32 = 500;
const COST_FAULT: u32 = 14;
const COST_THROTTLED: u32 = 5;
const RENEWAL_EVERY: Duration = Duration::from_secs(60);

impl Retry {
    pub(super) fn new(patience: Patience) -> Retry {
        Retry {
            patience,
            counters: Arc::new(Counters::default()),
            budget: Mutex::new(BUDGET_FULL),
            renewed_at: tokio::sync::Mutex::new(None),
            gate: Gate::default(),
        }
    }

    /// Puts the question until there is an answer, a final no, or no patience left.
    pub(super) async fn ask<T, F>(
        &self,
        driver: &dyn Driver,
        question: Question,
        attempt: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut waited = Duration::ZERO;
        let mut paid = 0;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let place = self.gate.enter().await;
            let began = Instant::now();
            self.counters.request();
            let answer = attempt().await;
            drop(place);
            let fault = match answer {
                Ok(value) => {
                    self.refund(paid.max(1));
                    return Ok(value);
                }
                Err(fault) => fault,
            };
            if fault.kind == FaultKind::Expired {
                match self.renew(driver, began).await {
                    Ok(true) => {
                        self.counters.retry();
                        continue;
                    }
                    Ok(false) => return Err(question.error(fault, attempts)),
                    Err(worse) => return Err(question.error(worse, attempts)),
                }
            }
            if fault.kind == FaultKind::Throttled {
                self.counters.throttled();
                self.gate.slow_down();
            }
            let pause = self.pause_before(attempts + 1, &fault);
            // A part may take long and still be cut: that was not fruitless for longer than a stall.
            waited += began.elapsed().min(self.patience.stall) + pause;
            if !fault.is_worth_another_try()
                || attempts >= self.patience.attempts
                || waited > self.patience.give_up
            {
                return Err(question.error(fault, attempts));
            }
            let cost = if fault.kind == FaultKind::Throttled { COST_THROTTLED } else { COST_FAULT };
            if !self.pay(cost) {
                let text = format!("{}, and so did too many requests before it", fault.text);
                return Err(question.error(Fault { text, ..fault }, attempts));
            }
            paid += cost;
            self.counters.retry();
            tokio::time::sleep(pause).await;
        }
    }

    fn pause_before(&self, attempt: u32, fault: &Fault) -> Duration {
        let luck = RandomState::new().hash_one(attempt);
        let asked = fault.retry_after.unwrap_or_default().min(self.patience.backoff_cap);
        self.patience.pause(attempt, luck).max(asked)
    }

    /// Whether an attempt that began at `began` may hope for other credentials now. Readers that
    /// are turned away together wait for one renewal.
    async fn renew(&self, driver: &dyn Driver, began: Instant) -> Result<bool, Fault> {
        let mut renewed_at = self.renewed_at.lock().await;
        match *renewed_at {
            Some(at) if at >= began => return Ok(true),
            Some(at) if at.elapsed() < RENEWAL_EVERY => return Ok(false),
            _ => {}
        }
        driver.renew().await?;
        *renewed_at = Some(Instant::now());
        Ok(true)
    }

    fn pay(&self, cost: u32) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let left = budget.checked_sub(cost);
        *budget = left.unwrap_or(*budget);
        left.is_some()
    }

    fn refund(&self, cost: u32) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        *budget = budget.saturating_add(cost).min(BUDGET_FULL);
    }
}

impl Question {
    pub(super) fn error(&self, fault: Fault, attempts: u32) -> Error {
        let (tried, is_listing) = match self {
            Question::List(what) => (what, true),
            Question::Read(what) => (what, false),
        };
        let kind = match (fault.kind, is_listing) {
            (FaultKind::Unavailable | FaultKind::Throttled | FaultKind::Refused, true) => {
                ErrorKind::ListUnavailable
            }
            (FaultKind::Unavailable | FaultKind::Throttled | FaultKind::Refused, false) => {
                ErrorKind::StoreUnavailable
            }
            (FaultKind::Wrong | FaultKind::Garbled, true) => ErrorKind::ListIncomplete,
            (FaultKind::Wrong | FaultKind::Garbled, false) => ErrorKind::TransportUnreliable,
            (FaultKind::Changed, true) => ErrorKind::NotFound,
            (FaultKind::Changed, false) => ErrorKind::SourceUnstable,
            (FaultKind::Expired | FaultKind::NoCredentials, _) => ErrorKind::Credentials,
            (FaultKind::Denied, _) => ErrorKind::AccessDenied,
            (FaultKind::Skewed, _) => ErrorKind::ClockUntrusted,
            (FaultKind::Archived, _) => ErrorKind::NotRetrievable,
            (FaultKind::Missing, _) => ErrorKind::NotFound,
            (FaultKind::Configuration, _) => ErrorKind::Configuration,
        };
        Error::new(kind, tried, fault.text).after(attempts).with_remedy(fault.remedy)
    }
}

/// How many requests may be under way: as many as come, until the store asks to slow down.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    freed: Notify,
}

#[derive(Default)]
struct GateState {
    running: usize,
    limit: Option<usize>,
    changed_at: Option<Instant>,
}

const EASE_EVERY: Duration = Duration::from_secs(30);
/// Requests that were under way together are throttled together: that counts once.
const TIGHTEN_EVERY: Duration = Duration::from_millis(500);

impl Gate {
    async fn enter(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            if self.state.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now()) {
                return Place { gate: self };
            }
            freed.await;
        }
    }

    fn slow_down(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tighten(Instant::now());
    }
}

impl GateState {
    fn admit(&mut self, now: Instant) -> bool {
        let is_due = self.changed_at.is_some_and(|at| now.saturating_duration_since(at) >= EASE_EVERY);
        if let Some(limit) = self.limit.as_mut().filter(|_| is_due) {
            *limit += 1;
            self.changed_at = Some(now);
        }
        let has_room = self.limit.is_none_or(|limit| self.running < limit);
        self.running += usize::from(has_room);
        has_room
    }

    fn tighten(&mut self, now: Instant) {
        if self.changed_at.is_some_and(|at| now.saturating_duration_since(at) < TIGHTEN_EVERY) {
            return;
        }
        // The throttled request itself has just left.
        let limit = self.limit.unwrap_or(self.running + 1);
        self.limit = Some((limit / 2).max(1));
        self.changed_at = Some(now);
    }
}

/// A request under way; leaves the gate when dropped.
struct Place<'a> {
    gate: &'a Gate,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.state.lock().unwrap_or_else(PoisonError::into_inner).running -= 1;
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use bytes::Bytes;
    use tokio::sync::Barrier;

    use super::*;
    use crate::store::details::Details;
    use crate::store::driver::Page;
    use crate::store::object::Object;

    #[test]
    fn pauses_double_up_to_the_cap_and_are_jittered_in_full() {
        let patience = Patience::default();
        let longest: Vec<_> = (2..=12).map(|attempt| patience.pause(attempt, u64::MAX).as_millis()).collect();
        assert_eq!(longest[..4], [200, 400, 800, 1600]);
        assert_eq!(longest.last(), Some(&20_000));
        assert_eq!(patience.pause(5, 0), Duration::ZERO);
    }

    #[test]
    fn a_dead_store_spends_the_budget_within_forty_requests() {
        let retry = Retry::new(Patience::default());
        let retries = (0..100).take_while(|_| retry.pay(COST_FAULT)).count();
        let first_attempts = 4;
        assert!(retries + first_attempts <= 40, "{retries}");
        retry.refund(COST_FAULT);
        assert!(retry.pay(COST_FAULT), "a success pays back");
    }

    #[test]
    fn throttling_halves_what_may_run_and_calm_widens_it_again() {
        let mut gate = GateState::default();
        let start = Instant::now();
        assert!((0..8).all(|_| gate.admit(start)));
        gate.running = 7;
        gate.tighten(start);
        assert_eq!(gate.limit, Some(4));
        gate.tighten(start + Duration::from_millis(1));
        assert_eq!(gate.limit, Some(4), "throttled together counts once");
        assert!(!gate.admit(start));
        gate.running = 3;
        assert!(gate.admit(start));
        assert!(!gate.admit(start));
        assert!(gate.admit(start + EASE_EVERY));
        assert_eq!(gate.limit, Some(5));
        for n in 1..10 {
            gate.tighten(start + EASE_EVERY * (n + 1));
        }
        assert_eq!(gate.limit, Some(1), "never none at all");
    }

    /// Lets in whoever asks after the renewal.
    #[derive(Default)]
    struct Doorkeeper {
        renewals: AtomicU32,
    }

    #[async_trait]
    impl Driver for Doorkeeper {
        async fn page(&self, _: Option<&str>) -> Result<Page, Fault> {
            unreachable!("nobody lists here")
        }

        async fn describe(&self, _: &Object) -> Result<Details, Fault> {
            unreachable!("nobody looks here")
        }

        async fn read(&self, _: &Object, _: Range<u64>) -> Result<Bytes, Fault> {
            unreachable!("nobody reads here")
        }

        async fn renew(&self) -> Result<(), Fault> {
            self.renewals.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[tokio::test]
    async fn readers_turned_away_together_share_one_renewal() {
        let (retry, door) = (Retry::new(Patience::default()), Doorkeeper::default());
        let together = Barrier::new(4);
        let enter = async || {
            let asked = Question::Read("enter".into());
            retry
                .ask(&door, asked, || async {
                    if door.renewals.load(Ordering::SeqCst) == 0 {
                        together.wait().await;
                        return Err(Fault::new(FaultKind::Expired, "expired"));
                    }
                    Ok(())
                })
                .await
        };
        let answers = tokio::join!(enter(), enter(), enter(), enter());
        assert!(answers.0.and(answers.1).and(answers.2).and(answers.3).is_ok());
        assert_eq!(door.renewals.load(Ordering::SeqCst), 1);
    }
}
