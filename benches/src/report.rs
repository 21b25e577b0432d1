//! Figures of several rounds, and the Markdown table they are printed as.

use std::fmt;

/// What the rounds of one measurement gave.
#[derive(Debug, Clone, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle one; of an even number the upper of the two.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl FromIterator<f64> for Rounds {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// The median, and in brackets the least and the most.
impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, least, most) =
            (figure(self.median()), figure(self.least()), figure(self.most()));
        if self.0.len() < 2 {
            write!(f, "{median}")
        } else {
            write!(f, "{median} ({least}–{most})")
        }
    }
}

/// A number with three digits that count, thousands set apart.
pub fn figure(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    match number.abs() {
        size if size >= 1_000.0 => thousands(number.round() as i64),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Says what was measured, how, and against which budget.
pub struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// A table without rows; its first lines are printed at once.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds what was measured, the figure, the budget, and whether it holds.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        measured: impl fmt::Display,
        budget: impl Into<String>,
        holds: Option<bool>,
    ) {
        let holds = match holds {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        self.rows.push([what.into(), measured.to_string(), budget.into(), holds.to_owned()]);
    }

    /// Prints it, and under it how busy the machine was: figures taken beside other work are too low.
    pub fn print(&self) {
        println!("\n| What | Measured | Budget | Holds |\n|---|---|---|---|");
        for [what, measured, budget, holds] in &self.rows {
            println!("| {what} | {measured} | {budget} | {holds} |");
        }
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').take(3).collect::<Vec<_>>().join(", ");
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        println!("\n{processors} processors; load average of 1, 5 and 15 minutes: {load}");
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The figure below which `share` of `sorted` lie; not a number when there is none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_before_the_spread() {
        let rounds: Rounds = [3.0, 1_234_567.4, 20.25].into_iter().collect();
        assert_eq!(rounds.to_string(), "20.2 (3.00–1,234,567)");
        assert_eq!(figure(-1_000.0), "-1,000");
    }

    #[test]
    fn a_quantile_of_few_is_the_last() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.99), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
