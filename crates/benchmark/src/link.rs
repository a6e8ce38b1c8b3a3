//! A socket that does not wait, with or without TLS.

use rustls::ClientConnection;
use socket2::Socket;
use std::io::{self, Read as _, Write as _};

/// One connection's bytes.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) socket: Socket,
    tls: Option<Box<ClientConnection>>,
}

impl Link {
    pub(crate) fn new(socket: Socket, tls: Option<Box<ClientConnection>>) -> Link {
        Link { socket, tls }
    }

    /// Whether it is encrypted, so that bytes may be here that the socket does not tell of.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether there are bytes that the socket had no room for.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Reads what is there: 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there, and what ends the connection.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return (&self.socket).read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // compat: servers end without TLS's farewell.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            if tls.read_tls(&mut &self.socket)? == 0 {
                return Ok(0);
            }
            let processed = tls.process_new_packets();
            // Tells the server what is wrong, or goes on with the handshake.
            let flushed = flush(tls, &self.socket);
            processed.map_err(|e| io::Error::other(format!("TLS: {e}")))?;
            flushed?;
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, and what ends the connection.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return (&self.socket).write(bytes);
        };
        // The writer's own bound keeps what is taken small.
        let taken = tls.writer().write(bytes)?;
        flush(tls, &self.socket)?;
        match taken {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    /// Writes what is encrypted already, as far as there is room.
    ///
    /// # Errors
    /// What ends the connection.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => flush(tls, &self.socket),
        }
    }
}

fn flush(tls: &mut ClientConnection, mut socket: &Socket) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut socket) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
