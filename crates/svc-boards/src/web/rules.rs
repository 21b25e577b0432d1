//! Rules, by administrators: the list, making and changing one, trying it out.

use axum::{extract::State, response::Response};
use mainstay_console::{
    form::FormErrors,
    visit::{Return, Visit},
};
use mainstay_core::{
    auth::Role,
    http::{Form, LimitClass, Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Names, PAGE_LEN, REFUSED, Web, said};
use crate::{
    error::Error,
    model::{
        operate::Operator,
        rule::{Amount, Amounts, RuleSettings, is_rule_id},
    },
    pages::{
        keeping::Kept,
        rules::{LAST, RuleForm, RulePage, RulesPage, Tried, rule_page, rules_page, value_lines},
    },
    service::{Acting, DryRun, DryRunView, RuleView},
};

const RULES: &str = Kept::Rules.href();

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.admins().takes_form(FORM_BYTES_MAX);
    vec![
        page.get("/admin/boards", first).moderators(),
        page.get(RULES, list).admins(),
        form(page.post(RULES, send)).limit(LimitClass::Search),
        page.get("/admin/boards/new-rule", new).admins(),
        page.get("/admin/boards/rules/{rule}", show).admins(),
        form(page.post("/admin/boards/rules/{rule}/delete", delete)),
    ]
}

