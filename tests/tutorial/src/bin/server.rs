//! A server with a task per connection and a map that they share, sharded by the key's hash.

use bytes::Bytes;
use mini_redis::Command::{self, Get, Set};
use mini_redis::{Connection, Frame};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};

type ShardedDb = Arc<Vec<Mutex<HashMap<String, Bytes>>>>;

fn shard<'a>(db: &'a ShardedDb, key: &str) -> &'a Mutex<HashMap<String, Bytes>> {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    &db[hasher.finish() as usize % db.len()]
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind(ochre_tutorial::address()).await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    let db: ShardedDb = Arc::new((0..4).map(|_| Mutex::default()).collect());
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let db = db.clone();
        tokio::spawn(async move {
            process(socket, db).await;
        });
    }
}

async fn process(socket: TcpStream, db: ShardedDb) {
    let mut connection = Connection::new(socket);
    while let Some(frame) = connection.read_frame().await.unwrap() {
        let response = match Command::from_frame(frame).unwrap() {
            Set(cmd) => {
                let mut db = shard(&db, cmd.key()).lock().unwrap();
                db.insert(cmd.key().to_string(), cmd.value().clone());
                Frame::Simple("OK".to_string())
            }
            Get(cmd) => {
                let db = shard(&db, cmd.key()).lock().unwrap();
                if let Some(value) = db.get(cmd.key()) {
                    Frame::Bulk(value.clone())
                } else {
                    Frame::Null
                }
            }
            cmd => Frame::Error(format!("ERR unknown command {:?}", cmd)),
        };
        connection.write_frame(&response).await.unwrap();
    }
}
