//! A program: the core and its services, from their mounts to sockets.
//!
//! [`Program::assemble`] turns mounts into a router, [`Program::start`] runs what works in the background, and
//! [`Program::serve`] answers until it is told to end, then drains: first requests, then live connections, then work.

mod audit;
mod facts;
mod probes;
mod supervisor;
mod system;

use std::{sync::Arc, time::Duration};

use mainstay_contract::account::{AccountSuspensionChangedV1, ApiKeyChangedV1, SessionEndedV1};
use tokio::{net::TcpListener, sync::watch};

pub use self::audit::{AuditEntry, AuditLogs, AuditPage, AuditPlace, Verified, VerifyError};
pub use self::facts::{
    DeadLetters, Facts, FactsError, Replay, ReplayPlace, Replayed, Retried, Retry, RetryFailure,
    RetryPlace,
};
use self::supervisor::Supervisor;
use crate::{
    auth::{self, Credential},
    db::Sql,
    error::Tolerate as _,
    events::consumer::{Consumer, Progress},
    health::Health,
    http::{
        Route,
        middleware::{Followed, Gate, GateSettings, Limits},
        router::{self, Router},
        server::{self, Drained, ServerSettings},
    },
    jobs::{self, Periodic},
    live,
    mount::{Core, Mount, MountError, Order},
    telemetry::{AccessLog, HttpMetrics},
};

/// How often the dependencies are looked at.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long background work may take to end.
const END_TIME: Duration = Duration::from_secs(5);

/// What a program is run with.
pub struct ProgramSettings {
    /// Bounds that are the same for every route.
    pub gate: GateSettings,
    /// How many requests a caller may send.
    pub limits: Limits,
    /// Bounds of the sockets.
    pub server: ServerSettings,
    /// Where requests are logged; without it they are counted only.
    pub access: Option<AccessLog>,
    /// How often a log is looked at when nothing hints at a change.
    pub poll: Duration,
    /// How long facts are kept.
    pub retention_days: u32,
    /// Jobs of a service that run at once.
    pub job_workers: u32,
    /// The version in the documents.
    pub version: String,
}

/// A program that is ready to run.
pub struct Program {
    core: Core,
    mounts: Vec<Mount>,
    gate: Arc<Gate>,
    health: Health,
    facts: Facts,
    audit: AuditLogs,
    router: Router,
    /// Each consumer with the service that it writes for, and how far it has come.
    consuming: Vec<(&'static str, Consumer, Progress)>,
    routes: Vec<Route>,
    settings: ServerSettings,
    poll: Duration,
    retention_days: u32,
    job_workers: u32,
    stop: watch::Sender<bool>,
    work: Supervisor,
}

impl Program {
    /// What the command line may ask of the services.
    pub fn orders(&self) -> Vec<Order> {
        self.mounts.iter().flat_map(|mount| mount.orders.iter().cloned()).collect()
    }

