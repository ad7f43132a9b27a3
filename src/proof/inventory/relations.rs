//! Relations, and what hangs on them.

use crate::proof::inventory::Class;
use crate::proof::inventory::question::{PLAIN, Question};

/// The columns of the relation `c` as `pg_dump` begins their lines, one unit separator between two.
pub(super) const COLUMNS: &str = "(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || \
    pg_catalog.format_type(a.atttypid, a.atttypmod) || \
    coalesce(' COLLATE ' || (SELECT pg_catalog.quote_ident(y.nspname) || '.' || pg_catalog.quote_ident(l.collname) \
      FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace y ON y.oid = l.collnamespace JOIN pg_catalog.pg_type t \
      ON t.oid = a.atttypid WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation), '') || \
    CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || \
    CASE a.attidentity WHEN '' THEN '' ELSE ' IDENTITY ' || a.attidentity::pg_catalog.text END || \
    CASE WHEN a.attgenerated <> '' THEN ' GENERATED ' || a.attgenerated::pg_catalog.text || ' ' || coalesce((SELECT pg_catalog.pg_get_expr(f.adbin, f.adrelid) \
      FROM pg_catalog.pg_attrdef f WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum), '') ELSE '' END, E'\\x1f' ORDER BY a.attnum) \
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)";

/// One question for relations as a whole, with what can be granted on them.
const RELATION: Question = Question {
    name: "c.relname",
    owner: "pg_catalog.pg_get_userbyid(c.relowner)",
    grants: Some(("c.relacl", "r", "c.relowner")),
    ..PLAIN
};

/// Tables, views, sequences, and their places among each other.
pub(super) fn whole() -> Vec<Question> {
    vec![
        Question {
            class: Class::Table,
            kind: "CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END",
            definition: "pg_catalog.concat_ws(E'\\x1f', <columns>, 'PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid), \
                CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END, pg_catalog.array_to_string(c.reloptions, ','), \
                CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END, 'REPLICA IDENTITY ' || c.relreplident::pg_catalog.text, \
                (SELECT pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::pg_catalog.text, ',' ORDER BY i.inhseqno) \
                 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid AND NOT c.relispartition))",
            fragment: Some("<columns>"),
            from: "<relations> AND c.relkind IN ('r', 'p', 'f')",
            ..RELATION
        },
        Question {
            class: Class::View,
            kind: "CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END",
            state: "CASE WHEN c.relkind = 'v' THEN '' WHEN c.relispopulated THEN 'populated' ELSE 'not populated' END",
            definition: "pg_catalog.concat_ws(' ', pg_catalog.array_to_string(c.reloptions, ','), pg_catalog.pg_get_viewdef(c.oid))",
            fragment: Some("'AS ' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';')"),
            from: "<relations> AND c.relkind IN ('v', 'm')",
            ..RELATION
        },
        Question {
            class: Class::Sequence,
            grants: Some(("c.relacl", "s", "c.relowner")),
            definition: "(SELECT pg_catalog.concat_ws(' ', pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, \
                s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM pg_catalog.pg_sequence s WHERE s.seqrelid = c.oid)",
            fragment: Some("''"),
            from: "<relations> AND c.relkind = 'S'",
            ..RELATION
        },
        Question {
            class: Class::SequenceOwnedBy,
            name: "c.relname",
            definition: "pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(t.relname) || '.' || pg_catalog.quote_ident(a.attname)",
            from: "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_catalog.pg_depend o ON o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid AND o.deptype = 'a' \
                AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass JOIN pg_catalog.pg_class t ON t.oid = o.refobjid \
                JOIN pg_catalog.pg_namespace m ON m.oid = t.relnamespace \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = o.refobjsubid WHERE <user> AND c.relkind = 'S'",
            ..PLAIN
        },
        Question {
            class: Class::TableAttach,
            name: "c.relname",
            definition: "(SELECT i.inhparent::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) \
                || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid)",
            fragment: Some("pg_catalog.pg_get_expr(c.relpartbound, c.oid)"),
            from: "<relations> AND c.relispartition AND c.relkind IN ('r', 'p', 'f')",
            ..PLAIN
        },
        Question {
            class: Class::RowSecurity,
            name: "c.relname",
            state: "'on'",
            from: "<relations> AND c.relrowsecurity",
            ..PLAIN
        },
        Question {
            class: Class::ColumnGrants,
            name: "c.relname || '.' || a.attname",
            called: Some("pg_catalog.quote_ident(c.relname) || '.' || pg_catalog.quote_ident(a.attname)"),
            grants: Some(("a.attacl", "c", "c.relowner")),
            object: ("pg_class", "c.oid, a.attnum"),
            from: "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                WHERE <user> AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND (a.attacl IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_description z \
                WHERE z.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND z.objoid = c.oid AND z.objsubid = a.attnum))",
            ..PLAIN
        },
    ]
}

