use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection to a client, read line by line.
pub(super) struct Stream {
    socket: Socket,
    read: Vec<u8>,
}

enum Socket {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// In between.
    None,
}

impl Stream {
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket: Socket::Plain(socket), read: Vec::new() })
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.socket, Socket::Encrypted(_))
    }

    /// Encrypts the connection from here on. What was read too far is forgotten.
    pub(super) fn encrypt(&mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        self.read.clear();
        if let Socket::Plain(socket) = std::mem::replace(&mut self.socket, Socket::None) {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            self.socket = Socket::Encrypted(Box::new(StreamOwned::new(connection, socket)));
        }
        Ok(())
    }

    /// The next line without its end, or `None` when the client has gone.
    pub(super) fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.read.windows(2).position(|octets| octets == b"\r\n") {
                let line = String::from_utf8_lossy(&self.read[..end]).into_owned();
                self.read.drain(..end + 2);
                return Ok(Some(line));
            }
            let mut octets = [0; 4096];
            match self.read_some(&mut octets)? {
                0 => return Ok(None),
                length => self.read.extend_from_slice(&octets[..length]),
            }
        }
    }

    /// The message up to the line with nothing but a dot, or `None` when the client has gone.
    pub(super) fn message(&mut self) -> io::Result<Option<String>> {
        let mut message = String::new();
        while let Some(line) = self.line()? {
            if line == "." {
                return Ok(Some(message));
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
            message.push_str("\r\n");
        }
        Ok(None)
    }

    /// Waits until the client has gone.
    pub(super) fn wait_for_the_end(&mut self) -> io::Result<()> {
        while self.line()?.is_some() {}
        Ok(())
    }

    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        let text = format!("{text}\r\n");
        match &mut self.socket {
            Socket::Plain(socket) => socket.write_all(text.as_bytes()),
            Socket::Encrypted(socket) => socket.write_all(text.as_bytes()).and_then(|()| socket.flush()),
            Socket::None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn read_some(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.read(octets),
            Socket::Encrypted(socket) => socket.read(octets),
            Socket::None => Err(ErrorKind::NotConnected.into()),
        }
    }
}
