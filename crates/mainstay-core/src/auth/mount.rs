//! Accounts as the program runs them: routes, a consumer and the sweeping up.

use std::{sync::Arc, time::Duration};

use mainstay_contract::{Fact as _, account::AccountStateV1, feed::PersonSuspendedV1, id::UserId};

use super::{Auth, api, model::State, store};
use crate::{
    db::{DbError, Tx},
    events::{
        Log,
        consumer::{Consumer, Isolation},
        snapshot::{Snapshot, Told},
    },
    jobs::Periodic,
    mount::Mount,
    params,
};

/// How long a session that ended is kept, so that an old token of its is still known for what it is.
const ENDED_KEPT_S: i64 = 7 * 24 * 3_600;

/// Accounts, ready to be run; `log` follows the same records. From now on every instance heeds what another ended.
pub fn mount(auth: &Auth, log: Log) -> Mount {
    let heeds = auth.clone();
    log.on_fact(Box::new(move |fact| heeds.apply(fact)));
    Mount {
        name: auth.db().schema(),
        log,
        routes: api::routes(auth),
        consumers: vec![suspensions()],
        snapshots: vec![accounts()],
        orders: Vec::new(),
        jobs: Vec::new(),
        periodic: vec![sweep(auth)],
        demo: Vec::new(),
        statements: store::STATEMENTS.to_vec(),
    }
}

/// Takes over whom a moderator suspended. The fact's own name says whose log it is in.
fn suspensions() -> Consumer {
    let source = PersonSuspendedV1::NAME.split('.').next().unwrap_or_default();
    Consumer {
        name: "suspensions",
        source,
        facts: &[PersonSuspendedV1::NAME],
        isolation: Isolation::Serializable,
        take: Arc::new(|tx, facts| {
            Box::pin(async move {
                for fact in facts.iter().filter_map(|fact| fact.read::<PersonSuspendedV1>()) {
                    Auth::on_person_suspended(tx, &fact).await?;
                }
                Ok(())
            })
        }),
    }
}

/// How each account stands.
fn accounts() -> Snapshot {
    Snapshot {
        of: "accounts",
        tell: Arc::new(|tx, after, limit| Box::pin(tell_accounts(tx, after, limit))),
    }
}

async fn tell_accounts(tx: &mut Tx, after: u128, limit: i64) -> Result<Told, DbError> {
    let rows: Vec<store::StateRow> =
        tx.all(&store::STATES, params![UserId::from_bits(after), limit]).await?;
    for row in &rows {
        let fact = AccountStateV1 {
            user: row.id,
            handle: row.handle.clone(),
            role: row.role.to_string(),
            suspended: row.state == State::Suspended,
            version: row.version,
            person_version: row.person_version,
        };
        tx.emit(&fact, &[]).await?;
    }
    Ok(Told::of(rows.iter().map(|row| row.id.bits())))
}

fn sweep(auth: &Auth) -> Periodic {
    let auth = auth.clone();
    Periodic {
        name: "ended sessions",
        every: Duration::from_secs(3_600),
        run: Arc::new(move || {
            let auth = auth.clone();
            Box::pin(async move {
                let before = auth.db().clock().now().plus_s(-ENDED_KEPT_S);
                auth.prune_sessions(before).await.map(drop).map_err(|error| error.to_string())
            })
        }),
    }
}
