//! The questions to the catalogues, one for each class or group of classes.
//!
//! Each gives `kind, schema, name, owner, grants, commented, state, definition, fragment`.

use crate::proof::inventory::{Class, global_objects, relations, schema_objects};

/// A question in parts: the select list is put together the same way for each.
pub(super) struct Question {
    pub class: Class,
    /// An expression of `pg_dump`'s word, where the answer is of several classes.
    pub kind: &'static str,
    pub schema: &'static str,
    pub name: &'static str,
    /// How comments and grants call it, with its quotes; None: by its name.
    pub called: Option<&'static str>,
    pub owner: &'static str,
    /// The column of grants, the letter of what is granted on, the owner's OID.
    pub grants: Option<(&'static str, &'static str, &'static str)>,
    /// The catalogue and the OID, and perhaps the number of a column, of what is commented on.
    pub object: (&'static str, &'static str),
    pub state: &'static str,
    pub definition: &'static str,
    /// None: the definition itself.
    pub fragment: Option<&'static str>,
    pub from: &'static str,
}

pub(super) const PLAIN: Question = Question {
    class: Class::Table,
    kind: "''",
    schema: "n.nspname",
    name: "''",
    called: None,
    owner: "''",
    grants: None,
    object: ("pg_class", "c.oid"),
    state: "''",
    definition: "''",
    fragment: None,
    from: "",
};

/// Every relation, `c`.
const RELATIONS: &str =
    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE <user>";
/// The relation `r`, on which something hangs, was not made by an extension.
const OWN: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' \
    AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = r.oid)";
/// Neither the system's own schemas nor those of sessions; `n` is the schema.
const USER: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// All questions.
pub(super) fn all() -> Vec<(Class, String)> {
    let questions = [
        relations::whole(),
        relations::parts(),
        schema_objects::routines(),
        schema_objects::types(),
        schema_objects::operators(),
        schema_objects::text_search(),
        global_objects::of_the_database(),
        global_objects::foreign(),
    ];
    questions.into_iter().flatten().map(|question| (question.class, question.sql())).collect()
}

impl Question {
    fn sql(&self) -> String {
        let Question { kind, schema, name, owner, state, definition, from, .. } = self;
        let called = self.called.map_or_else(|| format!("pg_catalog.quote_ident({name})"), str::to_owned);
        let fragment = self.fragment.unwrap_or("<definition>").replace("<definition>", definition);
        let grants = self.grants.map_or("''".to_owned(), |(column, letter, owner)| {
            format!(
                "(SELECT pg_catalog.string_agg(w.who || '=' || w.what, ',' ORDER BY w.who, w.what) FROM \
                 (SELECT CASE a.grantee WHEN 0 THEN '-' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS who, \
                 a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END AS what FROM \
                 pg_catalog.aclexplode(coalesce({column}, pg_catalog.acldefault('{letter}', {owner}))) a \
                 WHERE NOT (a.privilege_type = 'MAINTAIN' AND a.grantee = {owner})) w)"
            )
        });
        let (catalogue, object) = self.object;
        let (oid, column) = object.split_once(", ").unwrap_or((object, "0"));
        let sql = format!(
            "SELECT {kind} AS kind, {schema} AS schema, {name} AS name, {called} AS called, {owner} AS owner, {grants} AS grants, \
             EXISTS (SELECT FROM pg_catalog.pg_description x WHERE x.classoid = 'pg_catalog.{catalogue}'::pg_catalog.regclass \
             AND x.objoid = {oid} AND x.objsubid = {column}) AS commented, \
             {state} AS state, {definition} AS definition, {fragment} AS fragment \
             FROM {from} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
             AND d.classid = 'pg_catalog.{catalogue}'::pg_catalog.regclass AND d.objid = {oid})"
        );
        sql.replace("<relations>", RELATIONS)
            .replace("<user>", USER)
            .replace("<columns>", relations::COLUMNS)
            .replace("<own>", OWN)
    }
}
