//! What stands behind the rows of a script, in stages: a script does not say what depends on
//! what, except by its order.

use crate::archive::{Entry, Toc};
use crate::restore::policy::{Disposition, Pass};

/// More stages than this are not worth the connections that they would take.
const PARALLEL_MAX: usize = 64;

/// Entries that are run together; each stage begins when the one before it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// One after the other.
    Serial(Vec<u32>),
    /// Beside each other, where no two work on the same table.
    Parallel(Vec<u32>),
}

/// How an entry may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Beside others of its kind.
    Beside(Run),
    /// Behind them.
    Behind,
    /// Where it stands.
    Fixed,
}

/// What stands beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Indexes, and constraints that are backed by them: none needs another.
    Builds,
    /// Foreign keys: they need the indexes, and none needs another.
    References,
}

fn place(entry: &Entry) -> Place {
    match entry.kind.as_str() {
        // Without the tables it can't be told which ones get into each other's way.
        _ if entry.dependencies.is_empty() && entry.kind != "COMMENT" && entry.kind != "INDEX ATTACH" => {
            Place::Fixed
        }
        "INDEX" | "CONSTRAINT" => Place::Beside(Run::Builds),
        "FK CONSTRAINT" => Place::Beside(Run::References),
        "COMMENT" | "INDEX ATTACH" => Place::Behind,
        _ => Place::Fixed,
    }
}

/// The stages of everything that is not run before the rows.
pub fn stages(toc: &Toc, dispositions: &[Disposition]) -> Vec<Stage> {
    let mut stages = Stages::default();
    for pass in [Pass::Main, Pass::Grants, Pass::Refresh] {
        let entries = toc.entries.iter().zip(dispositions);
        for (entry, _) in entries.filter(|(_, disposition)| **disposition == Disposition::After(pass)) {
            let place = if pass == Pass::Main { place(entry) } else { Place::Fixed };
            stages.add(entry.id, place);
        }
        stages.end_run();
    }
    stages.done
}

#[derive(Default)]
struct Stages {
    done: Vec<Stage>,
    run: Option<Run>,
    beside: Vec<u32>,
    behind: Vec<u32>,
}

impl Stages {
    fn add(&mut self, id: u32, place: Place) {
        match place {
            Place::Beside(run) => {
                if self.run != Some(run) {
                    self.end_run();
                    self.run = Some(run);
                }
                self.beside.push(id);
            }
            Place::Behind if self.run.is_some() => self.behind.push(id),
            Place::Behind | Place::Fixed => {
                self.end_run();
                self.serial(vec![id]);
            }
        }
    }

    fn end_run(&mut self) {
        let (beside, behind) = (std::mem::take(&mut self.beside), std::mem::take(&mut self.behind));
        self.run = None;
        let parallel = self.done.iter().filter(|stage| matches!(stage, Stage::Parallel(_))).count();
        if beside.len() > 1 && parallel < PARALLEL_MAX {
            self.done.push(Stage::Parallel(beside));
        } else {
            self.serial(beside);
        }
        self.serial(behind);
    }

    fn serial(&mut self, ids: Vec<u32>) {
        match self.done.last_mut() {
            _ if ids.is_empty() => {}
            Some(Stage::Serial(last)) => last.extend(ids),
            _ => self.done.push(Stage::Serial(ids)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::survey_plain;
    use crate::restore::policy::decide;

    const BEGIN: &str = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n";
    const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

    fn told(entries: &[(&str, &str)]) -> Vec<String> {
        let entry = |(kind, sql): &(&str, &str)| {
            format!("--\n-- Name: x; Type: {kind}; Schema: s; Owner: me\n--\n\n{sql}\n\n")
        };
        let tables = ["a", "b", "c"].map(|name| {
            format!(
                "--\n-- Name: {name}; Type: TABLE; Schema: s; Owner: me\n--\n\nCREATE TABLE s.{name} ();\n\n"
            )
        });
        let script =
            format!("{BEGIN}{}{}{END}", tables.concat(), entries.iter().map(entry).collect::<String>());
        let (toc, ..) = survey_plain(script.as_bytes(), 100).unwrap();
        let dispositions = decide(&toc, 18, crate::restore::Rules::drill()).unwrap();
        let kinds = |ids: &[u32]| {
            ids.iter().map(|id| toc.entry(*id).unwrap().kind.clone()).collect::<Vec<_>>().join(" ")
        };
        let stages = stages(&toc, &dispositions);
        stages
            .iter()
            .map(|stage| match stage {
                Stage::Serial(ids) => format!("serial: {}", kinds(ids)),
                Stage::Parallel(ids) => format!("parallel: {}", kinds(ids)),
            })
            .collect()
    }

    #[test]
    fn what_is_built_on_tables_is_built_side_by_side_and_everything_else_in_order() {
        let key = ("CONSTRAINT", "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT x PRIMARY KEY (id);");
        let index = ("INDEX", "CREATE INDEX x ON s.b USING btree (id);");
        let reference = (
            "FK CONSTRAINT",
            "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES s.b(id);",
        );
        let comment = ("COMMENT", "COMMENT ON INDEX s.x IS 'x';");
        let trigger = ("TRIGGER", "CREATE TRIGGER x AFTER INSERT ON s.a EXECUTE FUNCTION f();");
        let attach = ("INDEX ATTACH", "ALTER INDEX s.x ATTACH PARTITION s.y;");
        let unknown = ("INDEX", "CREATE INDEX x ON s.unknown USING btree (id);");
        let grant = ("ACL", "GRANT SELECT ON TABLE s.a TO me;");
        let refresh = ("MATERIALIZED VIEW DATA", "REFRESH MATERIALIZED VIEW s.x;");
        let set = ("SEQUENCE SET", "SELECT pg_catalog.setval('s.x', 1, true);");
        let stages = told(&[
            set, key, comment, key, index, attach, index, trigger, index, unknown, reference, comment,
            reference, grant, trigger, refresh,
        ]);
        assert_eq!(
            stages,
            [
                "serial: SEQUENCE SET",
                "parallel: CONSTRAINT CONSTRAINT INDEX INDEX",
                "serial: COMMENT INDEX ATTACH TRIGGER INDEX INDEX",
                "parallel: FK CONSTRAINT FK CONSTRAINT",
                "serial: COMMENT TRIGGER ACL MATERIALIZED VIEW DATA",
            ]
        );
        assert!(told(&[]).is_empty());
    }
}
