//! A transaction that somebody holds open, for what must not wait for it.

use mainstay_core::db::DbError;
use mainstay_testkit::program::Program;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

/// A transaction on a service's records that has written something and stays open until it is told to go.
pub(crate) struct Held {
    leave: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Held {
    /// Resolves when the transaction of `service` has written.
    pub(crate) async fn on(house: &Program, service: &str) -> Self {
        let (entered, is_in) = oneshot::channel::<()>();
        let (leave, may_leave) = watch::channel(false);
        let entered = std::sync::Mutex::new(Some(entered));
        let db = house.db(service).clone();
        let ended = tokio::spawn(async move {
            db.write::<_, DbError, _>(move |tx| {
                let (entered, mut may_leave) = (entered.lock().unwrap().take(), may_leave.clone());
                Box::pin(async move {
                    // Something written, so that the transaction has a number.
                    let now = tx.now();
                    mainstay_core::jobs::add(tx, "nothing", "key", "{}", now.plus_s(3_600)).await?;
                    if let Some(entered) = entered {
                        entered.send(()).unwrap();
                    }
                    may_leave.wait_for(|leave| *leave).await.unwrap();
                    Ok(())
                })
            })
            .await
            .unwrap();
        });
        is_in.await.unwrap();
        Self { leave, ended }
    }

    /// Lets it commit.
    pub(crate) async fn end(self) {
        self.leave.send_replace(true);
        self.ended.await.unwrap();
    }
}
