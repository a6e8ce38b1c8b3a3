//! The service over HTTP with JSON, a thin layer over [`Service`]; `GET /openapi.json` describes it.
//!
//! Values are typed JSON (see `docs/table.md`). A failure is `{"status": …, "message": …}` with the same status of HTTP.

mod connections;
mod json;

use crate::error::KvError;
use crate::pb::{CommandRequest, CommandResponse};
use crate::server::Server;
use crate::server::incoming::Incoming;
use crate::service::{Messages, Service};
use crate::storage::{PAGE_MAX, Storage};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;

/// Pairs of a page if the request does not say.
const PAGE_DEFAULT: usize = 100;

/// How long the body of a request may take.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// The description of the interface.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The routes of a service, to be nested in another program's.
pub fn router<Store: Storage>(service: Service<Store>) -> Router {
    let most = service.limits().frame_bytes;
    Router::new()
        .route("/tables/{table}", get(page::<Store>))
        .route(
            "/tables/{table}/{key}",
            get(read::<Store>)
                .put(write::<Store>)
                .delete(delete::<Store>),
        )
        .route(
            "/topics/{topic}",
            get(listen::<Store>).post(publish::<Store>),
        )
        .route("/openapi.json", get(description))
        .fallback(async || failure(404, "There is nothing here; see /openapi.json"))
        .method_not_allowed_fallback(async || failure(405, "See /openapi.json for the methods"))
        .layer(DefaultBodyLimit::max(most))
        .with_state(service)
}

/// Decides by the name of the `Host` header whether a request is taken, so that a page of a browser cannot reach a
/// server of its machine under a name of its own (DNS rebinding).
pub type Names = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Whether a host is named by an address, or as this machine names itself.
#[must_use]
pub fn is_local_name(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost")
}

async fn check_name(State(names): State<Names>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::HOST);
    let host = header.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    // HTTP/2 has it in the target.
    let host = host.as_ref().or(request.uri().authority());
    match host {
        Some(host) if !names(host.host()) => {
            failure(403, "The server does not serve under this name")
        }
        _ => next.run(request).await,
    }
}

/// Serves HTTP on `listener` under the options of `server`, and the names that `names` lets through, until that stops.
///
/// A peer has to send the head of a request in a minute, and its body in another; without that its connection ends.
///
/// # Errors
/// None at present: a listener that fails now and then is asked again.
///
/// # Cancel safety
/// A drop of the future ends it; connections end with their runtime.
pub async fn serve<Store: Storage>(
    server: Server<Store>,
    listener: TcpListener,
    names: Names,
) -> io::Result<()> {
    let incoming = Incoming::new(listener, server.options(), &[b"h2", b"http/1.1"]);
    let router = router(server.service().clone())
        .layer(axum::middleware::from_fn_with_state(names, check_name));
    connections::serve(incoming, router, server.stopping()).await;
    Ok(())
}

fn failure(status: u32, message: &str) -> Response {
    let code = u16::try_from(status)
        .ok()
        .and_then(|s| StatusCode::from_u16(s).ok());
    let body = Json(json!({ "status": status, "message": message }));
    (code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
}

fn failed(error: KvError) -> Response {
    failure(error.status(), &error.to_string())
}

/// The body of a request, if it came in [`BODY_PATIENCE`].
struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Body, Response> {
        let body = Bytes::from_request(request, state);
        match tokio::time::timeout(BODY_PATIENCE, body).await {
            Ok(Ok(body)) => Ok(Body(body)),
            Ok(Err(refused)) => Err(failure(
                refused.status().as_u16().into(),
                &refused.body_text(),
            )),
            Err(_) => Err(failure(408, "The body took too long")),
        }
    }
}

/// The first value of a response, or why there is none.
fn value_of<Store: Storage>(service: &Service<Store>, response: &CommandResponse) -> Response {
    service.sent(1);
    if !response.is_ok() {
        return failure(response.status, &response.message);
    }
    let value = response.values.first().map(json::of_value);
    Json(value.unwrap_or_default()).into_response()
}

