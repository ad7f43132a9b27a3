//! How fast rows are read of a server that has other things to do.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes a second over all sessions that share it.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: u64,
    /// When what was read so far is paid for.
    paid: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many bytes a second.
    pub fn of(bytes_per_second: u64) -> Pace {
        Pace { bytes_per_second: bytes_per_second.max(1), paid: Mutex::new(None) }
    }

    /// Waits until `bytes` that were read are paid for; what was not used earlier is lost.
    pub async fn pay(&self, bytes: u64) {
        let until = self.due(bytes, Instant::now());
        tokio::time::sleep_until(until.into()).await;
    }

    fn due(&self, bytes: u64, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let price = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let from = paid.filter(|paid| *paid > now).unwrap_or(now);
        let until = from.checked_add(price).unwrap_or(now);
        *paid = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_at_once_is_paid_for_one_after_the_other() {
        let pace = Pace::of(1000);
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(pace.due(500, start), after(500));
        assert_eq!(pace.due(500, start), after(1000), "another session waits behind the first");
        assert_eq!(pace.due(100, after(5000)), after(5100), "idle time buys nothing");
    }
}
