//! Numbers and times in words. The script rewrites both for the reader's locale; these are what is read without it.

use mainstay_contract::ts::Ts;
use maud::{Markup, html};
use time::OffsetDateTime;

/// `12,345`: every digit, grouped.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `999`, `1.2K`, `34.5K`, `678K`: at most five characters, never rounded up to what was not reached.
pub fn compact(number: i64) -> String {
    let size = number.unsigned_abs();
    let sign = if number < 0 { "−" } else { "" };
    let (unit, letter) = match size {
        0..1_000 => return format!("{sign}{size}"),
        1_000..1_000_000 => (1_000, 'K'),
        1_000_000..1_000_000_000 => (1_000_000, 'M'),
        _ => (1_000_000_000, 'G'),
    };
    let whole = size / unit;
    let tenth = size % unit * 10 / unit;
    if whole < 100 && tenth > 0 {
        format!("{sign}{whole}.{tenth}{letter}")
    } else {
        format!("{sign}{whole}{letter}")
    }
}

/// As [`compact`], but rounded: for what was measured, of which nothing is promised.
pub fn rounded(number: i64) -> String {
    // The worth of the last digit that is shown.
    let step: i64 = match number.unsigned_abs() {
        0..1_000 => 1,
        1_000..99_950 => 100,
        99_950..999_500 => 1_000,
        999_500..99_950_000 => 100_000,
        99_950_000..999_500_000 => 1_000_000,
        999_500_000..99_950_000_000 => 100_000_000,
        _ => 1_000_000_000,
    };
    let half = step / 2 * number.signum();
    compact(number.saturating_add(half) / step * step)
}

