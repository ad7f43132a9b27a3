//! What is tried: the points of a grid, each a way to restore.

use crate::plan::{CopyForm, Engine, Service, Settings};
use crate::store::Connections;

/// A grid of more points than this takes longer than anybody waits.
pub const POINTS_MAX: usize = 64;

/// A way to restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What restores.
    pub engine: Engine,
    /// Connections to the scratch server: each takes rows, or builds an index.
    pub jobs: usize,
    /// How many of them take rows at once, at most; pg_restore keeps no such count.
    pub copy_connections: usize,
    /// Reads of the store that are under way at once.
    pub connections: Connections,
    /// The size of such a read.
    pub part_bytes: u64,
    /// In which form rows go to the server; pg_restore sends text always.
    pub copy: CopyForm,
    /// How the scratch server is set.
    pub settings: Settings,
}

impl Point {
    /// The way that the plan names for `service`, on a machine of so many cores.
    pub fn of(service: &Service, cores: usize) -> Point {
        let tuning = service.restore.tuning();
        let jobs = service.restore.jobs.unwrap_or(cores);
        Point {
            engine: service.restore.engine,
            jobs,
            copy_connections: service.restore.copying(jobs),
            connections: tuning.connections,
            part_bytes: tuning.part_bytes,
            copy: service.restore.copy,
            settings: service.scratch.settings,
        }
        .normal()
    }

    /// The service, restored in this way.
    pub fn applied(self, service: &Service) -> Service {
        let mut service = service.clone();
        service.restore.engine = self.engine;
        service.restore.jobs = Some(self.jobs);
        service.restore.copy_connections = Some(self.copy_connections);
        service.restore.connections = match self.connections {
            Connections::Pinned(connections) => Some(connections),
            Connections::Adaptive { .. } => None,
        };
        service.restore.part_bytes = Some(self.part_bytes);
        service.restore.copy = self.copy;
        service.scratch.settings = self.settings;
        service
    }

    /// The same with so many connections; where all of them may take rows, all still may.
    fn with_jobs(self, jobs: usize) -> Point {
        let all = self.copy_connections == self.jobs;
        Point { jobs, copy_connections: if all { jobs } else { self.copy_connections }, ..self }
    }

    fn normal(self) -> Point {
        match self.engine {
            Engine::Native => Point { copy_connections: self.copy_connections.min(self.jobs), ..self },
            Engine::PgRestore => Point { copy: CopyForm::Text, copy_connections: self.jobs, ..self },
        }
    }
}

/// The values that are tried of each setting; an empty list stands for the plan's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// Of what restores.
    pub engines: Vec<Engine>,
    /// Of the connections to the scratch server.
    pub jobs: Vec<usize>,
    /// Of those among them that take rows.
    pub copy_connections: Vec<usize>,
    /// Of the reads of the store.
    pub connections: Vec<usize>,
    /// Of their size.
    pub part_bytes: Vec<u64>,
    /// Of the form of rows.
    pub copy: Vec<CopyForm>,
    /// Of the settings of the scratch server.
    pub settings: Vec<Settings>,
}

impl Grid {
    /// Every point of it once, beginning with the plan's own values where lists are empty; without
    /// any list, the plan's own way and a few beside it. None if they are too many.
    pub fn points(&self, own: Point) -> Option<Vec<Point>> {
        if *self == Grid::default() {
            return Some(around(own));
        }
        let many = [
            self.engines.len(),
            self.jobs.len(),
            self.copy_connections.len(),
            self.connections.len(),
            self.part_bytes.len(),
        ]
        .into_iter()
        .chain([self.copy.len(), self.settings.len()])
        .fold(1_usize, |product, length| product.saturating_mul(length.max(1)));
        if many > POINTS_MAX {
            return None;
        }
        let mut points = vec![own];
        points = varied(&points, &self.engines, |point, engine| Point { engine, ..point });
        points = varied(&points, &self.jobs, Point::with_jobs);
        points =
            varied(&points, &self.copy_connections, |point, most| Point { copy_connections: most, ..point });
        let pinned = |point, count| Point { connections: Connections::Pinned(count), ..point };
        points = varied(&points, &self.connections, pinned);
        points = varied(&points, &self.part_bytes, |point, part_bytes| Point { part_bytes, ..point });
        points = varied(&points, &self.copy, |point, copy| Point { copy, ..point });
        points = varied(&points, &self.settings, |point, settings| Point { settings, ..point });
        Some(distinct(points))
    }
}

