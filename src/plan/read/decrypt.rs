//! A `[service.NAME.backup.decrypt]` table.

use crate::archive::{ITERATIONS_MAX, Openssl, OpensslDigest};
use crate::plan::Decrypt;
use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::key_source::Names;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, key_source, text};

const AGE_IDENTITY: Names = ["age_identity_file", "age_identity_env", "age_identity_credential"];
const PASSPHRASE: Names = ["passphrase_file", "passphrase_env", "passphrase_credential"];
const OPENPGP_KEY: Names = ["openpgp_key_file", "openpgp_key_env", "openpgp_key_credential"];
const OPENPGP_KEY_PASSPHRASE: Names =
    ["openpgp_key_passphrase_file", "openpgp_key_passphrase_env", "openpgp_key_passphrase_credential"];

/// Reads the table. What is faulty in it is reported, and reads as if it were not there.
pub fn read(mut table: Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Decrypt {
    if let Some((problem, remedy)) = contradiction(&table) {
        faults.add(table.place(), table.path(), Complaint::new(problem, remedy));
    }
    let decrypt = Decrypt {
        age_identity: key_source::read(&mut table, AGE_IDENTITY, context, faults),
        passphrase: key_source::read(&mut table, PASSPHRASE, context, faults),
        openpgp_key: key_source::read(&mut table, OPENPGP_KEY, context, faults),
        openpgp_key_passphrase: key_source::read(&mut table, OPENPGP_KEY_PASSPHRASE, context, faults),
        openssl: table.take_table("openssl", faults).and_then(|table| read_openssl(table, faults)),
    };
    table.finish(faults);
    decrypt
}

/// What is missing for what is there.
fn contradiction(table: &Table<'_>) -> Option<(&'static str, &'static str)> {
    let has = |names: Names| names.into_iter().any(|name| table.has(name));
    if !has(AGE_IDENTITY) && !has(PASSPHRASE) && !has(OPENPGP_KEY) {
        return Some((
            "it gives no key",
            "write age_identity_file, passphrase_file or openpgp_key_file, or end the name with _env or _credential",
        ));
    }
    if table.has("openssl") && !has(PASSPHRASE) {
        return Some((
            "there is 'openssl', and no passphrase that its key is made of",
            "add passphrase_file, passphrase_env or passphrase_credential",
        ));
    }
    if has(OPENPGP_KEY_PASSPHRASE) && !has(OPENPGP_KEY) {
        return Some((
            "there is a passphrase for a key of OpenPGP, and no key",
            "add openpgp_key_file; for a message that is encrypted with a passphrase write passphrase_file",
        ));
    }
    None
}

fn read_openssl(mut table: Table<'_>, faults: &mut Faults) -> Option<Openssl> {
    for (key, remedy) in [
        ("digest", "write the -md it was encrypted with: digest = \"sha256\" is openssl's default"),
        ("iterations", "write the -iter it was encrypted with; 10000 where there was only -pbkdf2"),
    ] {
        if !table.has(key) {
            table.missing(key, remedy, faults);
        }
    }
    let digests = [OpensslDigest::Sha256, OpensslDigest::Sha384, OpensslDigest::Sha512];
    let digests = digests.map(|digest| (digest.as_str(), digest));
    let digest = table.take_text("digest", faults, |word| text::one_of(word, &digests));
    let iterations = table.take_number("iterations", faults, 1..=u64::from(ITERATIONS_MAX));
    table.take_text("cipher", faults, |word| text::one_of(word, &[("aes-256-cbc", ())]));
    table.finish(faults);
    Some(Openssl { digest: digest?, iterations: u32::try_from(iterations?).ok()? })
}