    /// Builds the router of `mounts` and of the core's own routes; `pages` are those of the console's shell.
    ///
    /// # Errors
    /// If two routes answer the same request.
    pub fn assemble(
        core: Core,
        services: Vec<Mount>,
        pages: Vec<Route>,
        settings: ProgramSettings,
    ) -> Result<Self, MountError> {
        let ProgramSettings {
            gate,
            limits,
            server,
            access,
            poll,
            retention_days,
            job_workers,
            version,
        } = settings;
        let mut mounts = vec![auth::mount(&core.auth, core.accounts.clone())];
        mounts.extend(services);
        end_connections(&core);
        let health = Health::new();
        let mut routes: Vec<Route> =
            mounts.iter().flat_map(|mount| mount.routes.iter().cloned()).collect();
        routes.extend(live::api::routes(&core.live));
        probes::measure(&core, &mounts);
        let facts = Facts::of(&mounts, core.cursors.clone());
        routes.extend(facts.routes());
        let audit = AuditLogs::of(&mounts, core.auth.clone(), core.cursors.clone());
        routes.extend(audit.routes());
        routes.extend(pages);
        let system = system::System::new(health.clone(), core.metrics.clone());
        routes.extend(system.routes());
        if let Some((method, path)) = router::clash(&routes) {
            return Err(MountError::new(format!(
                "serve `{method} {path}`, which two routes claim"
            )));
        }
        system.describe(&routes, &version);
        let metrics = HttpMetrics::new(&core.metrics);
        let gate = Arc::new(Gate::new(
            gate,
            core.auth.clone(),
            core.clock.clone(),
            limits,
            metrics,
            access,
        ));
        gate.show_media_from(core.blobs.public_url());
        let consuming: Vec<(&'static str, Consumer, Progress)> = mounts
            .iter()
            .flat_map(|mount| mount.consumers.iter().map(|consumer| (mount.name, consumer.clone())))
            .map(|(target, consumer)| (target, consumer, Progress::default()))
            .collect();
        gate.follow(Followed {
            logs: mounts.iter().map(|mount| (mount.name, mount.log.clone())).collect(),
            consumers: consuming
                .iter()
                .map(|(_, consumer, progress)| (consumer.name, consumer.source, progress.clone()))
                .collect(),
        });
        let router = router::router(routes.clone(), &gate)
            .map_err(|error| MountError::because("route requests", error))?;
        let (stop, _) = watch::channel(false);
        let work = Supervisor::new(&core.metrics, stop.clone());
        Ok(Self {
            core,
            mounts,
            gate,
            health,
            facts,
            audit,
            router,
            routes,
            consuming,
            settings: server,
            poll,
            retention_days,
            job_workers,
            stop,
            work,
        })
    }

    /// The gate, for what may change while the program runs.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What consumers put aside, another attempt at it, and state that is told once more.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Who did what, in all services.
    pub fn audit(&self) -> &AuditLogs {
        &self.audit
    }

    /// Every route, as declared.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The router, for tests that need no socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Every statement of every service, by schema.
    pub fn statements(&self) -> Vec<(&Mount, Vec<&'static Sql>)> {
        let all = self.mounts.iter().map(|mount| {
            let base = mount.log.db().outbox().statements();
            (mount, mount.statements.iter().copied().chain(base).collect())
        });
        all.collect()
    }

    /// Begins what works in the background: logs are followed, facts consumed, jobs done, dependencies looked at.
    pub fn start(&mut self) {
        let work = &mut self.work;
        for mount in &self.mounts {
            let (log, poll) = (mount.log.clone(), self.poll);
            work.keep(&format!("{}.follow", mount.name), move |_, stop| {
                log.clone().follow(poll, stop)
            });
            let workers = if mount.jobs.is_empty() { 0 } else { self.job_workers.max(1) };
            for _ in 0..workers {
                let (db, jobs) = (mount.log.db().clone(), mount.jobs.clone());
                work.keep(&format!("{}.jobs", mount.name), move |pulse, stop| {
                    jobs::work(db.clone(), jobs.clone(), pulse, stop)
                });
            }
            for periodic in &mount.periodic {
                repeat(work, periodic.name, periodic.clone());
            }
            let retention = system::retention(&mount.log, self.retention_days);
            repeat(work, &format!("{}.retention", mount.name), retention);
            for (_, consumer, progress) in
                self.consuming.iter().filter(|(to, ..)| *to == mount.name)
            {
                consume(work, consumer, progress, mount, &self.mounts);
            }
        }
        let measuring = self.facts.measuring(&self.core.metrics);
        repeat(work, measuring.name, measuring.clone());
        let live = self.core.live.clone();
        work.keep("live", move |_, stop| live.clone().run(stop));
        probes::register(&self.health, &self.core, &self.mounts, work.watched());
        let health = self.health.clone();
        work.keep("health", move |_, stop| health.clone().watch(PROBE_EVERY, stop));
    }

    /// Looks at every dependency once, so that readiness is known before the first request.
    pub async fn look(&self) {
        self.health.round().await;
    }

    /// Serves until `shutdown` and as long as that is announced, then answers what is under way, ends the live
    /// connections and the background work.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        let (health, gate, stop) = (self.health.clone(), self.gate.clone(), self.stop.clone());
        let announce = self.settings.announce;
        let told = async move {
            shutdown.await;
            gate.drain();
            health.drain();
            // Who balances between instances must see that first; until then whoever comes is answered.
            tokio::time::sleep(announce).await;
            // Live connections would hold up the sockets' end; they are told to come back elsewhere.
            stop.send_replace(true);
        };
        let drained =
            server::serve(listener, self.router.clone(), self.settings.clone(), told).await;
        self.end().await;
        drained
    }

    /// Ends the background work and closes the records.
    pub async fn end(&mut self) {
        self.stop.send_replace(true);
        tokio::time::timeout(END_TIME, self.work.ended())
            .await
            .tolerate("work that does not end is dropped; it is idempotent");
        self.work.abort();
        for mount in &self.mounts {
            mount.log.db().close().await;
        }
    }
}

/// Live connections end with the session, key or account that opened them, on every instance.
fn end_connections(core: &Core) {
    let live = core.live.clone();
    core.accounts.on_fact(Box::new(move |fact| {
        if let Some(ended) = fact.read::<SessionEndedV1>() {
            match ended.session {
                Some(session) => live.disconnect_session(session),
                None => live.disconnect_user(ended.user),
            }
        } else if let Some(changed) = fact.read::<AccountSuspensionChangedV1>() {
            if changed.suspended {
                live.disconnect_user(changed.user);
            }
        } else if let Some(changed) = fact.read::<ApiKeyChangedV1>() {
            live.disconnect(|caller| matches!(caller.credential, Credential::ApiKey(key, _) if key == changed.key));
        }
    }));
}

fn repeat(work: &mut Supervisor, name: &str, periodic: Periodic) {
    work.keep(name, move |pulse, stop| jobs::repeat(periodic.clone(), pulse, stop));
}

/// Has a consumer work, if the service whose facts it takes is there.
fn consume(
    work: &mut Supervisor,
    consumer: &Consumer,
    progress: &Progress,
    mount: &Mount,
    mounts: &[Mount],
) {
    let Some(source) = mounts.iter().find(|source| source.name == consumer.source) else {
        tracing::warn!(
            consumer = consumer.name,
            source = consumer.source,
            "no such service; it consumes nothing"
        );
        return;
    };
    let (consumer, progress) = (consumer.clone(), progress.clone());
    let (source, target) = (source.log.clone(), mount.log.db().clone());
    work.keep(&format!("{}.{}", mount.name, consumer.name), move |_, stop| {
        consumer.clone().run(source.clone(), target.clone(), progress.clone(), stop)
    });
}
