//! The shim's side of the control socket: takes requests and hands on those that bear the key.
//!
//! Each connection is served by a task of its own, so that a slow one holds up nobody; the supervisor gets orders only.

use std::{fs, io, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use super::entry::complain;
use crate::runtime::{
    RuntimeError, Token,
    control::{Answer, LINE_LIMIT, Order, PATIENCE, Request},
    run_dir::{CONTROL, RunDir},
};

/// More connections than this wait in the socket's queue.
const CONNECTIONS: usize = 16;
/// How long the end of the shim waits for callers to take their answers.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// An order from the owner, and where its answer goes.
pub(super) struct Call {
    pub(super) order: Order,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The bound socket, before anybody is served.
pub(super) struct Listener {
    socket: UnixListener,
    key: Token,
}

impl Listener {
    /// Binds by a short name, the shim being in the run's folder: an address has room for about 100 characters.
    pub(super) fn bind(dir: &RunDir, key: Token) -> Result<Self, RuntimeError> {
        let socket = UnixListener::bind(CONTROL).map_err(RuntimeError::io("listen on", dir.file(CONTROL)))?;
        fs::set_permissions(CONTROL, fs::Permissions::from_mode(0o600))
            .map_err(RuntimeError::io("protect", dir.file(CONTROL)))?;
        Ok(Self { socket, key })
    }

    pub(super) fn serve(self) -> Calls {
        let (sender, receiver) = mpsc::channel(CONNECTIONS);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        tokio::spawn(accept(self, sender, Arc::clone(&places)));
        Calls { receiver, places }
    }
}

/// The orders as they come in.
pub(super) struct Calls {
    receiver: mpsc::Receiver<Call>,
    /// All free when nobody is being served.
    places: Arc<Semaphore>,
}

impl Calls {
    pub(super) async fn next(&mut self) -> Option<Call> {
        self.receiver.recv().await
    }

    /// Takes no more, and lets answers that have been given reach their callers.
    pub(super) async fn close(self) {
        drop(self.receiver);
        let all = u32::try_from(CONNECTIONS).expect("a small number");
        drop(timeout(LAST_WORDS, self.places.acquire_many(all)).await);
    }
}

async fn accept(listener: Listener, calls: mpsc::Sender<Call>, places: Arc<Semaphore>) {
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = tokio::select! {
            () = calls.closed() => return,
            accepted = listener.socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    complain(&error);
                    // Most likely out of file handles: give others time to return some.
                    tokio::time::sleep(PATIENCE / 10).await;
                    continue;
                }
            },
        };
        let (key, calls) = (listener.key.clone(), calls.clone());
        tokio::spawn(async move {
            // A caller that breaks off or says nothing harms only itself.
            drop(timeout(PATIENCE, serve(stream, &key, &calls)).await);
            drop(place);
        });
    }
}

async fn serve(stream: UnixStream, key: &Token, calls: &mpsc::Sender<Call>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(LINE_LIMIT).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Err(error) => Answer::Refused(format!("no request: {error}")),
        Ok(request) if request.key != *key => Answer::Refused("wrong key".to_owned()),
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            // When the supervisor has finished, the caller sees the connection close.
            let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
            calls.send(Call { order: request.order, answer }).await.map_err(|_| gone(()))?;
            answered.await.map_err(|_| gone(()))?
        }
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
