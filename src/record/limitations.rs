//! What a drill does not show, in plain sentences.

use crate::record::{Anchor, ComparedTo, ConsistencySource, Network, Record, Signing};

/// What the drill of `record` does not show; never empty. The same record gives the same
/// sentences.
pub fn limitations(record: &Record) -> Vec<String> {
    let mut found = vec![
        "The recovery was measured in a scratch environment; it is not a production recovery.".to_owned(),
        "People, access, DNS, cut-over and the application's own tests are not part of a drill.".to_owned(),
        "Roles, tablespaces and the configuration of the server are not part of a pg_dump backup, and were \
         not tested."
            .to_owned(),
    ];
    of_the_source(record, &mut found);
    of_the_rows(record, &mut found);
    of_the_scratch(record, &mut found);
    of_the_restore(record, &mut found);
    if record.chain.signing == Signing::None {
        found.push("This record is not signed: whoever can write to it can change it.".to_owned());
    }
    found
}

fn of_the_source(record: &Record, found: &mut Vec<String>) {
    if record.fidelity.as_ref().is_some_and(|fidelity| fidelity.compared_to == ComparedTo::ArchiveStream) {
        found.push(
            "The restored rows were compared with those inside the archive; whether those are what the source \
             held is not shown."
                .to_owned(),
        );
    }
    if let Some(count) = record.fidelity.as_ref().map(|fidelity| fidelity.columns_not_compared)
        && count > 0
    {
        let columns = if count == 1 { "1 column" } else { &format!("{count} columns") };
        found.push(format!(
            "The values of {columns} were not compared; see columns_not_compared of the tables."
        ));
    }
    if let Some(stamp) = &record.stamp {
        if stamp.signed_by.is_none() {
            found.push(
                "No key of the plan has signed the stamp: whoever can replace the backup can replace it as well."
                    .to_owned(),
            );
        }
        if stamp.tables_left_out > 0 {
            found.push(format!("The stamp leaves {} tables of the source out.", stamp.tables_left_out));
        }
    }
    found.push(
        "Row hashes find accidents and unsophisticated change; what shows tampering is the digest of the \
         artifact."
            .to_owned(),
    );
    match record.artifact.as_ref().map(|artifact| artifact.expected.source) {
        Some(Anchor::Codec) => found.push(
            "No digest from outside the archive vouches for it: a replaced archive would not be noticed."
                .to_owned(),
        ),
        Some(Anchor::StoreChecksum) => found.push(
            "The digest was kept by the store itself: what was wrong before the upload would not be noticed."
                .to_owned(),
        ),
        Some(Anchor::Sidecar) => found.push(
            "The digest lies beside the archive: whoever can replace the one can replace the other."
                .to_owned(),
        ),
        Some(Anchor::Stamp | Anchor::None) | None => {}
    }
    let point = record.selection.as_ref().and_then(|selection| selection.consistency_point.as_ref());
    match point.map(|point| point.source) {
        Some(ConsistencySource::LastModified) => found
            .push("The age of the data is a lower bound: only the store's LastModified is known.".to_owned()),
        Some(ConsistencySource::NamePattern | ConsistencySource::ObjectMetadata) => found.push(
            "The age of the data rests on what the backup is called, not on the data itself.".to_owned(),
        ),
        Some(ConsistencySource::Stamp | ConsistencySource::ArchiveHeader) | None => {}
    }
}

fn of_the_rows(record: &Record, found: &mut Vec<String>) {
    if record.fidelity.as_ref().is_some_and(|fidelity| fidelity.tables_sampled > 0) {
        found.push(
            "Only a sample of the rows was read back, as the plan says; whether the others came back with the values \
             of the backup is not shown."
                .to_owned(),
        );
    }
}

fn of_the_scratch(record: &Record, found: &mut Vec<String>) {
    let Some(environment) = &record.environment else { return };
    if !environment.settings_relaxed.is_empty() {
        let names: Vec<&str> = environment.settings_relaxed.keys().map(String::as_str).collect();
        found.push(format!(
            "The scratch ran with {} set as production must not have it, which makes a restore faster.",
            names.join(", ")
        ));
    }
    if environment.sandbox.network != Network::None {
        found.push("The restored database was not kept off the network.".to_owned());
    }
}

fn of_the_restore(record: &Record, found: &mut Vec<String>) {
    let Some(restore) = &record.restore else { return };
    let left_out = match restore.toc_entries_excluded {
        0 => None,
        1 => Some("1 entry of the archive was left out by policy, and is listed".to_owned()),
        count => Some(format!("{count} entries of the archive were left out by policy, and are listed")),
    };
    found.extend(left_out.map(|left_out| format!("{left_out} in restore.excluded.")));
    if restore.objects.get("materialized_views").is_some_and(|count| *count > 0) {
        found.push("Materialized views were computed anew, and not compared.".to_owned());
    }
    if let Some(objects) = &record.objects {
        if !objects.definitions_compared {
            found.push(
                "Objects were looked for by name and state only: the scratch server is of another major than the \
                 source, and writes their definitions otherwise."
                    .to_owned(),
            );
        }
        if objects.compared < objects.expected {
            found.push(format!(
                "{} objects of the archive were restored and not looked for: grants and comments on what belongs \
                 to extensions or to large objects, and kinds that no catalogue lists.",
                objects.expected - objects.compared
            ));
        }
    }
    if record.checks.as_ref().is_some_and(|checks| checks.content_only) {
        found.push("No check of the plan looked at what the data means.".to_owned());
    }
}
