//! Boards' handle: one method is one use case, and a use case that writes is one transaction.

mod acting;
pub(crate) mod activities;
mod bans;
pub(crate) mod boards;
mod checkpoints;
pub(crate) mod competitions;
mod dashboard;
mod entries;
pub(crate) mod friends;
mod history;
pub(crate) mod ledger;
mod live;
pub(crate) mod periods;
mod rates;
pub(crate) mod retention;
mod rules;
pub(crate) mod scores;
mod standings;
pub(crate) mod tiers;

use std::sync::Arc;

use mainstay_contract::{
    boards::{BoardChangedV1, EntriesRemovedV1},
    ts::Ts,
};
use mainstay_core::{
    auth::Auth,
    cache::{Class, Policy},
    clock::Clock,
    db::Db,
    error::Problem,
    events::Log,
    http::Cursors,
    live::Live,
    mount::{Core, Logs, MountError},
    telemetry::Unit,
};
use serde::{Serialize, de::DeserializeOwned};

use self::{
    boards::Board, checkpoints::Checkpoints, live::Watched, rates::Rates, scores::intake::Intake,
    standings::Rankings,
};
use crate::{Config, MIGRATIONS, config::RankingsIn, error::Error};

pub(crate) use self::{
    acting::Acting,
    activities::{AchievementView, ActivityView, DayView, GoalView, NewActivity},
    bans::{BanView, NewBan},
    boards::{BoardView, EditBoard},
    checkpoints::{CHECKPOINT_JOB, FILL_JOB},
    competitions::{
        After, CompetitionView, DayUpdate, EditCompetition, Join, LeaderboardEntry, NewCompetition,
        PayoutView, ResultsView,
    },
    dashboard::Recent,
    entries::{EntriesPage, EntriesQuery, EntryView, Items, StandingQuery, StandingView},
    history::{EntryHistoryView, HistoryQuery},
    ledger::{BalanceView, LedgerEntryView, Money, account_of},
    live::TELL_EVERY,
    periods::PeriodView,
    rules::{DryRun, DryRunItem, DryRunOutcome, DryRunView, RuleErrorView, RuleView},
    scores::{EvidenceView, NewScore},
    tiers::{CohortPart, SeasonOutcome, SeasonPhase, SeasonShown, SeasonView},
};

/// Boards. Cloning is cheap.
#[derive(Clone)]
pub struct Boards {
    inner: Arc<Inner>,
}

/// Counts so many facts that the rule of this name could not be applied to.
type CountRuleErrors = Box<dyn Fn(&str, u64) + Send + Sync>;

struct Inner {
    log: Log,
    clock: Clock,
    cursors: Cursors,
    config: Config,
    /// Boards by name.
    known: Class<String, Arc<Board>>,
    /// Signs results, and knows people's handles.
    auth: Auth,
    rankings: Rankings,
    checkpoints: Arc<Checkpoints>,
    rates: Rates,
    intake: Arc<Intake>,
    live: Live,
    /// Boards that somebody watches.
    watched: Arc<Watched>,
    history: Arc<history::History>,
    /// Orders of few that are being paged.
    orders: entries::KeptOrders,
    /// What others tell, to try rules on.
    logs: Logs,
    /// Rules of the configuration.
    rules: rules::Declared,
    count_rule_errors: CountRuleErrors,
}

impl Boards {
    pub(crate) async fn open(core: &Core, config: Config) -> Result<Self, MountError> {
        let log = core.log("boards", MIGRATIONS).await?;
        let policy = Policy {
            capacity_bytes: 16 << 20,
            items: 10_000,
            soft_ttl_ms: 300_000,
            hard_ttl_ms: 3_600_000,
            ..Policy::new("boards_board")
        };
        let weigh = |id: &String, board: &Arc<Board>| id.len() + board.weight();
        let known = Class::new(policy, log.epochs().clone(), &core.cache_metrics, weigh);
        let checkpoints = Arc::new(Checkpoints::new(core, log.db(), config.checkpoint_after));
        let rankings = rankings(core, &config, &log, &checkpoints)?;
        let history = Arc::<history::History>::default();
        let told = history.clone();
        log.on_fact(Box::new(move |fact| {
            if let Some(removed) = fact.read::<EntriesRemovedV1>() {
                told.forget(removed.board_no);
            } else if let Some(changed) = fact.read::<BoardChangedV1>() {
                told.forget(changed.board_no);
            }
        }));
        let rules = rules::Declared::open(log.db(), &config).await;
        let rules = rules.map_err(|error| MountError::because("read its rules", error))?;
        let scope = core.metrics.scope("boards");
        let help = "Facts that a rule could not be applied to, met by this instance";
        let rule_errors = scope.counter_family("rule_errors", help, Unit::None, &["rule"]);
        let inner = Inner {
            log,
            clock: core.clock.clone(),
            cursors: core.cursors.clone(),
            config,
            known,
            auth: core.auth.clone(),
            rankings,
            checkpoints,
            rates: Rates::default(),
            intake: Arc::default(),
            live: core.live.clone(),
            watched: Arc::default(),
            history,
            orders: entries::KeptOrders::default(),
            logs: core.logs.clone(),
            rules,
            count_rule_errors: Box::new(move |rule, count| {
                rule_errors.with(&[rule]).inc_by(count);
            }),
        };
        let boards = Self { inner: Arc::new(inner) };
        boards.go_live();
        Ok(boards)
    }

    /// Boards' log, which other services and the program follow.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Where a cursor into `list` stands, if there is one.
    ///
    /// # Errors
    /// `MalformedCursor` if it was not made here, or for another list.
    pub(crate) fn open_cursor<T: DeserializeOwned>(
        &self,
        list: &str,
        cursor: Option<&str>,
    ) -> Result<Option<T>, Problem> {
        cursor.map(|cursor| self.inner.cursors.open(list, cursor)).transpose()
    }

    /// A cursor into `list`.
    pub(crate) fn seal_cursor<T: Serialize>(&self, list: &str, place: &T) -> String {
        self.inner.cursors.seal(list, place)
    }

    /// The present.
    pub(crate) fn now(&self) -> Ts {
        self.inner.clock.now()
    }

    /// The live channel.
    pub(crate) fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Drops from memory what nobody has asked for.
    pub(crate) async fn forget_idle(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        self.inner.orders.forget_old(now);
        self.inner.rankings.forget_idle(now.plus_s(-i64::from(self.inner.config.idle_s)), now);
        Ok(())
    }

    /// Keeps rankings current that are held in Redis.
    pub(crate) async fn tend_rankings(&self) -> Result<(), Error> {
        self.inner.rankings.tend().await
    }

    fn db(&self) -> &Db {
        self.inner.log.db()
    }
}

/// Where rankings are held, as it is configured.
fn rankings(
    core: &Core,
    config: &Config,
    log: &Log,
    checkpoints: &Arc<Checkpoints>,
) -> Result<Rankings, MountError> {
    match (config.rankings, &core.redis) {
        (RankingsIn::Memory, _) => {
            let entries_max = config.memory_entries_max.into();
            Ok(Rankings::in_memory(log, checkpoints, core.clock.clone(), entries_max))
        }
        (RankingsIn::Redis, Some(redis)) => {
            Ok(Rankings::in_redis(redis.clone(), log, core.clock.clone(), config.idle_s))
        }
        (RankingsIn::Redis, None) => Err(MountError::new(
            "hold rankings in Redis without one: set `redis.url`, or set `boards.rankings` to `memory`",
        )),
    }
}
