//! The ports of the table front whose protocols libraries speak: gRPC and HTTP.

use super::{Store, bind};
use crate::log::Log;
use crate::shared::Shared;
#[cfg(any(feature = "table-grpc", feature = "table-http"))]
use ochre_engine::ports::LogLevel;
#[cfg(feature = "table-http")]
use ochre_engine::settings::id;
use ochre_table::server::Server;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Serves gRPC on `port`, if it is not 0. Must be called inside the runtime that is to serve it.
#[cfg(feature = "table-grpc")]
pub(super) fn start_grpc(
    shared: &Shared,
    log: &Arc<Log>,
    server: &Server<Store>,
    port: u16,
) -> Result<Vec<JoinHandle<()>>, String> {
    start(shared, log, port, "gRPC", |listener| {
        ochre_table::grpc::serve(server.clone(), listener)
    })
}

/// Serves HTTP on `port`, if it is not 0. Must be called inside the runtime that is to serve it.
///
/// Under `protected-mode` only requests for this machine's own names are taken.
#[cfg(feature = "table-http")]
pub(super) fn start_http(
    shared: &Shared,
    log: &Arc<Log>,
    server: &Server<Store>,
    port: u16,
) -> Result<Vec<JoinHandle<()>>, String> {
    let engine = shared.engine.clone();
    let names: ochre_table::http::Names = Arc::new(move |host: &str| {
        !engine.settings.flag(id::PROTECTED_MODE) || ochre_table::http::is_local_name(host)
    });
    start(shared, log, port, "HTTP", |listener| {
        ochre_table::http::serve(server.clone(), listener, names.clone())
    })
}

#[cfg(any(feature = "table-grpc", feature = "table-http"))]
fn start<F: Future<Output = std::io::Result<()>> + Send + 'static>(
    shared: &Shared,
    log: &Arc<Log>,
    port: u16,
    name: &'static str,
    serve: impl Fn(tokio::net::TcpListener) -> F,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut tasks = Vec::new();
    for listener in bind(&shared.engine.settings, port)? {
        let (serving, log) = (serve(listener), log.clone());
        tasks.push(tokio::spawn(async move {
            if let Err(error) = serving.await {
                log.write(
                    LogLevel::Warning,
                    &format!("Table front: {name} ended: {error}"),
                );
            }
        }));
    }
    Ok(tasks)
}

#[cfg(not(feature = "table-grpc"))]
pub(super) fn start_grpc(
    _: &Shared,
    _: &Arc<Log>,
    _: &Server<Store>,
    port: u16,
) -> Result<Vec<JoinHandle<()>>, String> {
    refuse(port, "gRPC")
}

#[cfg(not(feature = "table-http"))]
pub(super) fn start_http(
    _: &Shared,
    _: &Arc<Log>,
    _: &Server<Store>,
    port: u16,
) -> Result<Vec<JoinHandle<()>>, String> {
    refuse(port, "HTTP")
}

#[cfg(not(all(feature = "table-grpc", feature = "table-http")))]
fn refuse(port: u16, name: &str) -> Result<Vec<JoinHandle<()>>, String> {
    match port {
        0 => Ok(Vec::new()),
        _ => Err(format!("this server was built without {name}")),
    }
}