/// The first of the pages that the visitor may see.
async fn first(State(web): State<Web>, visit: Visit) -> Response {
    let admin = visit.caller.as_ref().is_some_and(|caller| caller.acts_as(Role::Admin));
    web.site.go(if admin { RULES } else { Kept::Bans.href() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    cursor: Option<String>,
}

async fn list(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let after: Option<String> = web.boards.open_cursor("rules page", listed.cursor.as_deref())?;
    let (rules, last) = web.boards.list_rules(&after.unwrap_or_default(), PAGE_LEN).await?;
    let next_cursor = last.map(|last| web.boards.seal_cursor("rules page", &last));
    Ok(visit.page(rules_page(&visit.shell(), &RulesPage { rules, next_cursor })))
}

async fn new(State(_web): State<Web>, visit: Visit) -> Answer {
    let form = RuleForm {
        new: true,
        on: "feed.post_liked.v1".into(),
        value: "1".into(),
        last: LAST[1],
        ..RuleForm::default()
    };
    let view = RulePage { form, failed: Vec::new(), tried: None };
    Ok(visit.page(rule_page(&visit.shell(), &view)))
}

fn form_of(rule: &RuleView) -> RuleForm {
    let settings = rule.settings.clone();
    RuleForm {
        id: rule.id.clone(),
        declared: rule.declared,
        value: value_lines(&settings.value),
        on: settings.on,
        when: settings.when.unwrap_or_default(),
        owner: settings.owner,
        board: settings.board,
        operator: settings.operator.map(Operator::as_str).unwrap_or_default().to_owned(),
        by: settings.by.unwrap_or_default(),
        last: LAST[1],
        ..RuleForm::default()
    }
}

async fn show(State(web): State<Web>, visit: Visit, Path(id): Path<String>) -> Answer {
    let rule = web.boards.rule(&id).await?;
    let view = RulePage { form: form_of(&rule), failed: rule.errors, tried: None };
    Ok(visit.page(rule_page(&visit.shell(), &view)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    act: String,
    new: String,
    id: String,
    on: String,
    when: String,
    owner: String,
    board: String,
    value: String,
    operator: String,
    by: String,
    last: u32,
}

impl Sent {
    fn settings(&self) -> RuleSettings {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let lines = self.value.lines().map(str::trim).filter(|line| !line.is_empty());
        let amount = |line: &str| match line.parse() {
            Ok(number) => Amount::Whole(number),
            Err(_words) => Amount::Text(line.to_owned()),
        };
        let mut amounts: Vec<Amount> = lines.map(amount).collect();
        RuleSettings {
            on: self.on.clone(),
            when: given(&self.when),
            owner: self.owner.trim().to_owned(),
            board: self.board.trim().to_owned(),
            value: match (amounts.len(), amounts.pop()) {
                (1, Some(one)) => Amounts::One(one),
                (_, last) => {
                    amounts.extend(last);
                    Amounts::Each(amounts)
                }
            },
            operator: Operator::parse(&self.operator),
            by: given(&self.by),
        }
    }

    fn form(self, errors: FormErrors) -> RuleForm {
        RuleForm {
            new: !self.new.is_empty(),
            declared: false,
            id: self.id,
            on: self.on,
            when: self.when,
            owner: self.owner,
            board: self.board,
            value: self.value,
            operator: self.operator,
            by: self.by,
            last: self.last,
            errors,
        }
    }
}

/// Errors of a trial and of single columns stand at the fields of the form.
fn at_fields(mut errors: FormErrors) -> FormErrors {
    for error in &mut errors.0 {
        let pointer = error.pointer.strip_prefix("/rule").unwrap_or(&error.pointer);
        let field = if pointer.starts_with("/value/") { "/value" } else { pointer };
        error.pointer = field.to_owned();
    }
    errors
}

impl Web {
    /// Saves or tries what was sent; what was tried, if it was.
    async fn rule_sent(&self, by: Acting, sent: &Sent) -> Result<Option<DryRunView>, Error> {
        if !is_rule_id(&sent.id) {
            let detail = "Name it in 1 to 64 letters, digits, `-`, `_` and `.`.";
            return Err(Error::invalid("/id", "characters", detail));
        }
        if sent.act == "try" {
            let last = if LAST.contains(&sent.last) { sent.last } else { LAST[1] };
            let rule = Some(sent.settings());
            return self.boards.dry_run(&sent.id, DryRun { last, rule }).await.map(Some);
        }
        if !sent.new.is_empty() && self.boards.rule(&sent.id).await.is_ok() {
            return Err(Error::invalid("/id", "taken", "There is a rule of this name."));
        }
        self.boards.put_rule(by, &sent.id, sent.settings(), None).await.map(|_rule| None)
    }

    async fn named(&self, tried: DryRunView) -> Result<Vec<Tried>, Error> {
        let mut owners: Vec<&str> = Vec::new();
        for item in &tried.items {
            owners.extend(item.owner.as_deref());
            owners.extend(item.by.as_deref());
        }
        owners.sort_unstable();
        owners.dedup();
        let names = Names::of(self.site.auth(), owners.iter().copied()).await?;
        let name = |of: &Option<String>| of.as_deref().map(|of| names.of_owner(of));
        let newest_first = tried.items.into_iter().rev();
        Ok(newest_first
            .map(|item| Tried {
                owner: name(&item.owner).unwrap_or_default(),
                by: name(&item.by).unwrap_or_default(),
                item,
            })
            .collect())
    }
}

async fn send(State(web): State<Web>, by: Acting, visit: Visit, Form(sent): Form<Sent>) -> Answer {
    let done = web.rule_sent(by, &sent).await;
    let (status, tried, errors) = match done {
        Ok(None) => {
            let text = format!("The rule {} is saved.", sent.id);
            return Ok(web.site.go_and_say(RULES, &text));
        }
        Ok(Some(tried)) => {
            (http::StatusCode::OK, Some(web.named(tried).await?), FormErrors::default())
        }
        Err(error) => (REFUSED, None, at_fields(said(error)?)),
    };
    let known = match sent.new.is_empty() {
        true => Some(web.boards.rule(&sent.id).await?),
        false => None,
    };
    let declared = known.as_ref().is_some_and(|rule| rule.declared);
    let place = match &known {
        Some(rule) => format!("{RULES}/{}", rule.id),
        None => "/admin/boards/new-rule".to_owned(),
    };
    let form = RuleForm { declared, ..sent.form(errors) };
    let failed = known.map(|rule| rule.errors).unwrap_or_default();
    let visit = visit.at(place);
    let view = RulePage { form, failed, tried };
    Ok(visit.page_as(status, rule_page(&visit.shell(), &view)))
}

async fn delete(
    State(web): State<Web>,
    by: Acting,
    Path(id): Path<String>,
    Form(_form): Form<Return>,
) -> Answer {
    web.boards.delete_rule(by, &id, None).await?;
    Ok(web.site.go_and_say(RULES, "Rule deleted."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_a_line_for_each_column() {
        let value = |text: &str| Sent { value: text.into(), ..Sent::default() }.settings().value;
        assert_eq!(value(" 5 \n"), Amounts::One(Amount::Whole(5)));
        assert_eq!(value("min(a, 2)"), Amounts::One(Amount::Text("min(a, 2)".into())));
        let two = Amounts::Each(vec![Amount::Whole(1), Amount::Text("b".into())]);
        assert_eq!(value("1\r\nb"), two);
        assert_eq!(value_lines(&two), "1\nb");
        assert_eq!(value(""), Amounts::Each(Vec::new()));
    }
}
