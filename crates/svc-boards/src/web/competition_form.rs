//! Making, changing and calling off competitions, by administrators.

use axum::extract::State;
use mainstay_console::{
    form::FormErrors,
    visit::{Return, Visit},
};
use mainstay_contract::{boards::CompetitionId, ts::Ts};
use mainstay_core::{
    error::Fault,
    http::{Form, IfMatch, Path, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, REFUSED, Web, competitions::after, said};
use crate::{
    error::Error,
    model::{
        competition::{Phase, TeamScore, Teams},
        money,
    },
    pages::competition_form::{CompetitionForm, competition_form},
    service::{Acting, CompetitionView, EditCompetition, Money, NewCompetition},
};

const NEW: &str = "/competitions/new";

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.admins().takes_form(FORM_BYTES_MAX);
    vec![
        page.get(NEW, new).admins(),
        form(page.post(NEW, create)),
        page.get("/competitions/{id}/edit", edit).admins(),
        form(page.post("/competitions/{id}/edit", save)),
        form(page.post("/competitions/{id}/cancel", cancel)).timeout_ms(60_000),
    ]
}

/// What was sent; empty texts for fields that were left empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    version: i64,
    name: String,
    description: String,
    metric: String,
    starts_at: String,
    ends_at: String,
    join_until: String,
    capacity: String,
    attempts_max: String,
    fee: String,
    convenience_fee: String,
    pool_percent: String,
    prize_split: String,
    teams: String,
    team_n: String,
    team_size_max: String,
}

/// Reads fields and notes what cannot be read.
struct Reader {
    currency: String,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, pointer: &'static str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::new(pointer, code, detail));
    }

    fn number<T: std::str::FromStr>(&mut self, text: &str, pointer: &'static str) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let read = text.parse().ok();
        if read.is_none() {
            self.fault(pointer, "malformed", "Write a whole number.");
        }
        read
    }

    fn money(&mut self, text: &str, pointer: &'static str) -> Option<Money> {
        if text.trim().is_empty() {
            return None;
        }
        let read = money::read(text, &self.currency);
        if read.is_none() {
            self.fault(pointer, "malformed", "Write an amount, such as 50 or 49.90.");
        }
        read.map(|minor| Money { minor, currency: self.currency.clone() })
    }

    /// A sum that is not what it was; nothing was typed for one of 0.
    fn changed(
        &mut self,
        text: &str,
        pointer: &'static str,
        now: &Money,
        open: bool,
    ) -> Option<Money> {
        let nothing = Money { minor: 0, currency: self.currency.clone() };
        let new = match open && text.trim().is_empty() {
            true => Some(nothing),
            false => self.money(text, pointer),
        };
        new.filter(|new| new != now)
    }

    fn moment(&mut self, text: &str, pointer: &'static str) -> Option<Ts> {
        let read = instant(text);
        if read.is_none() && !text.trim().is_empty() {
            self.fault(pointer, "malformed", "Choose a date and a time.");
        }
        read
    }

    fn needed(&mut self, text: &str, pointer: &'static str) -> Ts {
        if text.trim().is_empty() {
            self.fault(pointer, "required", "Choose a date and a time.");
        }
        self.moment(text, pointer).unwrap_or_default()
    }

    fn split(&mut self, text: &str) -> Option<Vec<u32>> {
        let parts = text.split([',', ' ', '/', '%']).filter(|part| !part.is_empty());
        let shares: Result<Vec<u32>, _> = parts.map(str::parse).collect();
        match shares {
            Ok(shares) => Some(shares).filter(|shares| !shares.is_empty()),
            Err(_odd) => {
                self.fault("/prize_split", "malformed", "Write shares, such as 60, 30, 10.");
                None
            }
        }
    }

    fn teams(&mut self, sent: &Sent) -> Option<Teams> {
        let score = match sent.teams.as_str() {
            "sum" => TeamScore::Sum,
            "average" => TeamScore::Average,
            "best_n" => TeamScore::BestN,
            _ => return None,
        };
        // What stands in a field that does not apply is not meant.
        let n = (score == TeamScore::BestN).then(|| self.number(&sent.team_n, "/team_n")).flatten();
        Some(Teams { score, n, size_max: self.number(&sent.team_size_max, "/team_size_max") })
    }

    fn done<T>(self, read: T) -> Result<T, Error> {
        if self.faults.is_empty() { Ok(read) } else { Err(Error::Invalid(self.faults)) }
    }
}

