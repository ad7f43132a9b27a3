//! How many parts are read at the same time: what is pinned, or what pays.

use std::time::Duration;

/// How many parts may be read at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// So many, always; 0 counts as 1.
    Pinned(usize),
    /// Few to begin with, more as long as that makes the store faster, fewer where it asks to slow
    /// down.
    Adaptive {
        /// Never more than so many; 0 counts as 1.
        most: usize,
    },
}

/// An adaptive window begins with so many.
const FIRST: usize = 4;

impl Connections {
    /// The number to begin with.
    pub fn first(self) -> usize {
        match self {
            Connections::Pinned(_) => self.most(),
            Connections::Adaptive { .. } => self.most().min(FIRST),
        }
    }

    /// The number that is never exceeded.
    pub fn most(self) -> usize {
        match self {
            Connections::Pinned(count) | Connections::Adaptive { most: count } => count.max(1),
        }
    }
}

/// A part that came to its consumer. Moments are those of one clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// When the consumer asked for it.
    pub asked: Duration,
    /// When it got it: at once, if the part was there already.
    pub got: Duration,
    /// Its size.
    pub bytes: u64,
    /// How often the store asked to slow down until then, since it was opened.
    pub throttled: u64,
}

/// The number of parts that may be in flight or wait for their consumer.
///
/// It is judged round by round, a round being as many parts as the window is wide. More of them
/// help only a consumer that waits, so one that has enough to do never widens the window.
#[derive(Debug)]
pub(super) struct Window {
    connections: Connections,
    size: usize,
    pace: Pace,
    round: Round,
    throttled: u64,
}

#[derive(Debug)]
enum Pace {
    /// Doubles as long as that pays; how wide it was before, with the speed then.
    Searching(Option<(usize, f64)>),
    /// Twice as many did not pay; tries again after so many rounds.
    Settled(u32),
    /// The store asked to slow down: one more after each round without that.
    Careful,
}

#[derive(Debug, Default)]
struct Round {
    /// Parts to come first that were asked for before it, and say nothing about it.
    older: usize,
    /// Whether it follows upon a halving, which those parts can't have known of.
    halved: bool,
    began: Duration,
    waited: Duration,
    work: u64,
    parts: usize,
}

/// The share of time, or of speed, that is worth another window.
const WORTH: f64 = 0.05;
/// A network may have changed after so many rounds.
const SETTLED_ROUNDS: u32 = 8;
/// What a question costs beside its answer, as bytes, so that rounds of small objects and rounds of
/// large parts have comparable speeds.
const QUESTION_BYTES: u64 = 1 << 20;

impl Window {
    pub(super) fn new(connections: Connections) -> Window {
        // Nobody could have read the first part ahead: the wait for it says nothing.
        let round = Round { older: 1, ..Round::default() };
        Window { connections, size: connections.first(), pace: Pace::Searching(None), round, throttled: 0 }
    }

    /// How many parts may be in flight or wait now; at least 1.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Tells of the next part.
    pub(super) fn taken(&mut self, part: Taken) {
        if matches!(self.connections, Connections::Pinned(_)) {
            return;
        }
        let is_throttled = part.throttled > self.throttled;
        self.throttled = self.throttled.max(part.throttled);
        let round = &mut self.round;
        let is_older = round.older > 0;
        if is_throttled && !(is_older && round.halved) {
            self.pace = Pace::Careful;
            self.resize(self.size / 2, part.got);
            self.round.halved = true;
        } else if is_older {
            round.older -= 1;
            round.began = part.got;
        } else {
            round.waited += part.got.saturating_sub(part.asked);
            round.work = round.work.saturating_add(part.bytes).saturating_add(QUESTION_BYTES);
            round.parts += 1;
            if round.parts >= self.size {
                self.judge(part.got);
            }
        }
    }

