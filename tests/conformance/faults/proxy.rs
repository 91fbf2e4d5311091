//! A proxy before a database server, which cuts connections, or holds a message, at a place in the protocol that a test names.
//!
//! It knows how messages are framed, and which of MongoDB's are its client's own; nothing else of the protocols. Of a connection that is encrypted it
//! sees the records of TLS.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How messages are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A letter, none in the first request of a connection; then the length with itself, in four bytes, high ones first.
    Postgres,
    /// The same, whose first request asks for TLS. The first answer is one byte; then come records: a letter, the version in two bytes, and
    /// the length without all that in two more.
    EncryptedPostgres,
    /// The length with itself, in four bytes, low ones first.
    Mongo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Answer,
}

/// The messages that are counted, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    All,
    /// Those by which MongoDB's client begins a connection and looks after its servers.
    Greetings,
    /// All but those.
    Commands,
}

/// At which message something happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// At the one of this number among those that go the same way.
    Number(usize, Among),
    /// At the first request that holds this text, or the first answer after it.
    Holding(&'static str),
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The connection is cut instead of passing the message on.
    CutBefore,
    /// It is cut after half of the message.
    CutWithin,
    /// It is cut after the message.
    CutAfter,
    /// The message waits until [`Proxy::release`].
    Hold,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) way: Way,
    pub(crate) which: Which,
    pub(crate) deed: Deed,
    /// A connection that is cut is reset, on both sides; else it is closed in order.
    pub(crate) reset: bool,
}

/// A proxy before one server. Dropped, it cuts what it serves.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    protocol: Protocol,
    server: String,
    fault: Mutex<Armed>,
    struck: watch::Sender<bool>,
    /// Whether a message that is held is to be passed on, once that is known.
    released: watch::Sender<Option<bool>>,
    /// Whether nothing passes, and nobody is told.
    frozen: watch::Sender<bool>,
    /// The requests that came since somebody began to listen, but for greetings.
    heard: Mutex<Option<Vec<Vec<u8>>>>,
}

#[derive(Default)]
struct Armed {
    fault: Option<Fault>,
    /// How many messages have gone by that might have been meant.
    passed: usize,
    reset: bool,
}

/// What is known of one connection.
#[derive(Default)]
struct Link {
    /// Whether its last request was a greeting.
    greeted: AtomicBool,
    /// Whether its next answer is the one that is meant.
    asked: AtomicBool,
}

impl Proxy {
    /// Listens for clients of the server at this address.
    pub(crate) async fn start(protocol: Protocol, server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            protocol,
            server: server.to_owned(),
            fault: Mutex::default(),
            struck: watch::Sender::new(false),
            released: watch::Sender::new(None),
            frozen: watch::Sender::new(false),
            heard: Mutex::default(),
        });
        let served = shared.clone();
        let serving = tokio::spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                links.spawn(serve(served.clone(), client));
                while links.try_join_next().is_some() {}
            }
        });
        Proxy { port, shared, serving }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Counts from here on, and does this once when its message comes.
    pub(crate) fn arm(&self, fault: Fault) {
        *self.shared.armed() = Armed { fault: Some(fault), passed: 0, reset: fault.reset };
        self.shared.struck.send_replace(false);
        self.shared.released.send_replace(None);
    }

    /// Does nothing from here on; whether it has.
    pub(crate) fn disarm(&self) -> bool {
        self.shared.armed().fault = None;
        *self.shared.struck.borrow()
    }

    /// Waits until the message has come.
    pub(crate) async fn struck(&self) {
        let _ = self.shared.struck.subscribe().wait_for(|struck| *struck).await;
    }

    /// Passes the message on that is held, or cuts its connection instead.
    pub(crate) fn release(&self, pass_on: bool) {
        self.shared.released.send_replace(Some(pass_on));
    }

    /// From here on every message waits, on whatever connection, as if the network were dead. No connection ends.
    pub(crate) fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// The requests that came since this was last asked, but for greetings, over all connections. The first time it begins to listen, and there are
    /// none.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).replace(Vec::new()).unwrap_or_default()
    }

    /// Passes on what waits, and what comes.
    pub(crate) fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves one client until either side goes, or the connection is cut.
