//! Ochre in process, for documentation examples and tests of the client.

use ochre_server::Server;
use std::future::Future;

/// Runs `example` on a Tokio runtime with the address of a fresh server.
///
/// # Panics
/// When the server does not start or the example fails.
pub fn with<F, Fut>(example: F)
where
    F: FnOnce(String) -> Fut,
    Fut: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>>,
{
    let server = start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(example(address(&server)))
        .expect("an example that works");
}

/// A server on a free port with settings given as (name, value).
///
/// # Panics
/// When it does not start.
#[must_use]
pub fn start(settings: &[(&str, &str)]) -> Server {
    let mut builder = Server::builder().port(0).workers(1);
    for (name, value) in settings {
        builder = builder.setting(*name, value);
    }
    builder.start().expect("a server")
}

/// `host:port` of a server.
///
/// # Panics
/// When it listens on no port.
#[must_use]
pub fn address(server: &Server) -> String {
    server.address().expect("a port").to_string()
}
