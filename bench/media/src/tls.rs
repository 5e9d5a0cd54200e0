//! TLS for the CDN of the benchmark and for the bare socket that it is compared with: a certificate for `localhost`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::clients::Failure;

/// A connection, encrypted or not.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// Both sides' configuration.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Makes the certificates; clients are to trust what is written to `ca_file`.
    pub fn new(ca_file: &Path) -> Result<Self, Failure> {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate()?)?;
        std::fs::write(ca_file, root.pem())?;
        let key = KeyPair::generate()?;
        let mut own = CertificateParams::new(["localhost".to_owned()])?;
        own.use_authority_key_identifier_extension = true;
        let certificate = own.signed_by(&key, &root)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        let mut roots = RootCertStore::empty();
        let root: &rcgen::Certificate = root.as_ref();
        roots.add(root.der().clone())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }

    pub fn accept(&self, stream: TcpStream) -> Result<Box<dyn Stream>, Failure> {
        Ok(Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&self.server))?, stream)))
    }

    pub fn connect(&self, stream: TcpStream) -> Result<Box<dyn Stream>, Failure> {
        let name = ServerName::try_from("localhost")?;
        Ok(Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(&self.client), name)?, stream)))
    }
}
