//! What lies in a schema and is no relation.

use crate::proof::inventory::Class;
use crate::proof::inventory::question::{PLAIN, Question};

/// Functions, procedures, aggregates.
pub(super) fn routines() -> Vec<Question> {
    vec![Question {
        class: Class::Function,
        kind: "CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END",
        name: "p.proname || '(' || CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*' ELSE coalesce((SELECT pg_catalog.string_agg(\
            pg_catalog.format_type(t.id, NULL), ', ' ORDER BY t.nr) FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY t(id, nr)), '') END || ')'",
        called: Some(
            "pg_catalog.quote_ident(p.proname) || '(' || CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*' \
            ELSE pg_catalog.pg_get_function_identity_arguments(p.oid) END || ')'",
        ),
        owner: "pg_catalog.pg_get_userbyid(p.proowner)",
        grants: Some(("p.proacl", "f", "p.proowner")),
        object: ("pg_proc", "p.oid"),
        definition: "CASE p.prokind WHEN 'a' THEN (SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_get_function_arguments(p.oid), \
            pg_catalog.format_type(p.prorettype, NULL), a.aggtransfn, a.aggfinalfn, pg_catalog.format_type(a.aggtranstype, NULL), a.agginitval, \
            a.aggcombinefn, a.aggmtransfn) FROM pg_catalog.pg_aggregate a WHERE a.aggfnoid = p.oid) ELSE pg_catalog.pg_get_functiondef(p.oid) END",
        fragment: Some("CASE p.prokind WHEN 'a' THEN '' ELSE p.prosrc END"),
        from: "pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE <user> \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass \
            AND i.objid = p.oid AND i.deptype = 'i')",
        ..PLAIN
    }]
}

/// Types and domains, but not those of rows, arrays and multiranges, which come by themselves.
pub(super) fn types() -> Vec<Question> {
    let own = Question {
        class: Class::Type,
        name: "t.typname",
        owner: "pg_catalog.pg_get_userbyid(t.typowner)",
        grants: Some(("t.typacl", "T", "t.typowner")),
        object: ("pg_type", "t.oid"),
        ..PLAIN
    };
    vec![
        Question {
            definition: "CASE t.typtype WHEN 'e' THEN 'ENUM ' || coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' \
                ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '') || ';' \
                WHEN 'c' THEN 'AS ' || coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || \
                pg_catalog.format_type(a.atttypid, a.atttypmod) || coalesce(' COLLATE ' || (SELECT pg_catalog.quote_ident(y.nspname) || '.' || \
                pg_catalog.quote_ident(l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace y ON y.oid = l.collnamespace \
                JOIN pg_catalog.pg_type b ON b.oid = a.atttypid WHERE l.oid = a.attcollation AND a.attcollation <> b.typcollation), ''), ', ' ORDER BY a.attnum) \
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ';' \
                WHEN 'r' THEN (SELECT 'subtype = ' || pg_catalog.format_type(g.rngsubtype, NULL) FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid) \
                ELSE pg_catalog.concat_ws(' ', t.typlen, t.typbyval, t.typinput, t.typoutput, t.typalign, t.typstorage, t.typdelim) END",
            fragment: Some("CASE WHEN t.typtype IN ('e', 'c') THEN <definition> ELSE '' END"),
            from: "pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE <user> \
                AND t.typtype IN ('b', 'c', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_catalog.pg_type a WHERE a.typarray = t.oid) \
                AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))",
            ..own
        },
        Question {
            class: Class::Domain,
            definition: "'AS ' || pg_catalog.format_type(t.typbasetype, t.typtypmod) || coalesce(' COLLATE ' || (SELECT pg_catalog.quote_ident(y.nspname) \
                || '.' || pg_catalog.quote_ident(l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace y ON y.oid = l.collnamespace \
                JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype WHERE l.oid = t.typcollation AND t.typcollation <> b.typcollation), '') \
                || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' DEFAULT ' || pg_catalog.pg_get_expr(t.typdefaultbin, 0), '') \
                || coalesce((SELECT pg_catalog.string_agg(' CONSTRAINT ' || pg_catalog.quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid), \
                '' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated), '') || ';'",
            from: "pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE <user> AND t.typtype = 'd'",
            ..own
        },
        Question {
            class: Class::Collation,
            name: "t.collname",
            owner: "pg_catalog.pg_get_userbyid(t.collowner)",
            grants: None,
            object: ("pg_collation", "t.oid"),
            definition: "pg_catalog.concat_ws(' ', t.collprovider, t.collisdeterministic, t.collcollate, t.collctype)",
            fragment: Some("''"),
            from: "pg_catalog.pg_collation t JOIN pg_catalog.pg_namespace n ON n.oid = t.collnamespace WHERE <user>",
            ..own
        },
    ]
}