    /// What the round that is over says about the next.
    fn judge(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.round.began).as_secs_f64().max(1e-9);
        let speed = self.round.work as f64 / seconds;
        let waits = self.round.waited.as_secs_f64() / seconds >= WORTH;
        let mut size = self.size;
        match self.pace {
            Pace::Careful => size += usize::from(waits),
            Pace::Settled(rounds) if rounds > 1 => self.pace = Pace::Settled(rounds - 1),
            Pace::Searching(Some((narrower, before))) if waits && speed < before * (1.0 + WORTH) => {
                size = narrower;
                self.pace = Pace::Settled(SETTLED_ROUNDS);
            }
            Pace::Searching(_) | Pace::Settled(_) => {
                let widens = waits && size < self.connections.most();
                self.pace = Pace::Searching(widens.then_some((size, speed)));
                size = size.saturating_mul(if widens { 2 } else { 1 });
            }
        }
        self.resize(size, now);
    }

    /// A round begins, with another window or the same.
    fn resize(&mut self, size: usize, now: Duration) {
        let before = std::mem::replace(&mut self.size, size.clamp(1, self.connections.most()));
        let older = if self.size == before { 0 } else { before };
        self.round = Round { older, began: now, ..Round::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A window with a store and a consumer about it, in milliseconds.
    struct World {
        window: Window,
        /// When each part that was asked for will be there.
        parts: std::collections::VecDeque<u64>,
        now: u64,
        /// When the line has carried all that was put on it.
        line_free_at: u64,
        throttled: u64,
        /// How wide the window was after each part.
        sizes: Vec<usize>,
    }

    /// How slow both are, in milliseconds for each part.
    #[derive(Clone, Copy)]
    struct Pains {
        answer: u64,
        line: u64,
        consumer: u64,
        bytes: u64,
    }

    impl World {
        fn new(connections: Connections) -> World {
            let (window, parts) = (Window::new(connections), Default::default());
            World { window, parts, now: 0, line_free_at: 0, throttled: 0, sizes: Vec::new() }
        }

        fn take(&mut self, count: usize, pains: Pains) {
            for _ in 0..count {
                while self.parts.len() < self.window.size() {
                    self.line_free_at = self.line_free_at.max(self.now) + pains.line;
                    self.parts.push_back(self.line_free_at.max(self.now + pains.answer));
                }
                let asked = self.now;
                self.now = self.now.max(self.parts.pop_front().unwrap());
                let [asked, got] = [asked, self.now].map(Duration::from_millis);
                self.window.taken(Taken { asked, got, bytes: pains.bytes, throttled: self.throttled });
                self.sizes.push(self.window.size());
                self.now += pains.consumer;
            }
        }

        /// The sizes, each once in a row.
        fn course(&self) -> Vec<usize> {
            let mut course = self.sizes.clone();
            course.dedup();
            course
        }
    }

    const NONE: Pains = Pains { answer: 0, line: 0, consumer: 0, bytes: 8 * MIB };
    const SLOW_ANSWERS: Pains = Pains { answer: 100, ..NONE };
    const ADAPTIVE: Connections = Connections::Adaptive { most: 32 };

    #[test]
    fn a_window_is_as_wide_as_it_pays() {
        let table: [(&str, Connections, Pains, &[usize]); 9] = [
            ("each answer is slow", ADAPTIVE, SLOW_ANSWERS, &[4, 8, 16, 32]),
            ("the most is no power of two", Connections::Adaptive { most: 11 }, SLOW_ANSWERS, &[4, 8, 11]),
            ("the most is less than the first", Connections::Adaptive { most: 3 }, SLOW_ANSWERS, &[3]),
            ("none counts as one", Connections::Adaptive { most: 0 }, SLOW_ANSWERS, &[1]),
            ("pinned", Connections::Pinned(6), SLOW_ANSWERS, &[6]),
            ("pinned to none", Connections::Pinned(0), SLOW_ANSWERS, &[1]),
            ("the consumer is slow", ADAPTIVE, Pains { consumer: 40, ..SLOW_ANSWERS }, &[4]),
            ("the consumer has enough of eight", ADAPTIVE, Pains { consumer: 20, ..SLOW_ANSWERS }, &[4, 8]),
            ("nobody is slow", ADAPTIVE, Pains { consumer: 1, ..NONE }, &[4]),
        ];
        for (name, connections, pains, course) in table {
            let mut world = World::new(connections);
            world.take(500, pains);
            assert_eq!(world.course(), course, "{name}");
        }
    }

    #[test]
    fn a_full_line_is_tried_again_now_and_then_and_given_up_at_once() {
        let full = Pains { answer: 20, line: 10, ..NONE };
        let mut narrow = World::new(Connections::Adaptive { most: 8 });
        narrow.take(400, full);
        assert_eq!(narrow.course()[..5], [4, 8, 4, 8, 4]);

        let mut world = World::new(ADAPTIVE);
        world.take(400, full);
        assert_eq!(world.course()[..5], [4, 8, 4, 8, 4]);
        let wide = world.sizes.iter().filter(|size| **size == 8).count();
        assert!(wide * 4 < world.sizes.len(), "{wide} of {}", world.sizes.len());
        world.take(200, SLOW_ANSWERS);
        assert_eq!(world.window.size(), 32, "the line became wide, and the answers slow");
    }

    #[test]
    fn a_store_that_asks_to_slow_down_halves_the_window_once_a_round_and_it_grows_one_by_one() {
        let mut world = World::new(ADAPTIVE);
        world.take(100, SLOW_ANSWERS);
        assert_eq!(world.window.size(), 32);
        world.sizes.clear();
        for _ in 0..10 {
            world.throttled += 3;
            world.take(1, SLOW_ANSWERS);
        }
        assert_eq!(world.course(), [16], "those that were under way together count once");
        world.take(200, SLOW_ANSWERS);
        assert_eq!(world.course()[..5], [16, 17, 18, 19, 20]);

        world.sizes.clear();
        for _ in 0..200 {
            world.throttled += 1;
            world.take(1, SLOW_ANSWERS);
        }
        assert_eq!(world.window.size(), 1, "never none at all");
        world.take(2_000, SLOW_ANSWERS);
        assert_eq!(world.window.size(), 32, "never more than the most");
    }

    #[test]
    fn a_pinned_window_stays_whatever_the_store_asks_for() {
        let mut world = World::new(Connections::Pinned(6));
        world.throttled = 9;
        world.take(20, SLOW_ANSWERS);
        assert_eq!(world.course(), [6]);
    }

    #[test]
    fn small_objects_after_large_parts_do_not_look_like_a_slow_store() {
        let mut world = World::new(ADAPTIVE);
        world.take(6, Pains { answer: 140, ..NONE });
        world.take(200, Pains { answer: 20, bytes: 8_000, ..NONE });
        assert_eq!(world.course(), [4, 8, 16, 32]);
    }
}
