//! The comments that pg_dump writes above what it writes.

/// What a comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Title {
    /// A dump of one database begins.
    Dump,
    /// It is complete.
    DumpComplete,
    /// A dump of pg_dumpall begins.
    Cluster,
    /// It is complete.
    ClusterComplete,
    /// A database of a cluster begins; its name.
    Database(String),
    /// The version of the dumped server.
    ServerVersion(String),
    /// The version of pg_dump.
    DumpVersion(String),
    /// An entry begins.
    Entry(Heading),
    /// The rows below belong to a partition, and are loaded through this root.
    ThroughRoot(String),
    /// Nothing that matters.
    Other,
}

/// The heading of an entry. Line breaks in names stand as blanks here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heading {
    pub tag: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub owner: Option<String>,
}

impl Title {
    /// Reads a line that begins with two hyphens.
    pub fn read(line: &str) -> Title {
        let Some(text) = line.strip_prefix("-- ") else { return Title::Other };
        let told = |prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
        match text {
            "PostgreSQL database dump" => return Title::Dump,
            "PostgreSQL database dump complete" => return Title::DumpComplete,
            "PostgreSQL database cluster dump" => return Title::Cluster,
            "PostgreSQL database cluster dump complete" => return Title::ClusterComplete,
            _ => {}
        }
        if let Some(version) = told("Dumped from database version ") {
            return Title::ServerVersion(version);
        }
        if let Some(version) = told("Dumped by pg_dump version ") {
            return Title::DumpVersion(version);
        }
        if let Some(root) = told("load via partition root ") {
            return Title::ThroughRoot(root);
        }
        if let Some(name) = told("Database \"").as_deref().and_then(|rest| rest.strip_suffix("\" dump")) {
            return Title::Database(name.to_owned());
        }
        let entry = ["Name: ", "Data for Name: ", "Statistics for Name: "].into_iter().find_map(told);
        entry.as_deref().and_then(Heading::read).map_or(Title::Other, Title::Entry)
    }
}

impl Heading {
    /// `big; Type: TABLE; Schema: app; Owner: me`. A name may hold all of that itself, so it is
    /// read from its end.
    fn read(text: &str) -> Option<Heading> {
        let (rest, owner) = text.rsplit_once("; Owner: ")?;
        let owner = owner.split_once("; Tablespace: ").map_or(owner, |(owner, _)| owner);
        let (rest, namespace) = rest.rsplit_once("; Schema: ")?;
        let (tag, kind) = rest.rsplit_once("; Type: ")?;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !matches!(text.as_str(), "" | "-"));
        Some(Heading {
            tag: tag.to_owned(),
            kind: kind.to_owned(),
            namespace: some(namespace),
            owner: some(owner),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_by_what_pg_dump_means_with_them() {
        let heading = |tag: &str, kind: &str, namespace: Option<&str>, owner: Option<&str>| {
            Title::Entry(Heading {
                tag: tag.into(),
                kind: kind.into(),
                namespace: namespace.map(Into::into),
                owner: owner.map(Into::into),
            })
        };
        let table = [
            ("--", Title::Other),
            ("-- Roles", Title::Other),
            ("-- TOC entry 215 (class 1259 OID 16385)", Title::Other),
            ("-- PostgreSQL database dump", Title::Dump),
            ("-- PostgreSQL database dump complete", Title::DumpComplete),
            ("-- PostgreSQL database cluster dump complete", Title::ClusterComplete),
            ("-- Database \"a \"b\" dump", Title::Database("a \"b".into())),
            ("-- Dumped from database version 15.18 (x)", Title::ServerVersion("15.18 (x)".into())),
            ("-- Dumped by pg_dump version 17.1", Title::DumpVersion("17.1".into())),
            ("-- load via partition root app.h", Title::ThroughRoot("app.h".into())),
            (
                "-- Name: t; Type: TABLE; Schema: app; Owner: me",
                heading("t", "TABLE", Some("app"), Some("me")),
            ),
            ("-- Name: app; Type: SCHEMA; Schema: -; Owner: -", heading("app", "SCHEMA", None, None)),
            (
                "-- Name: EXTENSION a; Type: COMMENT; Schema: -; Owner: ",
                heading("EXTENSION a", "COMMENT", None, None),
            ),
            (
                "-- Data for Name: t; Type: TABLE DATA; Schema: we\"ird;; Owner: a b; Tablespace: ts",
                heading("t", "TABLE DATA", Some("we\"ird;"), Some("a b")),
            ),
            (
                "-- Name: x; Type: VIEW; Schema: y; Owner: z; Type: TABLE; Schema: app; Owner: me",
                heading("x; Type: VIEW; Schema: y; Owner: z", "TABLE", Some("app"), Some("me")),
            ),
            ("-- Name: no heading", Title::Other),
        ];
        for (line, title) in table {
            assert_eq!(Title::read(line), title, "{line}");
        }
    }
}