/// Operators, and what indexes know of them.
pub(super) fn operators() -> Vec<Question> {
    vec![
        Question {
            class: Class::Operator,
            name: "o.oprname",
            owner: "pg_catalog.pg_get_userbyid(o.oprowner)",
            object: ("pg_operator", "o.oid"),
            definition: "pg_catalog.concat_ws(' ', o.oprleft::pg_catalog.regtype, o.oprright::pg_catalog.regtype, o.oprresult::pg_catalog.regtype, \
                o.oprcode, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash)",
            fragment: Some("''"),
            from: "pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE <user> AND o.oprcode <> 0",
            ..PLAIN
        },
        Question {
            class: Class::OperatorFamily,
            name: "o.opfname",
            owner: "pg_catalog.pg_get_userbyid(o.opfowner)",
            object: ("pg_opfamily", "o.oid"),
            definition: "(SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = o.opfmethod)",
            fragment: Some("''"),
            from: "pg_catalog.pg_opfamily o JOIN pg_catalog.pg_namespace n ON n.oid = o.opfnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::OperatorClass,
            name: "o.opcname",
            owner: "pg_catalog.pg_get_userbyid(o.opcowner)",
            object: ("pg_opclass", "o.oid"),
            definition: "pg_catalog.concat_ws(' ', (SELECT a.amname FROM pg_catalog.pg_am a WHERE a.oid = o.opcmethod), \
                pg_catalog.format_type(o.opcintype, NULL), o.opcdefault)",
            fragment: Some("''"),
            from: "pg_catalog.pg_opclass o JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::Conversion,
            name: "o.conname",
            owner: "pg_catalog.pg_get_userbyid(o.conowner)",
            object: ("pg_conversion", "o.oid"),
            definition: "pg_catalog.concat_ws(' ', o.conforencoding, o.contoencoding, o.conproc, o.condefault)",
            fragment: Some("''"),
            from: "pg_catalog.pg_conversion o JOIN pg_catalog.pg_namespace n ON n.oid = o.connamespace WHERE <user>",
            ..PLAIN
        },
    ]
}

/// Text search.
pub(super) fn text_search() -> Vec<Question> {
    vec![
        Question {
            class: Class::TextSearchConfiguration,
            name: "c.cfgname",
            owner: "pg_catalog.pg_get_userbyid(c.cfgowner)",
            object: ("pg_ts_config", "c.oid"),
            definition: "coalesce((SELECT pg_catalog.string_agg(m.maptokentype || ' ' || m.mapdict::pg_catalog.regdictionary::pg_catalog.text, ',' \
                ORDER BY m.maptokentype, m.mapseqno) FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid), '')",
            fragment: Some("''"),
            from: "pg_catalog.pg_ts_config c JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::TextSearchDictionary,
            name: "c.dictname",
            owner: "pg_catalog.pg_get_userbyid(c.dictowner)",
            object: ("pg_ts_dict", "c.oid"),
            definition: "c.dictinitoption",
            from: "pg_catalog.pg_ts_dict c JOIN pg_catalog.pg_namespace n ON n.oid = c.dictnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::TextSearchParser,
            name: "c.prsname",
            object: ("pg_ts_parser", "c.oid"),
            from: "pg_catalog.pg_ts_parser c JOIN pg_catalog.pg_namespace n ON n.oid = c.prsnamespace WHERE <user>",
            ..PLAIN
        },
        Question {
            class: Class::TextSearchTemplate,
            name: "c.tmplname",
            object: ("pg_ts_template", "c.oid"),
            from: "pg_catalog.pg_ts_template c JOIN pg_catalog.pg_namespace n ON n.oid = c.tmplnamespace WHERE <user>",
            ..PLAIN
        },
    ]
}
