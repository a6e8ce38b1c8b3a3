//! The service and its hooks, without a socket.

use ochre_table::{
    CommandRequest, CommandResponse, Hook, KvError, Kvpair, Limits, MemTable, Service,
    ServiceInner, Value, Verdict,
};
use std::sync::{Arc, Mutex};

fn assert_ok(response: &CommandResponse, values: &[Value], pairs: &[Kvpair]) {
    let mut sorted = response.pairs.clone();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.message, "");
    assert_eq!(response.values, values);
    assert_eq!(sorted, pairs);
}

#[test]
fn every_request_is_answered_as_the_protocol_says() {
    let service: Service = ServiceInner::new(MemTable::new()).into();
    let run = |request| service.execute(request);
    let none = Value::default();
    assert_ok(
        &run(CommandRequest::new_hset("t1", "hello", "world".into())),
        std::slice::from_ref(&none),
        &[],
    );
    assert_ok(
        &run(CommandRequest::new_hset("t1", "hello", "world1".into())),
        &["world".into()],
        &[],
    );
    assert_ok(
        &run(CommandRequest::new_hget("t1", "hello")),
        &["world1".into()],
        &[],
    );
    let missing = run(CommandRequest::new_hget("score", "u1"));
    assert_eq!(missing.status, 404);
    assert!(missing.message.contains("score") && missing.message.contains("u1"));
    let pairs = vec![
        Kvpair::new("u1", 10),
        Kvpair::new("u2", 8),
        Kvpair::new("u1", 6),
    ];
    let set = run(CommandRequest::new_hmset("score", pairs));
    assert_ok(&set, &[none.clone(), none.clone(), 10.into()], &[]);
    let all = run(CommandRequest::new_hgetall("score"));
    assert_ok(&all, &[], &[Kvpair::new("u1", 6), Kvpair::new("u2", 8)]);
    let got = run(CommandRequest::new_hmget("score", ["u1", "u9", "u2"]));
    assert_ok(&got, &[6.into(), none.clone(), 8.into()], &[]);
    assert_ok(
        &run(CommandRequest::new_hexist("score", "u1")),
        &[true.into()],
        &[],
    );
    let there = run(CommandRequest::new_hmexist("score", ["u1", "u9"]));
    assert_ok(&there, &[true.into(), false.into()], &[]);
    assert_ok(
        &run(CommandRequest::new_hdel("score", "u1")),
        &[6.into()],
        &[],
    );
    assert_ok(
        &run(CommandRequest::new_hdel("score", "u1")),
        std::slice::from_ref(&none),
        &[],
    );
    let gone = run(CommandRequest::new_hmdel("score", ["u2", "u9"]));
    assert_ok(&gone, &[8.into(), none], &[]);
    assert_ok(&run(CommandRequest::new_hgetall("score")), &[], &[]);
    assert_eq!(run(CommandRequest::default()).status, 400);
    assert_eq!(run(CommandRequest::new_subscribe("t")).status, 400);
    assert_eq!(run(CommandRequest::new_unsubscribe("t", 7)).status, 404);
    assert_eq!(run(CommandRequest::new_publish("t", [])).status, 400);
    assert_ok(
        &run(CommandRequest::new_publish("t", [1.into()])),
        &[0.into()],
        &[],
    );
}

#[test]
fn limits_hold() {
    let limits = Limits {
        frame_bytes: 1000,
        keys: 3,
    };
    let service: Service = ServiceInner::new(MemTable::new()).limits(limits).into();
    let keys = ["a", "b", "c", "d"];
    assert_eq!(
        service.execute(CommandRequest::new_hmget("t", keys)).status,
        413
    );
    assert_eq!(
        service.execute(CommandRequest::new_hmdel("t", keys)).status,
        413
    );
    let pairs = keys.map(|key| Kvpair::new(key, key));
    assert_eq!(
        service
            .execute(CommandRequest::new_hmset("t", pairs))
            .status,
        413
    );
    let large = Value::from("x".repeat(2000));
    assert_eq!(
        service
            .execute(CommandRequest::new_hset("t", "k", large))
            .status,
        200
    );
    assert_eq!(
        service.execute(CommandRequest::new_hget("t", "k")).status,
        413
    );
    assert_eq!(
        service.execute(CommandRequest::new_hgetall("t")).status,
        413
    );
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("no panic under it").push(line.into());
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic under it"))
    }
}

