//! One side of a crowd: clients, and who listens to what happens.
//!
//! Invariant: after [`Side::moment`], everything that followed from the act before has been seen.

use super::{ID_OF, scripts};
use crate::differential::events::{Event, Listener};
use crate::differential::peer::{self, Peer};
use crate::differential::steps;
use crate::in_process::{Connection, InProcess};
use crate::reference::{Release, Wire};
use ochre_resp::{Frame, Protocol};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Stands for the end of a connection among its replies.
pub(super) const CLOSED: &[u8] = b"closed";

/// What was seen after an act.
pub(super) struct Moment {
    /// The replies that came, by client.
    pub(super) replies: Vec<Vec<Vec<u8>>>,
    /// The events that were published.
    pub(super) events: Vec<Event>,
}

enum Client {
    Engine {
        connection: Box<Connection>,
        /// What it was answered since the last look.
        bytes: Vec<u8>,
    },
    Server {
        wire: Box<Wire>,
        /// Replies that were waited for.
        early: Vec<Vec<u8>>,
    },
}

pub(super) struct Side {
    clients: Vec<Client>,
    ids: Vec<Vec<u8>>,
    protocols: Vec<Protocol>,
    listener: Listener,
    /// Where the server is; of an engine, a connection that makes others.
    address: String,
    origin: Peer,
}

impl Side {
    /// A fresh engine in this process.
    pub(super) fn engine(protocols: &[Protocol], release: Release) -> io::Result<Side> {
        let debug = ("enable-debug-command", "yes");
        let settings: Vec<_> = peer::SETTINGS.iter().copied().chain([debug]).collect();
        let server = InProcess::in_real_time(&settings);
        let mut origin = Peer::Engine(Box::new(server.connect(Protocol::Resp2)));
        if release == Release::V70 {
            origin.call(peer::LIKE_70)?;
        }
        Side::start(origin, "", protocols, release)
    }

    /// A server, whose data are dropped.
    pub(super) fn server(
        address: &str,
        protocols: &[Protocol],
        release: Release,
    ) -> io::Result<Side> {
        let mut origin = Peer::server(address, Protocol::Resp2)?;
        origin.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
        origin.call(&["SCRIPT", "FLUSH", "SYNC"])?;
        for library in 0..scripts::LIBRARIES {
            // There may be none.
            origin.call(&["FUNCTION", "DELETE", &format!("lib{library}")])?;
        }
        Side::start(origin, address, protocols, release)
    }

    fn start(
        mut origin: Peer,
        address: &str,
        protocols: &[Protocol],
        release: Release,
    ) -> io::Result<Side> {
        let listener = Listener::new(&mut origin, address, release)?;
        let mut side = Side {
            clients: Vec::new(),
            ids: Vec::new(),
            protocols: protocols.to_vec(),
            listener,
            address: address.to_owned(),
            origin,
        };
        for protocol in protocols {
            let (client, id) = side.client(*protocol)?;
            side.clients.push(client);
            side.ids.push(id);
        }
        Ok(side)
    }

    /// A new client and its id.
    fn client(&self, protocol: Protocol) -> io::Result<(Client, Vec<u8>)> {
        let ask = ["CLIENT", "ID"];
        let (client, reply) = match &self.origin {
            Peer::Engine(origin) => {
                let mut connection = Box::new(origin.beside(protocol));
                let reply = connection.raw(&ask);
                let bytes = Vec::new();
                (Client::Engine { connection, bytes }, reply)
            }
            Peer::Server(_) => {
                let mut wire = Wire::connect(&self.address)?;
                if protocol == Protocol::Resp3 {
                    wire.call(&["HELLO", "3"])?;
                }
                let reply = wire.call(&ask)?;
                let (wire, early) = (Box::new(wire), Vec::new());
                (Client::Server { wire, early }, reply)
            }
        };
        match steps::decode(&reply) {
            Some(Frame::Integer(id)) => Ok((client, id.to_string().into_bytes())),
            _ => Err(io::Error::other("CLIENT ID gave no number")),
        }
    }

    /// Ends a client and puts another one in its place.
    pub(super) fn replace(&mut self, at: usize) -> io::Result<()> {
        let (client, id) = self.client(self.protocols[at])?;
        self.clients[at] = client;
        self.ids[at] = id;
        Ok(())
    }

    /// Sends a request of a client.
    pub(super) fn send(&mut self, at: usize, args: &[Vec<u8>]) -> io::Result<()> {
        let ids = &self.ids;
        let word = |word: &Vec<u8>| {
            let number = word.strip_prefix(ID_OF).and_then(ochre_resp::parse_i64);
            let id = number.and_then(|n| ids.get(usize::try_from(n).ok()?));
            id.unwrap_or(word).clone()
        };
        let args: Vec<Vec<u8>> = args.iter().map(word).collect();
        match &mut self.clients[at] {
            Client::Server { wire, early } => {
                // Since 7.4 the keys go in the background, and the client waits for that.
                let empties = [b"flushall", b"flushdb".as_slice()];
                if empties
                    .iter()
                    .any(|name| args[0].eq_ignore_ascii_case(name))
                {
                    early.push(wire.call(&args)?);
                    return Ok(());
                }
                wire.send_one(&args)
            }
            Client::Engine { connection, bytes } => {
                let reply = catch_unwind(AssertUnwindSafe(|| connection.raw(&args)));
                bytes.extend(reply.map_err(|_| io::Error::other("the engine panicked"))?);
                Ok(())
            }
        }
    }

    /// Everything that came since the last call.
    pub(super) fn moment(&mut self) -> io::Result<Moment> {
        self.settle();
        // The listener's questions are answered after everything before them.
        let events = self.listener.events()?;
        let mut replies = Vec::new();
        for at in 0..self.clients.len() {
            let (mut came, closed) = match &mut self.clients[at] {
                Client::Server { wire, early } => match wire.arrived() {
                    Ok(came) => {
                        early.extend(came);
                        (std::mem::take(early), false)
                    }
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        (Vec::new(), true)
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        (Vec::new(), true)
                    }
                    Err(error) => return Err(error),
                },
                Client::Engine { connection, bytes } => {
                    let bytes = std::mem::take(bytes);
                    let came = if bytes.is_empty() {
                        vec![]
                    } else {
                        vec![bytes]
                    };
                    let session = &connection.session;
                    (came, session.closing || session.client.is_killed())
                }
            };
            if closed {
                came = vec![CLOSED.to_vec()];
                self.replace(at)?;
            }
            replies.push(came);
        }
        Ok(Moment { replies, events })
    }

    /// Lets the clients of an engine that wait do what they have to, until none has.
    fn settle(&mut self) {
        let mut on = true;
        while std::mem::take(&mut on) {
            for client in &mut self.clients {
                let Client::Engine { connection, bytes } = client else {
                    return;
                };
                if connection.is_blocked() && !connection.session.client.is_killed() {
                    bytes.extend(connection.look_raw());
                    on |= !connection.is_blocked();
                }
            }
        }
    }
}
