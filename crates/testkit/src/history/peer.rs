//! Connections that operations run on.

use super::simulated::{Session, Simulated};
use crate::reference::Wire;
use crate::{Connection, InProcess};
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};

/// Where to connect.
pub enum Server<'s> {
    /// An engine in this process.
    InProcess(&'s InProcess),
    /// `host:port` of a server.
    At(String),
    /// A store that may break the rules.
    Simulated(&'s Simulated),
}

/// A connection.
pub enum Peer<'s> {
    /// To an engine in this process.
    InProcess(Box<Connection>),
    /// To a server.
    Wire(Box<Wire>),
    /// To a simulated store.
    Simulated(Session<'s>),
}

impl<'s> Server<'s> {
    /// Another connection.
    ///
    /// # Errors
    /// As TCP gives them.
    ///
    /// # Panics
    /// When `maxclients` are connected in process.
    pub fn connect(&self) -> Result<Peer<'s>, String> {
        match self {
            Server::InProcess(server) => {
                let connection = server.connect(Protocol::Resp2);
                Ok(Peer::InProcess(Box::new(connection)))
            }
            Server::At(address) => {
                let wire = Wire::connect(address).map_err(|e| format!("{address}: {e}"))?;
                Ok(Peer::Wire(Box::new(wire)))
            }
            Server::Simulated(store) => Ok(Peer::Simulated(store.connect())),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Frame, String> {
    let progress = FrameDecoder::new(FrameLimits::default()).decode(bytes);
    let frame = progress.map_err(|e| format!("{e:?}"))?.frame;
    frame.ok_or_else(|| "half a reply".to_owned())
}

impl Peer<'_> {
    /// Sends requests together and waits for their replies.
    ///
    /// # Errors
    /// When the connection is gone; what became of the requests is not known then.
    ///
    /// # Panics
    /// When an engine in process sends what is no reply.
    pub fn exchange(&mut self, requests: &[Vec<Vec<u8>>]) -> Result<Vec<Frame>, String> {
        match self {
            Peer::InProcess(connection) => Ok(connection.window(requests)),
            Peer::Wire(wire) => {
                let mut replies = Vec::new();
                let exchanged = wire.exchange(requests, &mut replies);
                exchanged.map_err(|e| e.to_string())?;
                replies.iter().map(|reply| decode(reply)).collect()
            }
            Peer::Simulated(session) => Ok(session.exchange(requests)),
        }
    }

    /// Sends one request and waits for its reply.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    ///
    /// # Panics
    /// As [`Self::exchange`].
    pub fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> Result<Frame, String> {
        let request = words.iter().map(|w| w.as_ref().to_vec()).collect();
        let reply = self.exchange(&[request])?.pop();
        reply.ok_or_else(|| "no reply".to_owned())
    }

    /// CLIENT ID.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub fn id(&mut self) -> Result<u64, String> {
        match self.call(&["CLIENT", "ID"])? {
            Frame::Integer(id) => u64::try_from(id).map_err(|e| e.to_string()),
            other => Err(format!("CLIENT ID gave {other:?}")),
        }
    }
}
