//! The service over gRPC: `ochre.table.Table` of the .proto file, with reflection and health.
//!
//! Thin over [`Service`]: a request is executed as on the raw port, and answered by the same response.

use crate::pb::{CommandRequest, CommandResponse, Subscribe};
use crate::server::Server;
use crate::server::incoming::{Incoming, LOOK, STREAMS_MAX};
use crate::service::{Messages, Service};
use crate::storage::Storage;
use crate::topics::Ended;
use generated::table_server::{Table, TableServer};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all)] // generated
    use crate::pb::*;
    include!("generated/grpc.rs");
}

pub use generated::{table_client, table_server};

/// The service as gRPC's server takes it.
struct Rpc<Store> {
    service: Service<Store>,
}

/// A subscription's id and its messages.
struct Responses<Store> {
    first: Option<CommandResponse>,
    messages: Messages<Store>,
}

impl<Store: Storage> futures_core::Stream for Responses<Store> {
    type Item = Result<CommandResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let next = Pin::new(&mut self.messages).poll_next(cx);
        next.map(|message| match message {
            Some(message) => Some(Ok((*message).clone())),
            None => match self.messages.subscription().ended() {
                Some(why @ Ended::TooSlow) => {
                    Some(Err(Status::resource_exhausted(why.response().message)))
                }
                Some(why @ Ended::Stopped) => {
                    Some(Err(Status::unavailable(why.response().message)))
                }
                Some(Ended::Unsubscribed) | None => None,
            },
        })
    }
}

#[tonic::async_trait]
impl<Store: Storage> Table for Rpc<Store> {
    async fn execute(
        &self,
        request: Request<CommandRequest>,
    ) -> Result<Response<CommandResponse>, Status> {
        let response = self.service.run(request.into_inner()).await;
        self.service.sent(1);
        Ok(Response::new(response))
    }

    type SubscribeStream =
        Pin<Box<dyn futures_core::Stream<Item = Result<CommandResponse, Status>> + Send + 'static>>;

    async fn subscribe(
        &self,
        request: Request<Subscribe>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        match self.service.subscribe(request.into_inner().topic) {
            Ok((first, messages)) => {
                self.service.sent(1);
                let first = Some(first);
                Ok(Response::new(Box::pin(Responses { first, messages })))
            }
            Err(refused) => {
                let only = futures_util::stream::iter([Ok(refused)]);
                Ok(Response::new(Box::pin(only)))
            }
        }
    }
}

/// Serves gRPC on `listener` under the options of `server`, until that stops.
///
/// # Errors
/// When the listener is of no use.
///
/// # Cancel safety
/// A drop of the future ends it; connections end with their runtime.
pub async fn serve<Store: Storage>(server: Server<Store>, listener: TcpListener) -> io::Result<()> {
    let service = server.service().clone();
    let most = service.limits().frame_bytes;
    let incoming = Incoming::new(listener, server.options(), &[b"h2"]);
    let table = TableServer::new(Rpc { service })
        .max_decoding_message_size(most)
        .max_encoding_message_size(most);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<TableServer<Rpc<Store>>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(crate::DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let stopping = {
        let server = server.clone();
        async move { server.stopping().await }
    };
    tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(LOOK))
        .http2_keepalive_timeout(Some(LOOK))
        .add_service(table)
        .add_service(health_service)
        .add_service(reflection().build_v1().map_err(io::Error::other)?)
        .add_service(reflection().build_v1alpha().map_err(io::Error::other)?)
        .serve_with_incoming_shutdown(incoming, stopping)
        .await
        .map_err(io::Error::other)
}
