//! Whether the objects of the archive are in the restored database, as announced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tables, indexes, functions, grants and all else that the archive announces, looked for in the
/// restored database after the rows came back. Every figure is a sum over `classes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// Objects that were announced and restored.
    pub expected: u64,
    /// Those that were looked for.
    pub compared: u64,
    /// Those that were found as announced.
    pub equal: u64,
    /// Those that are there, and that may differ in something which two servers write in two
    /// ways; see `doubts`.
    pub doubtful: u64,
    /// Whether their definitions were compared too: only a server of the source's own major
    /// writes them as the archive does.
    pub definitions_compared: bool,
    /// The same by class.
    pub classes: Vec<ObjectClass>,
    /// What is not as announced; the first hundred, where there are more.
    pub differences: Vec<ObjectDifference>,
    /// What may not be as announced: definitions, owners, grants and comments. They take nothing
    /// from the verdict. The first hundred, where there are more.
    pub doubts: Vec<ObjectDifference>,
}

/// One class of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectClass {
    /// Its name as `pg_dump` has it: `INDEX`, `FK CONSTRAINT`.
    pub class: String,
    /// Objects that were announced and restored.
    pub expected: u64,
    /// Those that were looked for.
    pub compared: u64,
    /// Those that were found as announced.
    pub equal: u64,
    /// Those that are there, and may differ.
    pub doubtful: u64,
}

/// An object that is not as announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectDifference {
    /// Its class.
    pub class: String,
    /// Its schema and name.
    pub name: String,
    /// What is wrong, in words that follow the name: `is missing`, `is disabled`.
    pub fault: String,
}

impl Objects {
    /// The objects of these classes, with every sum made.
    pub fn of(
        definitions_compared: bool,
        classes: Vec<ObjectClass>,
        differences: Vec<ObjectDifference>,
        doubts: Vec<ObjectDifference>,
    ) -> Objects {
        let sum = |of: fn(&ObjectClass) -> u64| classes.iter().map(of).fold(0, u64::saturating_add);
        Objects {
            expected: sum(|class| class.expected),
            compared: sum(|class| class.compared),
            equal: sum(|class| class.equal),
            doubtful: sum(|class| class.doubtful),
            definitions_compared,
            classes,
            differences,
            doubts,
        }
    }
}
