//! TLS in front of the sandbox's door: AWS is met through it, and a sandbox does without.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Failure;

/// A port that ends TLS and passes everything on.
pub struct Front {
    /// Where it is, by the name in its certificate.
    pub url: String,
    /// The bundle of authorities that holds the one of its certificate among those of the system.
    pub authorities: PathBuf,
}

/// Opens one before the door at `url`, with what `scripts/bench` laid into the folder; it stays until the process ends.
pub async fn open(url: &str, certificates: &Path) -> Result<Front, Failure> {
    let door: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse()?;
    let chain = CertificateDer::pem_file_iter(certificates.join("door.pem"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(certificates.join("door.key"))?;
    let acceptor =
        TlsAcceptor::from(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(pass(acceptor.clone(), caller, door));
        }
    });
    Ok(Front { url, authorities: certificates.join("authorities.pem") })
}

/// Passes one connection on. Where it breaks, both ends see it, and the measurement fails by that.
async fn pass(acceptor: TlsAcceptor, caller: TcpStream, door: SocketAddr) -> std::io::Result<()> {
    let mut caller = acceptor.accept(caller).await?;
    let mut door = TcpStream::connect(door).await?;
    caller.get_ref().0.set_nodelay(true)?;
    door.set_nodelay(true)?;
    copy_bidirectional(&mut caller, &mut door).await?;
    Ok(())
}
