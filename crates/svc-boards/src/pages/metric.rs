//! Activity in words: what is measured, and how much of it.

use mainstay_console::format;
use maud::{Markup, html};

/// What activity is usually called.
const USUAL: [&str; 4] = ["steps", "distance", "calories", "minutes"];

/// What is measured: `Steps`, `Distance (metres)`.
pub(crate) fn metric_words(metric: &str) -> String {
    let unit = match metric {
        "distance" => " (metres)",
        "calories" => " (kcal)",
        _ => "",
    };
    format!("{}{unit}", metric_name(metric))
}

/// The same without its unit, which stands with the amount.
pub(crate) fn metric_name(metric: &str) -> String {
    let words = metric.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// How much: `8,200 steps`, `5.2 km`, `340 kcal`.
pub(crate) fn amount(metric: &str, value: i64) -> String {
    match metric {
        "distance" | "calories" | "minutes" => figure(metric, value),
        _ => format!("{} {}", format::grouped(value), metric.replace('_', " ")),
    }
}

/// The same beside the metric's name: `8,200`, `5.2 km`, `340 kcal`.
pub(crate) fn figure(metric: &str, value: i64) -> String {
    match metric {
        "distance" if value >= 1_000 => {
            format!("{}.{} km", format::grouped(value / 1_000), value % 1_000 / 100)
        }
        "distance" => format!("{} m", format::grouped(value)),
        "calories" => format!("{} kcal", format::grouped(value)),
        "minutes" => format!("{} min", format::grouped(value)),
        _ => format::grouped(value),
    }
}

/// What a field for activity offers; its `list` is `metrics`.
pub(crate) fn metrics() -> Markup {
    html! {
        datalist #metrics {
            @for metric in USUAL { option value=(metric) { (metric_words(metric)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_reads_as_people_say_it() {
        assert_eq!(metric_words("distance"), "Distance (metres)");
        assert_eq!(metric_name("push_ups"), "Push ups");
        assert_eq!(amount("distance", 5_290), "5.2 km");
        assert_eq!(amount("distance", 900), "900 m");
        assert_eq!(amount("steps", 12_345), "12,345 steps");
        assert_eq!(figure("steps", 12_345), "12,345");
    }
}