fn varied<T: Copy>(points: &[Point], values: &[T], with: impl Fn(Point, T) -> Point) -> Vec<Point> {
    if values.is_empty() {
        return points.to_vec();
    }
    let each = |point: &Point| values.iter().map(|value| with(*point, *value)).collect::<Vec<_>>();
    points.iter().flat_map(each).collect()
}

/// One setting at a time, in the direction that may pay.
fn around(own: Point) -> Vec<Point> {
    let other = match own.settings {
        Settings::Durable => Settings::Fast,
        Settings::Fast => Settings::Durable,
    };
    let engine = match own.engine {
        Engine::Native => Engine::PgRestore,
        Engine::PgRestore => Engine::Native,
    };
    distinct(vec![
        own,
        own.with_jobs((own.jobs / 2).max(1)),
        own.with_jobs(own.jobs.saturating_mul(2)),
        Point { connections: Connections::Pinned(own.connections.most().saturating_mul(2)), ..own },
        Point { settings: other, ..own },
        Point { engine, ..own },
    ])
}

fn distinct(points: Vec<Point>) -> Vec<Point> {
    let mut seen = Vec::new();
    for point in points.into_iter().map(Point::normal) {
        if !seen.contains(&point) {
            seen.push(point);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Point = Point {
        engine: Engine::Native,
        jobs: 4,
        copy_connections: 4,
        connections: Connections::Adaptive { most: 8 },
        part_bytes: 8 << 20,
        copy: CopyForm::Auto,
        settings: Settings::Durable,
    };

    #[test]
    fn a_grid_is_every_value_of_each_list_with_every_other() {
        let grid = Grid { jobs: vec![1, 2], connections: vec![4, 8, 16], ..Grid::default() };
        let points = grid.points(OWN).unwrap();
        assert_eq!(points.len(), 6);
        assert_eq!(
            points[0],
            Point { jobs: 1, copy_connections: 1, connections: Connections::Pinned(4), ..OWN }
        );
        assert!(points.iter().all(|point| point.part_bytes == OWN.part_bytes));
    }

    #[test]
    fn rows_are_taken_by_as_many_connections_as_there_are_at_most() {
        let grid = Grid { jobs: vec![1, 4], copy_connections: vec![1, 2, 9], ..Grid::default() };
        let points = grid.points(OWN).unwrap();
        let pairs: Vec<_> = points.iter().map(|point| (point.jobs, point.copy_connections)).collect();
        assert_eq!(pairs, [(1, 1), (4, 1), (4, 2), (4, 4)]);
    }

    #[test]
    fn points_that_are_the_same_to_pg_restore_are_one() {
        let grid = Grid {
            engines: vec![Engine::Native, Engine::PgRestore],
            copy: vec![CopyForm::Auto, CopyForm::Text],
            ..Grid::default()
        };
        assert_eq!(grid.points(OWN).unwrap().len(), 3);
    }

    #[test]
    fn without_lists_the_plans_own_way_comes_first_and_is_varied_one_by_one() {
        let points = Grid::default().points(OWN).unwrap();
        assert_eq!((points.len(), points[0]), (6, OWN));
        let one_core = Grid::default().points(OWN.with_jobs(1)).unwrap();
        assert_eq!(one_core.len(), 5, "half of one job is one job");
    }

    #[test]
    fn a_grid_that_nobody_waits_for_is_none() {
        let grid = Grid { jobs: (1..=9).collect(), connections: (1..=8).collect(), ..Grid::default() };
        assert_eq!(grid.points(OWN), None);
    }
}
