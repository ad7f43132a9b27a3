//! What lies in no schema, but in the database.

use crate::proof::inventory::Class;
use crate::proof::inventory::question::{PLAIN, Question};

/// Objects below the OID 16384 are those that every database has.
const GLOBAL: Question = Question { schema: "''", ..PLAIN };

/// Schemas, extensions, languages, casts, and what acts on the database as a whole.
pub(super) fn of_the_database() -> Vec<Question> {
    vec![
        Question {
            class: Class::Schema,
            name: "n.nspname",
            owner: "pg_catalog.pg_get_userbyid(n.nspowner)",
            grants: Some(("n.nspacl", "n", "n.nspowner")),
            object: ("pg_namespace", "n.oid"),
            from: "pg_catalog.pg_namespace n WHERE <user>",
            ..GLOBAL
        },
        Question {
            class: Class::Extension,
            name: "e.extname",
            object: ("pg_extension", "e.oid"),
            definition: "pg_catalog.concat_ws(' ', n.nspname, e.extversion)",
            fragment: Some("''"),
            from: "pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.oid >= 16384",
            ..GLOBAL
        },
        Question {
            class: Class::Language,
            name: "l.lanname",
            owner: "pg_catalog.pg_get_userbyid(l.lanowner)",
            grants: Some(("l.lanacl", "l", "l.lanowner")),
            object: ("pg_language", "l.oid"),
            from: "pg_catalog.pg_language l WHERE l.oid >= 16384",
            ..GLOBAL
        },
        Question {
            class: Class::AccessMethod,
            name: "a.amname",
            object: ("pg_am", "a.oid"),
            definition: "pg_catalog.concat_ws(' ', a.amtype, a.amhandler)",
            fragment: Some("''"),
            from: "pg_catalog.pg_am a WHERE a.oid >= 16384",
            ..GLOBAL
        },
        Question {
            class: Class::Cast,
            name: "'CAST (' || pg_catalog.format_type(k.castsource, NULL) || ' AS ' || pg_catalog.format_type(k.casttarget, NULL) || ')'",
            object: ("pg_cast", "k.oid"),
            definition: "pg_catalog.concat_ws(' ', k.castfunc::pg_catalog.regprocedure, k.castcontext, k.castmethod)",
            fragment: Some("''"),
            from: "pg_catalog.pg_cast k WHERE k.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_range g WHERE g.rngtypid = k.castsource)",
            ..GLOBAL
        },
        Question {
            class: Class::Transform,
            name: "'TRANSFORM FOR ' || pg_catalog.format_type(k.trftype, NULL) || ' LANGUAGE ' || (SELECT l.lanname FROM pg_catalog.pg_language l WHERE l.oid = k.trflang)",
            object: ("pg_transform", "k.oid"),
            from: "pg_catalog.pg_transform k WHERE true",
            ..GLOBAL
        },
        Question {
            class: Class::DefaultGrants,
            schema: "coalesce((SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = k.defaclnamespace), '')",
            name: "'DEFAULT PRIVILEGES FOR ' || CASE k.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' \
                WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END",
            owner: "pg_catalog.pg_get_userbyid(k.defaclrole)",
            grants: Some(("k.defaclacl", "r", "k.defaclrole")),
            object: ("pg_default_acl", "k.oid"),
            from: "pg_catalog.pg_default_acl k WHERE true",
            ..GLOBAL
        },
        Question {
            class: Class::EventTrigger,
            name: "k.evtname",
            owner: "pg_catalog.pg_get_userbyid(k.evtowner)",
            object: ("pg_event_trigger", "k.oid"),
            state: "CASE k.evtenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' ELSE 'always' END",
            definition: "pg_catalog.concat_ws(' ', k.evtevent, k.evtfoid::pg_catalog.regprocedure, k.evttags)",
            fragment: Some("''"),
            from: "pg_catalog.pg_event_trigger k WHERE true",
            ..GLOBAL
        },
        Question {
            class: Class::Publication,
            name: "k.pubname",
            owner: "pg_catalog.pg_get_userbyid(k.pubowner)",
            object: ("pg_publication", "k.oid"),
            definition: "pg_catalog.concat_ws(' ', k.puballtables, k.pubinsert, k.pubupdate, k.pubdelete, k.pubtruncate, k.pubviaroot, \
                (SELECT pg_catalog.string_agg(r.prrelid::pg_catalog.regclass::pg_catalog.text, ',' ORDER BY r.prrelid::pg_catalog.regclass::pg_catalog.text) \
                FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = k.oid))",
            fragment: Some("''"),
            from: "pg_catalog.pg_publication k WHERE true",
            ..GLOBAL
        },
    ]
}

/// Foreign data. Options may hold passwords: none is asked for.
pub(super) fn foreign() -> Vec<Question> {
    vec![
        Question {
            class: Class::ForeignDataWrapper,
            name: "f.fdwname",
            owner: "pg_catalog.pg_get_userbyid(f.fdwowner)",
            grants: Some(("f.fdwacl", "F", "f.fdwowner")),
            object: ("pg_foreign_data_wrapper", "f.oid"),
            from: "pg_catalog.pg_foreign_data_wrapper f WHERE true",
            ..GLOBAL
        },
        Question {
            class: Class::Server,
            name: "f.srvname",
            owner: "pg_catalog.pg_get_userbyid(f.srvowner)",
            grants: Some(("f.srvacl", "S", "f.srvowner")),
            object: ("pg_foreign_server", "f.oid"),
            definition: "(SELECT w.fdwname FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid = f.srvfdw)",
            fragment: Some("''"),
            from: "pg_catalog.pg_foreign_server f WHERE true",
            ..GLOBAL
        },
        Question {
            class: Class::UserMapping,
            name: "'USER MAPPING ' || m.usename || ' SERVER ' || m.srvname",
            object: ("pg_user_mapping", "m.umid"),
            from: "pg_catalog.pg_user_mappings m WHERE true",
            ..GLOBAL
        },
    ]
}