/// What hangs on a relation `r`, and whose name begins with that one's: `t t_check`. `schema` is
/// that of `r`, whose owner owns it.
pub(super) fn parts() -> Vec<Question> {
    vec![
        Question {
            class: Class::Index,
            name: "c.relname",
            state: "CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'valid' WHEN c.relkind = 'I' THEN 'incomplete' ELSE 'invalid' END",
            definition: "pg_catalog.pg_get_indexdef(c.oid)",
            from: "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid JOIN pg_catalog.pg_class r ON r.oid = i.indrelid \
                WHERE <user> AND <own> AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k \
                WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))",
            ..PLAIN
        },
        Question {
            class: Class::IndexAttach,
            name: "c.relname",
            definition: "i.inhparent::pg_catalog.regclass::pg_catalog.text",
            fragment: Some("''"),
            from: "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid WHERE <user> AND c.relispartition AND c.relkind IN ('i', 'I')",
            ..PLAIN
        },
        Question {
            class: Class::Constraint,
            kind: "CASE k.contype WHEN 'c' THEN 'CHECK CONSTRAINT' WHEN 'f' THEN 'FK CONSTRAINT' ELSE 'CONSTRAINT' END",
            name: "r.relname || ' ' || k.conname",
            called: Some("pg_catalog.quote_ident(k.conname) || ' ON ' || pg_catalog.quote_ident(r.relname)"),
            object: ("pg_constraint", "k.oid"),
            state: "CASE WHEN k.contype IN ('p', 'u', 'x') THEN (SELECT CASE WHEN i.indisvalid AND i.indisready AND i.indislive \
                THEN 'valid' WHEN r.relkind = 'p' THEN 'incomplete' ELSE 'invalid' END FROM pg_catalog.pg_index i WHERE i.indexrelid = k.conindid) \
                WHEN k.convalidated THEN 'validated' ELSE 'not validated' END",
            definition: "pg_catalog.quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid)",
            from: "pg_catalog.pg_constraint k JOIN pg_catalog.pg_class r ON r.oid = k.conrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE <user> AND <own> \
                AND (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND NOT k.convalidated)",
            ..PLAIN
        },
        Question {
            class: Class::Check,
            name: "t.typname || ' ' || k.conname",
            called: Some(
                "pg_catalog.quote_ident(k.conname) || ' ON DOMAIN ' || pg_catalog.quote_ident(t.typname)",
            ),
            object: ("pg_constraint", "k.oid"),
            state: "CASE WHEN k.convalidated THEN 'validated' ELSE 'not validated' END",
            definition: "pg_catalog.quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid)",
            from: "pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid \
                JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE <user> AND k.contype = 'c' \
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' \
                AND e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND e.objid = t.oid)",
            ..PLAIN
        },
        Question {
            class: Class::Default,
            name: "r.relname || ' ' || a.attname",
            object: ("pg_attrdef", "k.oid"),
            definition: "'DEFAULT ' || pg_catalog.pg_get_expr(k.adbin, k.adrelid)",
            from: "pg_catalog.pg_attrdef k JOIN pg_catalog.pg_class r ON r.oid = k.adrelid \
                JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.adnum AND a.attgenerated = '' \
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE <user> AND <own>",
            ..PLAIN
        },
        Question {
            class: Class::Trigger,
            name: "r.relname || ' ' || k.tgname",
            called: Some("pg_catalog.quote_ident(k.tgname) || ' ON ' || pg_catalog.quote_ident(r.relname)"),
            object: ("pg_trigger", "k.oid"),
            state: "CASE k.tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' ELSE 'always' END",
            definition: "pg_catalog.pg_get_triggerdef(k.oid)",
            from: "pg_catalog.pg_trigger k JOIN pg_catalog.pg_class r ON r.oid = k.tgrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE <user> AND <own> AND NOT k.tgisinternal",
            ..PLAIN
        },
        Question {
            class: Class::Rule,
            name: "r.relname || ' ' || k.rulename",
            called: Some("pg_catalog.quote_ident(k.rulename) || ' ON ' || pg_catalog.quote_ident(r.relname)"),
            object: ("pg_rewrite", "k.oid"),
            state: "CASE k.ev_enabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' ELSE 'always' END",
            definition: "pg_catalog.pg_get_ruledef(k.oid)",
            fragment: Some("pg_catalog.rtrim(pg_catalog.pg_get_ruledef(k.oid), ';')"),
            from: "pg_catalog.pg_rewrite k JOIN pg_catalog.pg_class r ON r.oid = k.ev_class \
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE <user> AND <own> AND k.rulename <> '_RETURN'",
            ..PLAIN
        },
        Question {
            class: Class::Policy,
            name: "r.relname || ' ' || k.polname",
            called: Some("pg_catalog.quote_ident(k.polname) || ' ON ' || pg_catalog.quote_ident(r.relname)"),
            object: ("pg_policy", "k.oid"),
            definition: "pg_catalog.concat_ws(' ', k.polcmd, k.polpermissive, (SELECT pg_catalog.string_agg(CASE g.id WHEN 0 THEN '-' \
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.id)) END, ',' ORDER BY g.id = 0, pg_catalog.pg_get_userbyid(g.id)) \
                FROM pg_catalog.unnest(k.polroles) g(id)), 'USING', pg_catalog.pg_get_expr(k.polqual, k.polrelid), \
                'WITH CHECK', pg_catalog.pg_get_expr(k.polwithcheck, k.polrelid))",
            fragment: Some(
                "pg_catalog.concat_ws(' ', 'USING ' || pg_catalog.pg_get_expr(k.polqual, k.polrelid), \
                'WITH CHECK ' || pg_catalog.pg_get_expr(k.polwithcheck, k.polrelid)) || ';'",
            ),
            from: "pg_catalog.pg_policy k JOIN pg_catalog.pg_class r ON r.oid = k.polrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::Statistics,
            name: "k.stxname",
            owner: "pg_catalog.pg_get_userbyid(k.stxowner)",
            object: ("pg_statistic_ext", "k.oid"),
            definition: "pg_catalog.pg_get_statisticsobjdef(k.oid)",
            from: "pg_catalog.pg_statistic_ext k JOIN pg_catalog.pg_class r ON r.oid = k.stxrelid \
                JOIN pg_catalog.pg_namespace n ON n.oid = k.stxnamespace WHERE <user>",
            ..PLAIN
        },
    ]
}
