//! How a running program is told to end: the first signal drains, a second one ends it at once.

use std::{io, process};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Tells every part when the end has begun. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Shutdown {
    begun: watch::Receiver<bool>,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// If the system does not let signals be listened for.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        let (begin, begun) = watch::channel(false);
        drop(tokio::spawn(async move {
            let name = signals.next().await.1;
            tracing::info!(signal = name, "ending: requests under way are answered first");
            begin.send_replace(true);
            let (number, name) = signals.next().await;
            tracing::warn!(signal = name, "ending at once");
            process::exit(128 + number);
        }));
        Ok(Self { begun })
    }

    /// Returns when the end has begun.
    pub(crate) fn begun(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut begun = self.begun.clone();
        async move {
            if begun.wait_for(|begun| *begun).await.is_err() {
                // The listener is gone, so no signal can arrive any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> (i32, &'static str) {
        tokio::select! {
            _ = self.terminate.recv() => (15, "SIGTERM"),
            _ = self.interrupt.recv() => (2, "SIGINT"),
        }
    }
}
