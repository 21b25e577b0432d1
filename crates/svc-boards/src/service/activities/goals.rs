//! Goals, streaks and achievements.

use std::collections::BTreeSet;

use mainstay_contract::{
    boards::{AchievementEarnedV1, GoalReachedV1},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{
    db::{Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::activity::{
        ACHIEVEMENTS, Feat, METRICS_MAX, OLDEST_DAYS, best_month, day_of, day_start, is_name,
        streak,
    },
    service::Boards,
    store::{self, activities::Of},
};

/// The highest goal.
const GOAL_MAX: i64 = 1_000_000_000;

/// A goal and how it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GoalView {
    /// Of what.
    pub(crate) metric: String,
    /// So much each UTC day.
    pub(crate) per_day: i64,
    /// So much today.
    pub(crate) today: i64,
    /// Days in a row on which as much was done, up to today or yesterday. Achievements count days by the goal that
    /// stood when they were told: a lower one of today earns nothing for days that are over.
    pub(crate) streak_days: i64,
    /// The longest such row within the last 400 days.
    pub(crate) longest_streak_days: i64,
}

/// Something that was achieved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AchievementView {
    /// Its stable code.
    pub(crate) code: String,
    /// What it is called.
    pub(crate) title: String,
    /// When.
    pub(crate) earned_at: Ts,
}

impl Boards {
    /// Sets a goal of the caller.
    ///
    /// # Errors
    /// `Invalid` for one that is out of range; `NotFound` for a metric that cannot be; `Conflict` if the caller has as
    /// many goals as a person can have.
    pub(crate) async fn set_goal(
        &self,
        user: UserId,
        metric: &str,
        per_day: i64,
        once: Option<Once>,
    ) -> Result<GoalView, Error> {
        if !is_name(metric) {
            return Err(Error::NotFound);
        }
        if !(1..=GOAL_MAX).contains(&per_day) {
            let detail = format!("Aim for 1 to {GOAL_MAX} a day.");
            return Err(Error::invalid("/per_day", "out_of_range", detail));
        }
        let metric = metric.to_owned();
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let metric = metric.clone();
                Box::pin(async move {
                    let (of, now) = (Of { user, metric: &metric }, tx.now());
                    store::activities::lock_person(tx, user, now).await?;
                    if store::activities::goals_beside(tx, of).await? >= METRICS_MAX {
                        return Err(Error::conflict(format!(
                            "A person has at most {METRICS_MAX} goals. Forget one first."
                        )));
                    }
                    store::activities::set_goal(tx, of, per_day, now).await?;
                    achieve(tx, of, &BTreeSet::from([day_of(now)])).await?;
                    view(tx, of, per_day).await
                })
            })
            .await
    }

    /// Forgets a goal of the caller.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn delete_goal(
        &self,
        user: UserId,
        metric: &str,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let metric = metric.to_owned();
        self.db()
            .write_once(once, move |tx| {
                let metric = metric.clone();
                Box::pin(async move {
                    match store::activities::delete_goal(tx, Of { user, metric: &metric }).await? {
                        true => Ok(()),
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }

    /// A goal of the caller and how it goes.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn goal(&self, user: UserId, metric: &str) -> Result<GoalView, Error> {
        let of = Of { user, metric };
        let mut tx = self.db().read().await?;
        let per_day = store::activities::goal(&mut tx, of).await?.ok_or(Error::NotFound)?;
        view(&mut tx, of, per_day).await
    }

    /// The caller's goals and how they go.
    pub(crate) async fn goals(&self, user: UserId) -> Result<Vec<GoalView>, Error> {
        let mut tx = self.db().read().await?;
        let mut views = Vec::new();
        for (metric, per_day) in store::activities::goals(&mut tx, user).await? {
            views.push(view(&mut tx, Of { user, metric: &metric }, per_day).await?);
        }
        Ok(views)
    }

    /// What the caller has achieved, first things first.
    pub(crate) async fn achievements(&self, user: UserId) -> Result<Vec<AchievementView>, Error> {
        let earned = store::activities::earned(&mut *self.db().read().await?, user).await?;
        let view = |(code, earned_at): (String, Ts)| {
            let known = ACHIEVEMENTS.iter().find(|(known, ..)| *known == code);
            let title = known.map_or(code.clone(), |(_, title, _)| (*title).to_owned());
            AchievementView { code, title, earned_at }
        };
        Ok(earned.into_iter().map(view).collect())
    }
}

async fn view(tx: &mut Tx, of: Of<'_>, per_day: i64) -> Result<GoalView, Error> {
    let today = day_of(tx.now());
    let days = store::activities::days(tx, of, today - OLDEST_DAYS, today + 2).await?;
    let streak = streak(&days, per_day, today);
    let value = days.iter().find(|(day, _)| *day == today).map_or(0, |(_, value)| *value);
    Ok(GoalView {
        metric: of.metric.to_owned(),
        per_day,
        today: value,
        streak_days: streak.current,
        longest_streak_days: streak.longest,
    })
}

/// Notes what has been achieved now, and whether the goal is reached on one of these days, of which something else
/// counts than before; each once, and for good.
pub(super) async fn achieve(tx: &mut Tx, of: Of<'_>, touched: &BTreeSet<i64>) -> Result<(), Error> {
    let now = tx.now();
    let today = day_of(now);
    let days = store::activities::days(tx, of, today - OLDEST_DAYS, today + 2).await?;
    let best = days.iter().map(|(_, value)| *value).max().unwrap_or_default();
    let month = best_month(&days);
    let all = store::activities::sum(tx, of, i64::MIN, i64::MAX).await?;
    let goal = store::activities::goal(tx, of).await?;
    for (day, value) in days.iter().filter(|(day, _)| touched.contains(day)) {
        let Some(per_day) = goal.filter(|goal| value >= goal) else { continue };
        if store::activities::reach(tx, of, *day).await? {
            let (user, metric, day) = (of.user, of.metric.to_owned(), day_start(*day));
            tx.emit(&GoalReachedV1 { user, metric, day, per_day }, &[]).await?;
        }
    }
    // By the goals of then: a lower one of today earns nothing for days that are over.
    let reached = store::activities::reached(tx, of, today - OLDEST_DAYS).await?;
    let reached: Vec<(i64, i64)> = reached.into_iter().map(|day| (day, 1)).collect();
    let row = streak(&reached, 1, today).longest;
    for (code, _, feat) in ACHIEVEMENTS {
        let done = match feat {
            Feat::InADay(metric, least) => metric == of.metric && best >= least,
            Feat::InAMonth(metric, least) => metric == of.metric && month >= least,
            Feat::InAll(metric, least) => metric == of.metric && all >= least,
            Feat::InARow(least) => row >= least,
        };
        if done && store::activities::earn(tx, of.user, code, now).await? {
            let fact = AchievementEarnedV1 { user: of.user, code: code.to_owned() };
            tx.emit(&fact, &[]).await?;
        }
    }
    Ok(())
}
