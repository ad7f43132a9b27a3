//! Certificate authorities to trust beside the system's.

use std::path::Path;

use reqwest::{Certificate, Client};

use crate::store::driver::{Fault, FaultKind};
use crate::store::error::scrub;

/// A PEM file that was read and found usable.
pub(super) struct Authorities {
    pem: Vec<u8>,
    certificates: Vec<Certificate>,
}

/// Hundreds of authorities fit into this.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Authorities {
    pub(super) fn read(file: &Path) -> Result<Authorities, Fault> {
        let wrong = |what: String| {
            Fault::new(FaultKind::Configuration, format!("its ca_file '{}' {what}", file.display()))
        };
        let unreadable =
            |error: std::io::Error| wrong(format!("can't be read: {}", scrub(&error.to_string())));
        if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(wrong("is too large".into()));
        }
        let pem = std::fs::read(file).map_err(unreadable)?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(wrong("holds no certificate in PEM form".into()));
        }
        // The S3 client would take an unusable certificate for a reason to panic: try it first.
        Client::builder()
            .tls_certs_only(certificates.clone())
            .build()
            .map_err(|_| wrong("holds a certificate that can't be used".into()))?;
        Ok(Authorities { pem, certificates })
    }

    pub(super) fn pem(self) -> Vec<u8> {
        self.pem
    }

    pub(super) fn certificates(self) -> Vec<Certificate> {
        self.certificates
    }
}