/// RFC 3339 from the script; without it what a browser's field holds, in UTC.
fn instant(text: &str) -> Option<Ts> {
    text.parse().or_else(|_none| format!("{text}:00Z").parse()).ok()
}

impl Sent {
    fn reader(currency: &str) -> Reader {
        Reader { currency: currency.to_owned(), faults: Vec::new() }
    }

    fn made(&self, currency: &str) -> Result<NewCompetition, Error> {
        let mut read = Self::reader(currency);
        let new = NewCompetition {
            name: self.name.clone(),
            description: self.description.trim().to_owned(),
            metric: self.metric.trim().to_owned(),
            starts_at: read.needed(&self.starts_at, "/starts_at"),
            ends_at: read.needed(&self.ends_at, "/ends_at"),
            join_until: read.moment(&self.join_until, "/join_until"),
            capacity: read.number(&self.capacity, "/capacity"),
            attempts_max: read.number(&self.attempts_max, "/attempts_max"),
            fee: read.money(&self.fee, "/fee"),
            convenience_fee: read.money(&self.convenience_fee, "/convenience_fee"),
            pool_percent: read.number(&self.pool_percent, "/pool_percent"),
            prize_split: read.split(&self.prize_split),
            teams: read.teams(self),
        };
        read.done(new)
    }

    /// What differs from the competition as it is: what stays is not touched, also where it may not be.
    fn changed(&self, now: &CompetitionView) -> Result<EditCompetition, Error> {
        let mut read = Self::reader(&now.fee.currency);
        let minute = |at: Ts| at.as_micros().div_euclid(60_000_000);
        let moved = |new: Option<Ts>, old: Ts| new.filter(|new| minute(*new) != minute(old));
        let text = |new: &str, old: &str| (new.trim() != old).then(|| new.trim().to_owned());
        let starts_at = read.needed(&self.starts_at, "/starts_at");
        let ends_at = read.needed(&self.ends_at, "/ends_at");
        let join_until = read.moment(&self.join_until, "/join_until");
        let capacity = read.number(&self.capacity, "/capacity");
        let attempts_max = read.number(&self.attempts_max, "/attempts_max");
        // Once somebody has joined the form has no fields for it.
        let open = now.participant_count == 0;
        let edit = EditCompetition {
            name: text(&self.name, &now.name),
            description: text(&self.description, &now.description),
            starts_at: moved(Some(starts_at), now.starts_at),
            ends_at: moved(Some(ends_at), now.ends_at),
            join_until: moved(join_until, now.join_until),
            capacity: (capacity != now.capacity).then_some(capacity),
            attempts_max: (attempts_max != now.attempts_max).then_some(attempts_max),
            fee: read.changed(&self.fee, "/fee", &now.fee, open),
            convenience_fee: read.changed(
                &self.convenience_fee,
                "/convenience_fee",
                &now.convenience_fee,
                open,
            ),
            pool_percent: read
                .number(&self.pool_percent, "/pool_percent")
                .filter(|percent| *percent != now.pool_percent),
            prize_split: read.split(&self.prize_split).filter(|split| *split != now.prize_split),
        };
        read.done(edit)
    }

