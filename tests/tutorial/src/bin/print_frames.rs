//! A server that prints what it is sent and answers with an error.

use mini_redis::{Connection, Frame};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind(ochre_tutorial::address()).await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    let (socket, _) = listener.accept().await.unwrap();
    process(socket).await;
}

async fn process(socket: TcpStream) {
    let mut connection = Connection::new(socket);
    if let Some(frame) = connection.read_frame().await.unwrap() {
        println!("GOT: {:?}", frame);
        let response = Frame::Error("unimplemented".to_string());
        connection.write_frame(&response).await.unwrap();
    }
}
