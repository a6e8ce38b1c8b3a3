//! A table server with hooks and tables on disk, on the crate's own transport (pipelining, topics, an orderly stop).
//!
//! `cargo run --example table-hooks -- [address] [folder]`, then `cargo run --example table-client`; Ctrl-C stops it.

use ochre::table::command_request::RequestData;
use ochre::table::server::{Options, Server, bind};
use ochre::table::{
    CommandRequest, CommandResponse, KvError, Service, ServiceInner, SledDb, Value,
};

/// Refuses to write to tables whose names begin with an underscore.
fn protect(request: &CommandRequest) -> Result<(), KvError> {
    let table = match &request.request_data {
        Some(RequestData::Hset(r)) => &r.table,
        Some(RequestData::Hmset(r)) => &r.table,
        Some(RequestData::Hdel(r)) => &r.table,
        Some(RequestData::Hmdel(r)) => &r.table,
        _ => return Ok(()),
    };
    match table.starts_with('_') {
        true => Err(KvError::Forbidden(format!("Table {table} is read only"))),
        false => Ok(()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:9527".to_owned());
    let folder = args.next().unwrap_or("tables".to_owned());
    let service: Service<SledDb> = ServiceInner::new(SledDb::new(folder))
        .fn_received(|request: &CommandRequest| println!("received {request:?}"))
        .fn_received(protect)
        .fn_executed(|response: &CommandResponse| println!("executed: {}", response.status))
        .fn_before_send(|response| {
            if response.status == 404 {
                // Who asks for nothing gets an empty value.
                *response = Value::default().into();
            }
        })
        .fn_after_send(|| println!("sent"))
        .into();
    let listener = bind(address.parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server::new(service, Options::default());
    tokio::select! {
        () = server.accept(listener) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    server.stop();
    server.stopped().await;
    Ok(())
}