    /// The form again, with what was typed.
    fn form(self, currency: &str, errors: FormErrors) -> CompetitionForm {
        CompetitionForm {
            id: None,
            version: self.version,
            starts_at: instant(&self.starts_at),
            ends_at: instant(&self.ends_at),
            join_until: instant(&self.join_until),
            name: self.name,
            description: self.description,
            metric: self.metric,
            capacity: self.capacity,
            attempts_max: self.attempts_max,
            fee: self.fee,
            convenience_fee: self.convenience_fee,
            pool_percent: self.pool_percent,
            prize_split: self.prize_split,
            teams: self.teams,
            team_n: self.team_n,
            team_size_max: self.team_size_max,
            currency: currency.to_owned(),
            taken: false,
            errors,
        }
    }
}

/// The form of a competition as it is.
fn form_of(now: &CompetitionView) -> CompetitionForm {
    let number = |number: Option<i64>| number.map(|it| it.to_string()).unwrap_or_default();
    let amount = |sum: &Money| match sum.minor {
        0 => String::new(),
        minor => money::typed(minor, &sum.currency),
    };
    let shares: Vec<String> = now.prize_split.iter().map(ToString::to_string).collect();
    CompetitionForm {
        id: Some(now.id),
        version: now.version,
        name: now.name.clone(),
        description: now.description.clone(),
        starts_at: Some(now.starts_at),
        ends_at: Some(now.ends_at),
        join_until: Some(now.join_until),
        capacity: number(now.capacity),
        attempts_max: number(now.attempts_max),
        fee: amount(&now.fee),
        convenience_fee: amount(&now.convenience_fee),
        pool_percent: now.pool_percent.to_string(),
        prize_split: shares.join(", "),
        currency: now.fee.currency.clone(),
        taken: now.participant_count > 0,
        ..CompetitionForm::default()
    }
}

async fn new(State(web): State<Web>, visit: Visit) -> Answer {
    let currency = web.boards.currency().to_owned();
    let view = CompetitionForm { currency, metric: "steps".into(), ..CompetitionForm::default() };
    Ok(visit.page(competition_form(&visit.shell(), &view)))
}

async fn create(
    State(web): State<Web>,
    by: Acting,
    visit: Visit,
    Form(sent): Form<Sent>,
) -> Answer {
    let currency = web.boards.currency();
    let made = match sent.made(currency) {
        Ok(new) => web.boards.create_competition(by, new, None).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(after(&web, made.id, "Competition made. People can join it now.")),
        Err(error) => {
            let view = sent.form(currency, said(error)?);
            let visit = visit.at(NEW);
            Ok(visit.page_as(REFUSED, competition_form(&visit.shell(), &view)))
        }
    }
}

async fn edit(State(web): State<Web>, visit: Visit, Path(id): Path<CompetitionId>) -> Answer {
    let now = web.boards.competition(visit.caller.as_ref(), id).await?;
    if now.phase != Phase::Upcoming {
        return Err(Error::conflict("Only what has not begun can be changed."));
    }
    Ok(visit.page(competition_form(&visit.shell(), &form_of(&now))))
}

async fn save(
    State(web): State<Web>,
    by: Acting,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Form(sent): Form<Sent>,
) -> Answer {
    let now = web.boards.competition(visit.caller.as_ref(), id).await?;
    let saved = match sent.changed(&now) {
        Ok(edit) => {
            let read = IfMatch::OneOf([sent.version].into());
            web.boards.edit_competition(by, id, edit, read, None).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(_saved) => Ok(after(&web, id, "Competition saved.")),
        Err(error) => {
            let taken = now.participant_count > 0;
            // Sent again it goes over what somebody else has changed meanwhile, which the form says.
            let version = now.version;
            let view = sent.form(&now.fee.currency, said(error)?);
            let view = CompetitionForm { id: Some(id), version, taken, ..view };
            let visit = visit.at(format!("/competitions/{id}/edit"));
            Ok(visit.page_as(REFUSED, competition_form(&visit.shell(), &view)))
        }
    }
}

async fn cancel(
    State(web): State<Web>,
    by: Acting,
    Path(id): Path<CompetitionId>,
    Form(_form): Form<Return>,
) -> Answer {
    web.boards.cancel_competition(by, id, None).await?;
    Ok(after(&web, id, "Called off. Everybody gets their money back."))
}
