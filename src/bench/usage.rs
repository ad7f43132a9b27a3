//! What this machine's processes have used so far: its own words, from /proc.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

/// The unit of times in /proc, on every system that has one.
const TICKS_PER_SECOND: u64 = 100;

/// More processes than this are not looked at.
const PROCESSES_MAX: usize = 100_000;

/// What was used by a moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The moment.
    pub at: Instant,
    /// Processor time of this process and of children that have ended; none where the system
    /// doesn't tell.
    pub own: Option<Duration>,
    /// Processor time of the children that run, and of theirs: the scratch server.
    pub server: Option<Duration>,
    /// Time in which a processor of this machine had nothing to do but wait for a disk.
    pub disk_wait: Option<Duration>,
}

impl Usage {
    /// Now. It is looked twice: a process that ends between two lines of one look is in neither.
    pub fn now() -> Usage {
        let at = Instant::now();
        let looks = [processes(), processes()];
        let id = std::process::id();
        let own = looks.iter().filter_map(|look| Some(look.get(&id)?.cpu)).max();
        Usage {
            at,
            own,
            server: own.and_then(|_| looks.iter().map(|look| below(id, look)).max()),
            disk_wait: disk_wait(),
        }
    }

    /// What was used from `before` until this.
    pub fn since(&self, before: &Usage) -> Used {
        let more = |now: Option<Duration>, then: Option<Duration>| Some(now?.saturating_sub(then?));
        Used {
            wall: self.at.saturating_duration_since(before.at),
            client_cpu: more(self.own, before.own),
            server_cpu: more(self.server, before.server),
            disk_wait: more(self.disk_wait, before.disk_wait),
        }
    }
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// How far they are apart.
    pub wall: Duration,
    /// Processor time on our side: firedrill, and pg_restore where that restored.
    pub client_cpu: Option<Duration>,
    /// Processor time of the scratch server.
    pub server_cpu: Option<Duration>,
    /// Time in which a processor of this machine waited for a disk.
    pub disk_wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    /// Its own, and that of its children that have ended.
    cpu: Duration,
}

fn processes() -> HashMap<u32, Process> {
    let directory = fs::read_dir("/proc").into_iter().flatten().flatten().take(PROCESSES_MAX);
    let ids = directory.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, process(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?))).collect()
}

/// One line of `/proc/PID/stat`. The name in brackets may hold anything.
fn process(stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    // Behind the parent come nine others, then user and system time, of itself and of its children.
    let times = fields.skip(9).take(4).map(|field| field.parse::<u64>().ok());
    let times = times.collect::<Option<Vec<u64>>>().filter(|times| times.len() == 4)?;
    let ticks = times.into_iter().fold(0, u64::saturating_add);
    Some(Process { parent, cpu: time(ticks) })
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND))
}

/// The processor time of everything below a process.
fn below(id: u32, processes: &HashMap<u32, Process>) -> Duration {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (child, process) in processes {
        children.entry(process.parent).or_default().push(*child);
    }
    let (mut sum, mut ahead) = (Duration::ZERO, vec![id]);
    while let Some(parent) = ahead.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            sum += processes.get(&child).map_or(Duration::ZERO, |process| process.cpu);
            ahead.push(child);
        }
    }
    sum
}

/// The fifth number behind `cpu` in `/proc/stat`.
fn disk_wait() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    Some(time(line.split_ascii_whitespace().nth(4)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_system_is_read_behind_the_last_bracket() {
        let stat = "17 (a) b (c) S 4 17 17 0 -1 4194560 1 2 3 4 100 50 7 3 20 0 1 0 9";
        assert_eq!(process(stat), Some(Process { parent: 4, cpu: Duration::from_millis(1600) }));
        for bad in ["", "17 (a", "17 (a) S", "17 (a) S x 1", "1 (a) S 4 17 17 0 -1 4194560 1 2 3 4 100 50"] {
            assert_eq!(process(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_lies_below_a_process_is_summed_once() {
        let process = |parent, seconds| Process { parent, cpu: Duration::from_secs(seconds) };
        let all = HashMap::from([
            (1, process(0, 100)),
            (2, process(1, 10)),
            (3, process(2, 1)),
            (4, process(2, 2)),
            (9, process(0, 50)),
        ]);
        assert_eq!(below(1, &all), Duration::from_secs(13));
        assert_eq!(below(2, &all), Duration::from_secs(3));
        assert_eq!(below(4, &all), Duration::ZERO);
    }

    #[test]
    fn time_only_grows() {
        let before = Usage::now();
        let used = Usage::now().since(&before);
        assert!(used.client_cpu.is_some() == before.own.is_some());
    }
}
