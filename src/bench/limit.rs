//! Which resource was the limit of a restore, from what was measured of it.

use std::time::Duration;

/// From this share of the restore on, something was its limit.
const DECISIVE: f64 = 0.75;

/// From this share on, one table or one index was, where nothing else is.
const DOMINANT: f64 = 0.5;

/// What can be the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The way from the store to here.
    Network,
    /// Our own processor time: decoding, converting, hashing; or pg_restore's.
    Decode,
    /// The processor time of the scratch server.
    ServerCpu,
    /// The scratch's disk.
    Disk,
    /// The rows of one table.
    OneTable,
    /// The building of one index.
    OneIndex,
    /// Nothing of all this by itself.
    Unclear,
}

impl Limit {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Network => "network",
            Limit::Decode => "decode",
            Limit::ServerCpu => "server_cpu",
            Limit::Disk => "disk",
            Limit::OneTable => "one_table",
            Limit::OneIndex => "one_index",
            Limit::Unclear => "unclear",
        }
    }
}

/// What is known of a restore.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// How long it took.
    pub wall: Duration,
    /// Processors of this machine.
    pub cores: usize,
    /// Processor time on our side.
    pub client_cpu: Option<Duration>,
    /// Processor time of the scratch server.
    pub server_cpu: Option<Duration>,
    /// Time in which a processor waited for a disk.
    pub disk_wait: Option<Duration>,
    /// How long the line to the store takes for the bytes at the least, where its width is known.
    pub line: Option<Duration>,
    /// How long reading waited for the store.
    pub waited_for_store: Duration,
    /// How long the longest table took.
    pub longest_table: Option<Duration>,
    /// How long the longest index took.
    pub longest_index: Option<Duration>,
}

impl Measured {
    /// The part of the restore for which something was in use, from 0 to 1.
    fn share(&self, of: Option<Duration>) -> f64 {
        let wall = self.wall.as_secs_f64();
        if wall > 0.0 { (of.unwrap_or_default().as_secs_f64() / wall).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The same, of all processors.
    fn share_of_cores(&self, of: Option<Duration>) -> f64 {
        self.share(of.map(|of| of / u32::try_from(self.cores.max(1)).unwrap_or(u32::MAX)))
    }

    /// How busy the processors were, from 0 to 1; none where the system doesn't tell.
    pub fn busy(&self) -> Option<f64> {
        Some(self.share_of_cores(Some(self.client_cpu? + self.server_cpu?)))
    }

    /// The limit.
    pub fn limit(&self) -> Limit {
        let network = self.share(self.line).max(self.share(Some(self.waited_for_store)));
        let busy = self.busy().unwrap_or(0.0);
        if busy >= DECISIVE && busy >= network {
            return if self.client_cpu > self.server_cpu { Limit::Decode } else { Limit::ServerCpu };
        }
        if network >= DECISIVE {
            return Limit::Network;
        }
        if self.share_of_cores(self.disk_wait) >= DOMINANT {
            return Limit::Disk;
        }
        let (table, index) = (self.share(self.longest_table), self.share(self.longest_index));
        let chains = [(Limit::OneTable, table), (Limit::OneIndex, index), (Limit::Network, network)];
        let longest = chains.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        longest.filter(|(_, share)| *share >= DOMINANT).map_or(Limit::Unclear, |(limit, _)| limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn the_limit_is_what_was_in_use_all_the_time() {
        let idle = Measured {
            wall: Duration::from_secs(10),
            cores: 2,
            client_cpu: seconds(2),
            server_cpu: seconds(4),
            ..Measured::default()
        };
        let table = [
            ("nothing", idle, Limit::Unclear),
            ("a line that is full", Measured { line: seconds(9), ..idle }, Limit::Network),
            (
                "a store that is waited for",
                Measured { waited_for_store: Duration::from_secs(8), ..idle },
                Limit::Network,
            ),
            ("a busy server", Measured { server_cpu: seconds(15), ..idle }, Limit::ServerCpu),
            ("a busy client", Measured { client_cpu: seconds(15), ..idle }, Limit::Decode),
            ("a slow disk", Measured { disk_wait: seconds(12), ..idle }, Limit::Disk),
            ("a long table", Measured { longest_table: seconds(8), ..idle }, Limit::OneTable),
            (
                "a long index",
                Measured { longest_table: seconds(5), longest_index: seconds(6), ..idle },
                Limit::OneIndex,
            ),
            (
                "a long table that keeps all cores busy",
                Measured { longest_table: seconds(9), server_cpu: seconds(16), ..idle },
                Limit::ServerCpu,
            ),
            ("no time at all", Measured::default(), Limit::Unclear),
        ];
        for (name, measured, limit) in table {
            assert_eq!(measured.limit(), limit, "{name}");
        }
    }
}
