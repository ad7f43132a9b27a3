//! The kinds of damage that a self-test does.

/// One kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// One row of a table is gone.
    DropRow,
    /// One value of one row is another one.
    ChangeValue,
    /// A table, drawn by the seed, was truncated.
    TruncateTable,
    /// All rows of the largest table were deleted.
    EmptyTable,
    /// An index is gone.
    DropIndex,
    /// A trigger is disabled.
    DisableTrigger,
    /// The data is older than it should be.
    AgeData,
    /// One bit of the stored backup is another one.
    FlipByte,
    /// The stored backup ends early.
    CutArchive,
}

impl Mutation {
    /// Every kind, in the order in which they are tried.
    pub const ALL: [Mutation; 9] = [
        Mutation::DropRow,
        Mutation::ChangeValue,
        Mutation::TruncateTable,
        Mutation::EmptyTable,
        Mutation::DropIndex,
        Mutation::DisableTrigger,
        Mutation::AgeData,
        Mutation::FlipByte,
        Mutation::CutArchive,
    ];

    /// Its name for programs, stable across releases.
    pub fn as_str(self) -> &'static str {
        match self {
            Mutation::DropRow => "drop_row",
            Mutation::ChangeValue => "change_value",
            Mutation::TruncateTable => "truncate_table",
            Mutation::EmptyTable => "empty_table",
            Mutation::DropIndex => "drop_index",
            Mutation::DisableTrigger => "disable_trigger",
            Mutation::AgeData => "age_data",
            Mutation::FlipByte => "flip_byte",
            Mutation::CutArchive => "cut_archive",
        }
    }

    /// Its name for people: what is done.
    pub fn words(self) -> &'static str {
        match self {
            Mutation::DropRow => "drop a row",
            Mutation::ChangeValue => "change a value",
            Mutation::TruncateTable => "truncate a table",
            Mutation::EmptyTable => "empty the largest table",
            Mutation::DropIndex => "drop an index",
            Mutation::DisableTrigger => "disable a trigger",
            Mutation::AgeData => "age the data",
            Mutation::FlipByte => "flip a bit of the backup",
            Mutation::CutArchive => "cut the backup short",
        }
    }

    /// Whether it is done to the stored bytes, and not to what was restored.
    pub fn is_of_the_archive(self) -> bool {
        matches!(self, Mutation::FlipByte | Mutation::CutArchive)
    }

    /// Whether it could have happened at the source, too, where only the plan's own checks, and
    /// what is known of earlier drills, can see it.
    pub fn is_of_the_data(self) -> bool {
        match self {
            Mutation::DropRow
            | Mutation::ChangeValue
            | Mutation::TruncateTable
            | Mutation::EmptyTable
            | Mutation::AgeData => true,
            Mutation::DropIndex | Mutation::DisableTrigger | Mutation::FlipByte | Mutation::CutArchive => {
                false
            }
        }
    }

    /// What would have detected it.
    pub fn remedy(self) -> &'static str {
        match self {
            Mutation::DropRow | Mutation::ChangeValue => {
                "add a check to the plan that counts or sums up that table ('rows', or 'sql' with 'expect')"
            }
            Mutation::TruncateTable | Mutation::EmptyTable => {
                "add a check to the plan that counts the rows of that table ('rows')"
            }
            Mutation::DropIndex | Mutation::DisableTrigger => {
                "take a stamp of the source with each backup ('firedrill stamp'), or ask for it in a check"
            }
            Mutation::AgeData => {
                "add a check with 'newest' to the plan, on a column that is written to all the time"
            }
            Mutation::FlipByte | Mutation::CutArchive => {
                "put a digest (NAME.sha256) or a stamp ('firedrill stamp') beside each backup"
            }
        }
    }
}