async fn read<Store: Storage>(
    State(service): State<Service<Store>>,
    Path((table, key)): Path<(String, String)>,
) -> Response {
    let response = service.run(CommandRequest::new_hget(table, key)).await;
    value_of(&service, &response)
}

async fn write<Store: Storage>(
    State(service): State<Service<Store>>,
    Path((table, key)): Path<(String, String)>,
    Body(body): Body,
) -> Response {
    let value = match json::parse(&body) {
        Ok(value) => value,
        Err(error) => return failed(error),
    };
    let response = service
        .run(CommandRequest::new_hset(table, key, value))
        .await;
    value_of(&service, &response)
}

async fn delete<Store: Storage>(
    State(service): State<Service<Store>>,
    Path((table, key)): Path<(String, String)>,
) -> Response {
    let response = service.run(CommandRequest::new_hdel(table, key)).await;
    value_of(&service, &response)
}

async fn page<Store: Storage>(
    State(service): State<Service<Store>>,
    Path(table): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let limit = match query.get("limit").map(|text| text.parse::<usize>()) {
        None => PAGE_DEFAULT,
        Some(Ok(limit @ 1..=PAGE_MAX)) => limit,
        Some(_) => {
            let text = format!("The limit is a number from 1 to {PAGE_MAX}");
            return failed(KvError::Invalid(text));
        }
    };
    let cursor = query.get("cursor").map(String::as_str);
    let (response, next) = service.page(&table, cursor, limit).await;
    service.sent(1);
    if !response.is_ok() {
        return failure(response.status, &response.message);
    }
    let pairs: Vec<serde_json::Value> = response
        .pairs
        .iter()
        .map(|pair| json!({ "key": pair.key, "value": json::of_value(&pair.value.clone().unwrap_or_default()) }))
        .collect();
    Json(json!({ "pairs": pairs, "next": next })).into_response()
}

async fn publish<Store: Storage>(
    State(service): State<Service<Store>>,
    Path(topic): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Response {
    // Of browsers, this lets only pages through that the server trusts.
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return failure(415, "The content type has to be application/json");
    }
    let values = match json::parse_all(&body) {
        Ok(values) => values,
        Err(error) => return failed(error),
    };
    let response = service
        .run(CommandRequest::new_publish(topic, values))
        .await;
    value_of(&service, &response)
}

async fn listen<Store: Storage>(
    State(service): State<Service<Store>>,
    Path(topic): Path<String>,
) -> Response {
    match service.subscribe(topic) {
        Ok((first, messages)) => {
            service.sent(1);
            let id = first.values.first().map(json::of_value).unwrap_or_default();
            let events = Events {
                first: Some(id),
                messages,
                over: false,
            };
            Sse::new(events)
                .keep_alive(KeepAlive::default())
                .into_response()
        }
        Err(refused) => failure(refused.status, &refused.message),
    }
}

/// A subscription as events: `subscribed` with its id, `message` with an array of values, `end` with why.
struct Events<Store> {
    first: Option<serde_json::Value>,
    messages: Messages<Store>,
    over: bool,
}

fn event(name: &str, data: &serde_json::Value) -> Event {
    // JSON in one line has no line ends, which events must not have.
    Event::default().event(name).data(data.to_string())
}

impl<Store: Storage> futures_core::Stream for Events<Store> {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(id) = self.first.take() {
            return Poll::Ready(Some(Ok(event("subscribed", &id))));
        }
        if self.over {
            return Poll::Ready(None);
        }
        let next = Pin::new(&mut self.messages).poll_next(cx);
        next.map(|message| match message {
            Some(message) => {
                let values = message.values.iter().map(json::of_value).collect();
                Some(Ok(event("message", &serde_json::Value::Array(values))))
            }
            None => {
                self.over = true;
                let why = self.messages.subscription().ended().map(|e| e.response());
                let why = why.unwrap_or_default();
                let data = json!({ "status": why.status, "message": why.message });
                Some(Ok(event("end", &data)))
            }
        })
    }
}

async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
