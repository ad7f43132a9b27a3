//! Secrets that were written into a plan, where everybody reads them.

use crate::plan::fault::Complaint;

/// How to give a secret to whom, by the key under which somebody tried to.
const KEYS: [(&str, &str); 19] = [
    ("account_key", "put it into an environment variable and name that with account_key_env"),
    ("shared_key", "put it into an environment variable and name that with account_key_env"),
    ("sas", "put it into an environment variable and name that with sas_env"),
    ("sas_token", "put it into an environment variable and name that with sas_env"),
    ("connection_string", "put it into an environment variable and name that with connection_string_env"),
    ("access_key", AWS),
    ("access_key_id", AWS),
    ("aws_access_key_id", AWS),
    ("secret_key", AWS),
    ("secret_access_key", AWS),
    ("aws_secret_access_key", AWS),
    ("session_token", AWS),
    ("passphrase", "put it into a file or a variable and name that with passphrase_file or passphrase_env"),
    ("age_identity", "put it into a file and name that with age_identity_file"),
    ("openpgp_key", "put it into a file and name that with openpgp_key_file"),
    ("token", OUT),
    ("secret", OUT),
    ("password", OUT),
    ("credentials", OUT),
];

const AWS: &str =
    "remove it; the AWS credential chain finds it in the environment, a profile or the machine's role";
const OUT: &str =
    "remove it, and change it if others could read this file; secrets come from the environment";

/// What to say to a key that is meant to hold a secret; `None` for any other key.
pub fn in_key(key: &str) -> Option<Complaint> {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let (_, remedy) = KEYS.iter().find(|(name, _)| *name == key)?;
    Some(Complaint::new("a secret has no place in a plan", *remedy))
}

/// What to say to a value that looks like a secret; `None` for any other value. The
/// complaint never holds the value.
pub fn in_value(value: &str) -> Option<Complaint> {
    let what = if has_aws_key_id(value) {
        "an AWS access key"
    } else if value.contains("PRIVATE KEY-----") || value.contains("PRIVATE KEY BLOCK-----") {
        "a private key"
    } else if value.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
        "an identity of age"
    } else if value.contains("AccountKey=") || value.contains("SharedAccessSignature=") {
        "an Azure connection string"
    } else if value.contains("sig=") && value.contains("sv=") {
        "a SAS token"
    } else if is_azure_key(value) {
        "an Azure account key"
    } else if has_url_password(value) {
        "a password in a URL"
    } else {
        return None;
    };
    Some(Complaint::new(format!("it looks like {what}, and a secret has no place in a plan"), OUT))
}

fn has_aws_key_id(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 20 && (word.starts_with("AKIA") || word.starts_with("ASIA")) && is_upper(word)
    })
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// 64 bytes in base64.
fn is_azure_key(value: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    value.len() == 88 && value.ends_with("==") && value.bytes().all(base64)
}

fn has_url_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', '\'', '"']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_secrets_are_told_and_never_repeated() {
        let azure = format!("{}==", "Ab+/".repeat(22).get(..86).unwrap());
        let secrets = [
            "AKIAIOSFODNN7EXAMPLE",
            "key is ASIAIOSFODNN7EXAMPLE.",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQVY",
            "AGE-SECRET-KEY-1QQQQ",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc==",
            "?sv=2024-11-04&ss=b&sig=abc",
            "postgres://app:hunter2@db/orders",
            azure.as_str(),
        ];
        for secret in secrets {
            let complaint = in_value(secret).expect(secret).to_string();
            assert!(!complaint.contains(secret) && !complaint.contains("hunter2"), "{complaint}");
        }
        for value in [
            "s3://acme-backups/orders/",
            "postgres://app@db/orders",
            "http://127.0.0.1:9000",
            "AKIA",
            "orders and payments",
            "select count(*) from keys where sig = 'x'",
            "https://host/a:b@c",
        ] {
            assert_eq!(in_value(value), None, "{value}");
        }
    }

    #[test]
    fn keys_for_secrets_say_where_the_secret_belongs() {
        assert!(in_key("secret-access-key").unwrap().remedy.contains("AWS credential chain"));
        assert!(in_key("sas_token").unwrap().remedy.contains("sas_env"));
        assert_eq!(in_key("sas_env"), None);
    }
}
