//! The classes of objects, each by the name that `pg_dump` has for it.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What an object is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $name,)* }

        impl Class {
            /// Every class there is.
            pub const ALL: &'static [Class] = &[$(Class::$name,)*];

            /// The class as `pg_dump` calls it in a table of contents.
            pub fn as_str(self) -> &'static str {
                match self { $(Class::$name => $text,)* }
            }
        }
    };
}

classes! {
    /// A method by which tables or indexes are stored.
    AccessMethod = "ACCESS METHOD";
    /// An aggregate function.
    Aggregate = "AGGREGATE";
    /// A conversion of one type to another.
    Cast = "CAST";
    /// A check of a table or a domain.
    Check = "CHECK CONSTRAINT";
    /// A collation.
    Collation = "COLLATION";
    /// What may be done with single columns of a table.
    ColumnGrants = "COLUMN";
    /// A primary key, a unique or an exclusion constraint.
    Constraint = "CONSTRAINT";
    /// A conversion between encodings.
    Conversion = "CONVERSION";
    /// The default of a column.
    Default = "DEFAULT";
    /// What is granted on objects that are yet to be made.
    DefaultGrants = "DEFAULT ACL";
    /// A domain.
    Domain = "DOMAIN";
    /// A trigger on statements that define.
    EventTrigger = "EVENT TRIGGER";
    /// An extension, with its version.
    Extension = "EXTENSION";
    /// A foreign key.
    ForeignKey = "FK CONSTRAINT";
    /// A kind of foreign server.
    ForeignDataWrapper = "FOREIGN DATA WRAPPER";
    /// A table on a foreign server.
    ForeignTable = "FOREIGN TABLE";
    /// A function.
    Function = "FUNCTION";
    /// An index that is not of a constraint.
    Index = "INDEX";
    /// The place of an index below that of the partitioned table.
    IndexAttach = "INDEX ATTACH";
    /// A language of functions.
    Language = "PROCEDURAL LANGUAGE";
    /// A materialised view.
    MaterializedView = "MATERIALIZED VIEW";
    /// An operator; several may have one name.
    Operator = "OPERATOR";
    /// How an index orders a type.
    OperatorClass = "OPERATOR CLASS";
    /// Operator classes that work together.
    OperatorFamily = "OPERATOR FAMILY";
    /// A policy on rows.
    Policy = "POLICY";
    /// A procedure.
    Procedure = "PROCEDURE";
    /// A publication.
    Publication = "PUBLICATION";
    /// That policies apply to a table.
    RowSecurity = "ROW SECURITY";
    /// A rewriting rule other than a view's own.
    Rule = "RULE";
    /// A schema.
    Schema = "SCHEMA";
    /// A sequence.
    Sequence = "SEQUENCE";
    /// That a sequence goes with a column.
    SequenceOwnedBy = "SEQUENCE OWNED BY";
    /// A foreign server.
    Server = "SERVER";
    /// Statistics over several columns.
    Statistics = "STATISTICS";
    /// A table, partitioned ones too.
    Table = "TABLE";
    /// The place of a partition below its table.
    TableAttach = "TABLE ATTACH";
    /// A configuration of text search.
    TextSearchConfiguration = "TEXT SEARCH CONFIGURATION";
    /// A dictionary of text search.
    TextSearchDictionary = "TEXT SEARCH DICTIONARY";
    /// A parser of text search.
    TextSearchParser = "TEXT SEARCH PARSER";
    /// A template of text search.
    TextSearchTemplate = "TEXT SEARCH TEMPLATE";
    /// How a language sees a type.
    Transform = "TRANSFORM";
    /// A trigger of a table or view.
    Trigger = "TRIGGER";
    /// An enumerated, composite, range or base type.
    Type = "TYPE";
    /// Who one is on a foreign server.
    UserMapping = "USER MAPPING";
    /// A view.
    View = "VIEW";
}

impl Class {
    /// The class of that name; None if `pg_dump` has other kinds of entries by it.
    pub fn named(name: &str) -> Option<Class> {
        Class::ALL.iter().copied().find(|class| class.as_str() == name)
    }

    /// The class that an answer names, where one question is put for several.
    pub(super) fn or_named(self, name: &str) -> Class {
        Class::named(name).unwrap_or(self)
    }
}
