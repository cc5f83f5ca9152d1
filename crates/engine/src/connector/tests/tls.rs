//! No request without a TLS session that holds up: not one byte of it, whatever the certificate says (T71).

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::toxic::{Step, Toxic, send};
use super::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)).unwrap()
}

/// Serves one connection with a certificate, and says what it read of a request, if anything.
fn serve(name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> (u16, Receiver<Vec<u8>>) {
    crate::net::install_tls_provider();
    let mut chain = vec![CertificateDer::from_pem_slice(&file(&format!("{name}.pem"))).unwrap()];
    if name == "by-leaf" {
        chain.push(CertificateDer::from_pem_slice(&file("not-authority.pem")).unwrap());
    }
    let key = PrivateKeyDer::from_pem_slice(&file(&format!("{name}.key.pem"))).unwrap();
    let config = rustls::ServerConfig::builder_with_protocol_versions(versions)
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = channel();
    std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, tcp);
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).unwrap_or(0);
        request.truncate(count);
        // The client may be gone, which is what most of these tests are for.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = told.send(request);
    });
    (port, heard)
}

fn trusting_the_test_authority() -> HttpConnector {
    let root = reqwest::Certificate::from_pem(&file("authority.pem")).unwrap();
    HttpConnector { clients: Clients::trusting(loopback(), vec![root]) }
}

async fn https(connector: &HttpConnector, host: &str, port: u16) -> String {
    let mut call = write_call(&format!("https://{host}:{port}/"));
    call.timeout_ms = 5_000;
    class(&connector.call(&grant(call), None).await)
}

#[tokio::test]
async fn a_good_certificate_is_accepted_by_name_and_by_address() {
    for versions in [[&rustls::version::TLS13], [&rustls::version::TLS12]] {
        for host in ["localhost", "127.0.0.1"] {
            let (port, heard) = serve("good", &versions);
            assert_eq!(https(&trusting_the_test_authority(), host, port).await, "succeeded", "{host}");
            assert!(heard.recv().unwrap().starts_with(b"POST / HTTP/1.1\r\n"));
        }
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_up_gets_no_byte_of_the_request_t71() {
    for name in [
        "expired",
        "early",
        "other-host",
        "name-only",
        "client-only",
        "unknown-authority",
        "self-signed",
        "by-leaf",
    ] {
        let (port, heard) = serve(name, rustls::ALL_VERSIONS);
        assert_eq!(
            https(&trusting_the_test_authority(), "localhost", port).await,
            "failed not_connected",
            "{name}"
        );
        assert!(heard.recv().unwrap().is_empty(), "{name}");
    }
    let (port, heard) = serve("good", rustls::ALL_VERSIONS);
    let system_only = HttpConnector::new(loopback());
    assert_eq!(https(&system_only, "localhost", port).await, "failed not_connected");
    assert!(heard.recv().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_tls_gets_no_byte_of_the_request_t71() {
    let connector = trusting_the_test_authority();
    for (name, steps) in [
        ("plain HTTP", vec![Step::ReadBytes(5), send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]),
        ("an SSL 3 alert", vec![Step::ReadBytes(5), Step::Send(vec![21, 3, 0, 0, 2, 2, 40])]),
        ("closes", vec![Step::ReadBytes(5)]),
        ("resets", vec![Step::ReadBytes(5), Step::Reset]),
    ] {
        let upstream = Toxic::start(steps).await;
        let outcome = https(&connector, "localhost", upstream.address.port()).await;
        assert_eq!(outcome, "failed not_connected", "{name}");
        assert!(!upstream.received().concat().contains("POST"), "{name}");
    }
}

#[tokio::test]
async fn a_host_that_swallows_the_handshake_is_not_connected_rather_than_unclear() {
    let upstream = Toxic::start(vec![Step::Hang]).await;
    let call = write_call(&format!("https://localhost:{}/", upstream.address.port()));
    let outcome = trusting_the_test_authority().call(&grant(call), None).await;
    assert_eq!(class(&outcome), "failed not_connected");
}
