//! Rules of the configuration, and the shipped example: the top creators of the week from Feed's facts.

use std::sync::Arc;

use mainstay_contract::{
    Fact as _,
    feed::{CommentAddedV1, PostLikedV1, PostUnlikedV1},
    ts::Ts,
};
use mainstay_core::db::Db;

use super::{RuleErrorView, RuleView};
use crate::{
    config::{Config, DeclaredRule},
    error::Error,
    model::{
        board::{BoardSettings, Column, Direction, Ties},
        operate::Operator,
        rule::{Amount, Amounts, Rule, RuleSettings},
        schedule::Reset,
    },
    service::boards::create_in,
    store,
};

/// The board of the shipped example.
pub(crate) const CREATORS: &str = "creators";

/// A rule of the configuration.
pub(crate) struct DeclaredHere {
    pub(crate) id: String,
    pub(crate) settings: RuleSettings,
    pub(super) rule: Rule,
    pub(super) since: Ts,
}

impl DeclaredHere {
    pub(super) fn view(&self, errors: Vec<RuleErrorView>) -> RuleView {
        RuleView {
            id: self.id.clone(),
            settings: self.settings.clone(),
            declared: true,
            since: self.since,
            updated_at: None,
            errors,
        }
    }
}

/// The rules of the configuration. Cloning keeps the same.
#[derive(Clone, Default)]
pub(crate) struct Declared(Arc<[DeclaredHere]>);

impl Declared {
    /// The rules of `config`, each since a program had it first; and the board of the example, if that is wanted and
    /// there is none of its name.
    ///
    /// # Errors
    /// `Invalid` for a rule that a check of the configuration would have refused.
    pub(crate) async fn open(db: &Db, config: &Config) -> Result<Self, Error> {
        let mut rules = Vec::new();
        let example = config.creators.then(creators).into_iter().flatten();
        for DeclaredRule { id, rule: settings } in config.rules.iter().cloned().chain(example) {
            let rule = settings.compile("").map_err(|odd| Error::Invalid(odd.into_vec()))?;
            let name = id.clone();
            let work = db.write(move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    let now = tx.now();
                    Ok::<_, Error>(store::rules::declare(tx, &name, now).await?)
                })
            });
            let since = work.await?;
            rules.push(DeclaredHere { id, settings, rule, since });
        }
        if config.creators {
            make_board(db).await?;
        }
        Ok(Self(rules.into()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DeclaredHere> {
        self.0.iter()
    }

    pub(crate) fn find(&self, id: &str) -> Option<&DeclaredHere> {
        self.0.iter().find(|rule| rule.id == id)
    }
}

async fn make_board(db: &Db) -> Result<(), Error> {
    let work = db.write_queued(&store::boards::LOCK_NUMBERS, &[], |tx| {
        Box::pin(async move {
            if store::boards::board(tx, CREATORS).await?.is_none() {
                create_in(tx, CREATORS, creators_board(), None).await?;
            }
            Ok::<_, Error>(())
        })
    });
    work.await
}

fn creators_board() -> BoardSettings {
    BoardSettings {
        title: "Top creators of the week".into(),
        audience: Default::default(),
        operator: Operator::Incr,
        columns: vec![Column {
            name: "points".into(),
            direction: Direction::Desc,
            scale: 0,
            min: None,
            max: None,
        }],
        ties: Ties::Earliest,
        authoritative: true,
        reset: Some(Reset { cron: "0 0 * * 1".into(), time_zone: "UTC".into() }),
        tiers: None,
        periods_kept: None,
        rate: None,
        evidence: false,
        slices: Vec::new(),
    }
}

/// A like gives a point to who wrote the post, and takes it back; a comment gives two. Nobody scores for themselves.
fn creators() -> [DeclaredRule; 3] {
    let rule = |id: &str, on: &str, points| DeclaredRule {
        id: format!("{CREATORS}.{id}"),
        rule: RuleSettings {
            on: on.into(),
            when: Some("user != author".into()),
            owner: "author".into(),
            board: CREATORS.into(),
            value: Amounts::One(Amount::Whole(points)),
            operator: Some(Operator::Incr),
            by: Some("user".into()),
        },
    };
    [
        rule("liked", PostLikedV1::NAME, 1),
        rule("unliked", PostUnlikedV1::NAME, -1),
        rule("commented", CommentAddedV1::NAME, 2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_sound() {
        assert_eq!(creators_board().faults(), []);
        assert!(creators().iter().all(|it| it.rule.compile("").is_ok()));
    }
}