async fn serve(shared: Arc<Shared>, mut client: TcpStream) {
    let Ok(mut server) = TcpStream::connect(&shared.server).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let link = Link::default();
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = shared.pass_on(&link, Way::Request, from_client, to_server) => end,
            end = shared.pass_on(&link, Way::Answer, from_server, to_client) => end,
        }
    };
    if end.is_ok() && shared.armed().reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, Armed> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes messages on until the connection is to be cut. An error is the end of either side.
    async fn pass_on(
        &self,
        link: &Link,
        way: Way,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut first = true;
        loop {
            let message = self.message(way, first, &mut from).await?;
            first = false;
            // The sender is there as long as this.
            let _ = self.frozen.subscribe().wait_for(|frozen| !frozen).await;
            match self.deed(link, way, &message) {
                None => to.write_all(&message).await?,
                Some(Deed::CutBefore) => return Ok(()),
                Some(Deed::CutWithin) => return to.write_all(&message[..message.len() / 2]).await,
                Some(Deed::CutAfter) => return to.write_all(&message).await,
                Some(Deed::Hold) => {
                    let mut released = self.released.subscribe();
                    match released.wait_for(Option::is_some).await.map(|pass_on| *pass_on) {
                        Ok(Some(true)) => to.write_all(&message).await?,
                        _ => return Ok(()),
                    }
                }
            }
        }
    }

    async fn message(&self, way: Way, first: bool, from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
        // How long the head is, where in it the length stands, and what of the message that does not count.
        let (head, at, uncounted) = match (self.protocol, way, first) {
            (Protocol::EncryptedPostgres, Way::Answer, true) => (1, 1..1, 1),
            (Protocol::EncryptedPostgres, _, false) => (5, 3..5, 5),
            (Protocol::Postgres | Protocol::EncryptedPostgres, Way::Request, true) | (Protocol::Mongo, ..) => {
                (4, 0..4, 0)
            }
            (Protocol::Postgres, ..) => (5, 1..5, 1),
        };
        let mut bytes = vec![0; head];
        from.read_exact(&mut bytes).await?;
        let low_first = self.protocol == Protocol::Mongo;
        let digits: Vec<u8> = if low_first { bytes[at].iter().rev().copied().collect() } else { bytes[at].to_vec() };
        let length = digits.iter().fold(0, |length, digit| length * 256 + usize::from(*digit));
        bytes.resize((length + uncounted).max(head), 0);
        from.read_exact(&mut bytes[head..]).await?;
        Ok(bytes)
    }

    /// What is to be done at this message.
    fn deed(&self, link: &Link, way: Way, message: &[u8]) -> Option<Deed> {
        let mut armed = self.armed();
        if way == Way::Request {
            let is_greeting = self.is_greeting(message);
            link.greeted.store(is_greeting, Ordering::Relaxed);
            if let Some(heard) = &mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
                && !is_greeting
            {
                heard.push(message.to_vec());
            }
        }
        let fault = armed.fault?;
        if let (Way::Request, Which::Holding(text)) = (way, fault.which)
            && message.windows(text.len()).any(|part| part == text.as_bytes())
        {
            link.asked.store(true, Ordering::Relaxed);
        }
        if way != fault.way {
            return None;
        }
        let meant = match fault.which {
            Which::Holding(_) => link.asked.swap(false, Ordering::Relaxed),
            Which::Number(number, among) => {
                let greeting = link.greeted.load(Ordering::Relaxed);
                let counts = among == Among::All || (among == Among::Greetings) == greeting;
                armed.passed += usize::from(counts);
                counts && armed.passed == number + 1
            }
        };
        if !meant {
            return None;
        }
        armed.fault = None;
        self.struck.send_replace(true);
        Some(fault.deed)
    }

    /// Whether a client says hello: in the old form, or by the first name in the document of a message.
    fn is_greeting(&self, message: &[u8]) -> bool {
        let operation = message.get(12..16).and_then(|number| number.try_into().ok()).map(u32::from_le_bytes);
        let name = message.get(26..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        self.protocol == Protocol::Mongo
            && (operation == Some(2004) || matches!(name, b"hello" | b"isMaster" | b"ismaster" | b"ping"))
    }
}