/// `1 like`, `12,345 likes`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `640 B`, `12.4 kB`, `3.1 MB`: decimal units, as files are named everywhere else.
pub fn bytes(size: i64) -> String {
    let size = size.max(0);
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{}.{} kB", size / 1_000, size % 1_000 / 100),
        1_000_000..1_000_000_000 => {
            format!("{}.{} MB", size / 1_000_000, size % 1_000_000 / 100_000)
        }
        _ => format!("{}.{} GB", size / 1_000_000_000, size % 1_000_000_000 / 100_000_000),
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn moment(at: Ts) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_micros().div_euclid(1_000_000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn month(at: OffsetDateTime) -> &'static str {
    MONTHS.get(usize::from(u8::from(at.month())) - 1).copied().unwrap_or_default()
}

/// `21 Nov 2026, 03:41 UTC`.
pub fn exact(at: Ts) -> String {
    let at = moment(at);
    format!("{} {} {}, {:02}:{:02} UTC", at.day(), month(at), at.year(), at.hour(), at.minute())
}

/// `November 2026` as `Nov 2026`: since when somebody is here.
pub fn month_year(at: Ts) -> String {
    let at = moment(at);
    format!("{} {}", month(at), at.year())
}

/// `21 Nov`, in UTC.
pub fn day(at: Ts) -> String {
    let at = moment(at);
    format!("{} {}", at.day(), month(at))
}

/// `2026-11-21T03:41`, the value of a `datetime-local` field, in UTC.
pub fn field_minute(at: Ts) -> String {
    let at = moment(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute()
    )
}

/// `now`, `5m`, `3h`, `6d`, then the date; `in 5m` for what is to come.
pub fn relative(at: Ts, now: Ts) -> String {
    let seconds = now.micros_since(at).div_euclid(1_000_000);
    let size = seconds.abs();
    let span = match size {
        0..60 => return if seconds < 0 { "in under 1m".to_owned() } else { "now".to_owned() },
        60..3_600 => format!("{}m", size / 60),
        3_600..86_400 => format!("{}h", size / 3_600),
        86_400..604_800 => format!("{}d", size / 86_400),
        _ => {
            let (date, today) = (moment(at), moment(now));
            return if date.year() == today.year() {
                format!("{} {}", date.day(), month(date))
            } else {
                format!("{} {} {}", date.day(), month(date), date.year())
            };
        }
    };
    if seconds < 0 { format!("in {span}") } else { span }
}

/// The same in a sentence: `just now`, `5 minutes ago`, then the date; `in 5 minutes` for what is to come.
pub fn ago(at: Ts, now: Ts) -> String {
    let micros = now.micros_since(at);
    let (size, past) = (micros.unsigned_abs(), micros >= 0);
    let (unit_s, unit) = match size / 1_000_000 {
        0..60 if past => return "just now".to_owned(),
        0..60 => (1, "second"),
        60..3_600 => (60, "minute"),
        3_600..86_400 => (3_600, "hour"),
        86_400..604_800 => (86_400, "day"),
        _ => return relative(at, now),
    };
    let unit_us = unit_s * 1_000_000;
    let many = if past { size / unit_us } else { (size + unit_us / 2) / unit_us };
    let ending = if many == 1 { "" } else { "s" };
    if past { format!("{many} {unit}{ending} ago") } else { format!("in {many} {unit}{ending}") }
}

/// A `time` element beside a name or in a table: few letters, the exact time on hover and for machines.
pub fn time(at: Ts, now: Ts) -> Markup {
    html! { time datetime=(at) title=(exact(at)) data-time { (relative(at, now)) } }
}

/// A `time` element in a sentence.
pub fn time_ago(at: Ts, now: Ts) -> Markup {
    html! { time datetime=(at) title=(exact(at)) data-time="ago" { (ago(at, now)) } }
}

/// A `time` element with the exact time; the script writes it in the reader's zone.
pub fn exact_time(at: Ts) -> Markup {
    html! { time datetime=(at) data-exact { (exact(at)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_never_rounded_up() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1_234), "−1,234");
        assert_eq!(compact(999), "999");
        assert_eq!(compact(1_000), "1K");
        assert_eq!(compact(1_999), "1.9K");
        assert_eq!(compact(999_999), "999K");
        assert_eq!(compact(2_500_000), "2.5M");
        assert_eq!(rounded(999), "999");
        assert_eq!(rounded(9_960), "10K");
        assert_eq!(rounded(9_780), "9.8K");
        assert_eq!(rounded(99_960), "100K");
        assert_eq!(rounded(-1_960), "−2K");
        assert_eq!(rounded(123_499), "123K");
        assert_eq!(rounded(999_600), "1M");
        assert_eq!(rounded(i64::MAX), compact(i64::MAX));
        assert_eq!(bytes(1_234_567), "1.2 MB");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = Ts::from_micros(1_795_232_475_000_000);
        assert_eq!(relative(now.plus_s(-59), now), "now");
        assert_eq!(relative(now.plus_s(-60), now), "1m");
        assert_eq!(relative(now.plus_s(-7_200), now), "2h");
        assert_eq!(relative(now.plus_s(-86_400 * 6), now), "6d");
        assert_eq!(relative(now.plus_s(-86_400 * 20), now), "1 Nov");
        assert_eq!(relative(now.plus_s(-86_400 * 400), now), "17 Oct 2025");
        assert_eq!(relative(now.plus_s(3_600), now), "in 1h");
        assert_eq!(ago(now.plus_s(-59), now), "just now");
        assert_eq!(ago(now.plus_s(-60), now), "1 minute ago");
        assert_eq!(ago(now.plus_s(-7_199), now), "1 hour ago");
        assert_eq!(ago(now.plus_s(-86_400 * 6), now), "6 days ago");
        assert_eq!(ago(now.plus_s(-86_400 * 20), now), "1 Nov");
        assert_eq!(ago(now.plus_s(20), now), "in 20 seconds");
        assert_eq!(ago(now.plus_s(2 * 86_400 - 5), now), "in 2 days");
        assert_eq!(exact(now), "21 Nov 2026, 03:41 UTC");
        assert_eq!(field_minute(now), "2026-11-21T03:41");
        assert_eq!(day(now), "21 Nov");
    }
}