#[test]
fn hooks_run_in_order_and_change_the_response() {
    let log = Log::default();
    let notes: Vec<Log> = (0..7).map(|_| log.clone()).collect();
    let [a, b, c, d, e, f, g]: [Log; 7] = notes.try_into().ok().unwrap();
    let service: Service = ServiceInner::new(MemTable::default())
        .fn_received(move |_: &CommandRequest| a.note("received 1"))
        .fn_received(move |_| b.note("received 2"))
        .fn_executed(move |res| c.note(format!("executed {}", res.status)))
        .fn_before_send(move |res| {
            d.note("before 1");
            res.status = 201;
        })
        .fn_before_send(|res| match res.message.as_ref() {
            "" => res.message = "altered. Original message is empty.".into(),
            s => res.message = format!("altered: {s}"),
        })
        .fn_before_send(move |res| e.note(format!("before 3: {} {}", res.status, res.message)))
        .fn_after_send(move || f.note("after 1"))
        .fn_after_send(move || g.note("after 2"))
        .into();
    let response = service.execute(CommandRequest::new_hset("t", "k", "v".into()));
    service.sent(1);
    assert_eq!(response.status, 201);
    assert_eq!(response.values, [Value::default()]);
    let wanted = [
        "received 1",
        "received 2",
        "executed 200",
        "before 1",
        "before 3: 201 altered. Original message is empty.",
        "after 1",
        "after 2",
    ];
    assert_eq!(log.take(), wanted);
}

struct Shy;

impl Hook for Shy {
    fn received(&self, request: &CommandRequest) -> Verdict {
        let panics = *request == CommandRequest::new_hget("t", "panic");
        assert!(!panics, "as asked");
        Verdict::Go
    }
    fn executed(&self, request: &CommandRequest, _: &CommandResponse) -> Verdict {
        match *request == CommandRequest::new_hget("t", "hidden") {
            true => Err(KvError::NotFound {
                table: "t".into(),
                key: "hidden".into(),
            })
            .into(),
            false => Verdict::Go,
        }
    }
}

#[test]
fn a_hook_may_veto_before_and_after() {
    let service: Service = ServiceInner::new(MemTable::new())
        .fn_received(|request| match request.request_data {
            Some(ochre_table::command_request::RequestData::Hdel(_)) => {
                Err(KvError::Forbidden("nothing is deleted here".to_owned()))
            }
            _ => Ok(()),
        })
        .hook(Shy)
        .into();
    service.execute(CommandRequest::new_hset("t", "hidden", "v".into()));
    let refused = service.execute(CommandRequest::new_hdel("t", "hidden"));
    assert_eq!(
        (refused.status, &*refused.message),
        (403, "nothing is deleted here")
    );
    assert_eq!(
        service
            .execute(CommandRequest::new_hexist("t", "hidden"))
            .values,
        [true.into()]
    );
    assert_eq!(
        service
            .execute(CommandRequest::new_hget("t", "hidden"))
            .status,
        404
    );
}

#[test]
fn a_panic_in_a_hook_is_contained() {
    let log = Log::default();
    let note = log.clone();
    let service: Service = ServiceInner::new(MemTable::new())
        .hook(Shy)
        .fn_before_send(|res| assert_ne!(res.message, "break", "as asked"))
        .fn_before_send(move |res| note.note(res.status.to_string()))
        .fn_after_send(|| panic!("as asked"))
        .into();
    assert_eq!(
        service
            .execute(CommandRequest::new_hget("t", "panic"))
            .status,
        500
    );
    assert_eq!(
        service
            .execute(CommandRequest::new_hget("t", "other"))
            .status,
        404
    );
    service.sent(2);
    assert_eq!(service.hook_panics(), 3);
    assert_eq!(log.take(), ["500", "404"]);
}

#[tokio::test]
async fn subscriptions_are_streams_that_hooks_see() {
    use tokio_stream::StreamExt as _;
    let service: Service = ServiceInner::new(MemTable::new())
        .fn_before_send(|res| res.message = "seen".to_owned())
        .into();
    let (first, mut messages) = service.subscribe("lobby").unwrap();
    let id: i64 = first.values[0].clone().try_into().unwrap();
    assert_eq!(first.message, "seen");
    let sent = service.execute(CommandRequest::new_publish("lobby", ["hello".into()]));
    assert_eq!(sent.values, [1.into()]);
    let message = messages.next().await.unwrap();
    assert_eq!(
        (&*message.message, &message.values[..]),
        ("seen", &["hello".into()][..])
    );
    let id = u32::try_from(id).unwrap();
    assert_eq!(
        service
            .execute(CommandRequest::new_unsubscribe("lobby", id))
            .status,
        200
    );
    assert!(messages.next().await.is_none());
}
