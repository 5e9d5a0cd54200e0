//! Root certificates as people give them: PEM, or something that was meant to be.

use crate::error::Error;

/// The certificates of a PEM text as DER; at least one.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let found = read(text).map_err(|source| {
        Error::invalid(format!("root certificates: one cannot be read: {GIVE}")).with_source(source)
    })?;
    if found.is_empty() { Err(none(text)) } else { Ok(found) }
}

const GIVE: &str = "give PEM, with BEGIN CERTIFICATE and END CERTIFICATE lines";

/// Says what the text is instead.
fn none(text: &[u8]) -> Error {
    let contains = |what: &str| text.windows(what.len()).any(|window| window == what.as_bytes());
    let detail = if text.trim_ascii().is_empty() {
        format!("the text is empty: {GIVE}, or nothing at all for those of the system")
    } else if text.starts_with(&[0x30, 0x82]) {
        format!("the file is DER, which is binary: {GIVE}; `openssl x509 -inform der` makes it")
    } else if contains("PRIVATE KEY-----") {
        format!("the text holds a private key and no certificate: {GIVE}, and keep the key to yourself")
    } else if contains("-----BEGIN TRUSTED CERTIFICATE-----") {
        format!("the text is in OpenSSL's own form: {GIVE}; `openssl x509` makes it")
    } else {
        format!("the text holds no certificate: {GIVE}")
    };
    Error::invalid(format!("root certificates: {detail}"))
}

/// Byte-order marks go, as of files that were joined; the parser takes lines of any kind.
fn without_marks(text: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if let Some(after) = rest.strip_prefix(MARK) {
            rest = after;
        } else {
            kept.push(byte);
            rest = &rest[1..];
        }
    }
    kept
}

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, rustls::pki_types::pem::Error> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    let text = without_marks(text);
    CertificateDer::pem_slice_iter(&text).map(|found| found.map(|der| der.to_vec())).collect()
}

/// Only the sections are cut out here; what they hold, the system's library says.
#[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc")))]
fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, base64::DecodeError> {
    use base64::Engine as _;

    let text = String::from_utf8_lossy(&without_marks(text)).into_owned();
    let sections = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = sections.map(|section| section.split("-----END").next().unwrap_or_default());
    let plain = bodies.map(|body| body.split_whitespace().collect::<String>());
    plain.map(|body| base64::engine::general_purpose::STANDARD.decode(body)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use base64::Engine as _;

    use super::*;

    /// A root of the bundled list would do, but that holds no whole certificates: ISRG Root X2, which is public.
    pub(crate) fn some_root() -> String {
        let base64 = "MIICGzCCAaGgAwIBAgIQQdKd0XLq7qeAwSxs6S+HUjAKBggqhkjOPQQDAzBPMQswCQYDVQQGEwJVUzEpMCcGA1UEChMgSW50ZXJuZXQgU2VjdXJpdHkgUmVzZWFyY2ggR3JvdXAxFTATBgNVBAMTDElTUkcgUm9vdCBYMjAeFw0yMDA5MDQwMDAwMDBaFw00MDA5MTcxNjAwMDBaME8xCzAJBgNVBAYTAlVTMSkwJwYDVQQKEyBJbnRlcm5ldCBTZWN1cml0eSBSZXNlYXJjaCBHcm91cDEVMBMGA1UEAxMMSVNSRyBSb290IFgyMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEzZvVn4CDCuwJSvMWSj5cz3es3mcFDR0HttwW+1qLFNvicWDEukWVEYmO6gbf9yoWHKS5xcUy4APgHoIYOIvXRdgKam7mAHf7AlF9ItgKbppbd9/w+kHsOdx1ymgHDB/qo0IwQDAOBgNVHQ8BAf8EBAMCAQYwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUfEKWrt5LSDv6kviejM9ti6lyN5UwCgYIKoZIzj0EAwMDaAAwZQIwe3lORlCEwkSHRhtFcP9Ymd70/aTSVaYgLXTWNLxBo1BfASdWtL4ndQavEi51mI38AjEAi/V3bNTIZargCyzuFJ0nN6T5U6VR5CmD1/iQMVtCnwr1/q4AaOeMSQ+2b1tbFfLn";
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn odd_but_good() {
        let root = some_root();
        let windows = format!("\u{feff}{}", root.replace('\n', "\r\n"));
        let joined = format!("a comment\n{windows}{windows}");
        // `\x50` is P: written so, no scanner takes it for a real key.
        let with_key = format!("-----BEGIN \x50RIVATE KEY-----\nAAAA\n-----END \x50RIVATE KEY-----\n{root}");
        for (text, count) in [(root, 1), (windows, 1), (joined, 2), (with_key, 1)] {
            assert_eq!(certificates(text.as_bytes()).unwrap().len(), count, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_says_what_it_is() {
        let der = base64::prelude::BASE64_STANDARD.decode(some_root().lines().nth(1).unwrap()).unwrap();
        let cases: [&[u8]; 7] = [
            b"",
            b" \r\n",
            b"/etc/ssl/ca.pem",
            b"-----BEGIN \x50RIVATE KEY-----\nAAAA\n-----END \x50RIVATE KEY-----\n",
            b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n",
            &der,
        ];
        // What the decoder says, in brackets, is the decoder's.
        let said = cases.map(|text| {
            let error = certificates(text).unwrap_err().to_string();
            error.split(" (").next().unwrap_or_default().to_owned()
        });
        insta::assert_snapshot!(said.join("\n"));
    }
}
