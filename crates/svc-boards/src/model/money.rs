//! Money as people read and write it: minor units of a currency, and back.

/// Currencies whose minor unit is the unit itself.
const WITHOUT_DECIMALS: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF",
];
/// Currencies with a thousand minor units.
const WITH_THREE: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// Currencies that are known by a sign.
const SIGNS: [(&str, &str); 5] =
    [("INR", "₹"), ("USD", "$"), ("EUR", "€"), ("GBP", "£"), ("JPY", "¥")];

/// Decimals of an amount in this currency (ISO 4217).
pub fn decimals(currency: &str) -> u32 {
    match currency {
        _ if WITHOUT_DECIMALS.contains(&currency) => 0,
        _ if WITH_THREE.contains(&currency) => 3,
        _ => 2,
    }
}

/// `₹1,234.50`, `−₹52.00`, `CHF 5.00`.
pub fn shown(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "−" } else { "" };
    let known = SIGNS.iter().find(|(code, _)| *code == currency).map(|(_, symbol)| *symbol);
    // A no-break space, so that a code never stands alone at the end of a line.
    let unit = known.map_or_else(|| format!("{currency}\u{a0}"), str::to_owned);
    let (whole, rest) = parts(minor, currency);
    let mut digits = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            digits.push(',');
        }
        digits.push(digit);
    }
    format!("{sign}{unit}{digits}{rest}")
}

/// `1234.50`: as it stands in a field.
pub fn typed(minor: i64, currency: &str) -> String {
    let (whole, rest) = parts(minor, currency);
    format!("{}{whole}{rest}", if minor < 0 { "-" } else { "" })
}

fn parts(minor: i64, currency: &str) -> (String, String) {
    let places = decimals(currency);
    let unit = 10_u64.pow(places);
    let size = minor.unsigned_abs();
    let rest = match places {
        0 => String::new(),
        _ => format!(".{:0width$}", size % unit, width = places as usize),
    };
    ((size / unit).to_string(), rest)
}

/// A whole number as it was typed, with or without commas between thousands or lakhs; `None` where a comma stands
/// anywhere else, as for decimals.
pub fn ungrouped(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(',').collect();
    let fits = match &*groups {
        [first, between @ .., last] => {
            let between = between.iter().all(|group| (2..=3).contains(&group.len()));
            (1..=3).contains(&first.len()) && between && last.len() == 3
        }
        _whole => true,
    };
    fits.then(|| groups.concat())
}

/// The minor units of what was typed, such as `50`, `50.5` or `1,234.50`; `None` for anything else, and for more
/// decimals than the currency has.
pub fn read(text: &str, currency: &str) -> Option<i64> {
    let (whole, rest) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let whole = ungrouped(whole)?;
    let places = decimals(currency) as usize;
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(&whole) || !plain(rest) || rest.len() > places {
        return None;
    }
    format!("{whole}{rest:0<places$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(shown(123_450, "INR"), "₹1,234.50");
        assert_eq!(shown(-5_200, "INR"), "−₹52.00");
        assert_eq!(shown(500, "CHF"), "CHF\u{a0}5.00");
        assert_eq!(shown(1_500, "JPY"), "¥1,500");
        assert_eq!(shown(1_500, "KWD"), "KWD\u{a0}1.500");
        assert_eq!(shown(i64::MIN, "INR"), "−₹92,233,720,368,547,758.08");
    }

    #[test]
    fn what_was_typed_is_exact_or_nothing() {
        for (text, minor) in [("50", 5_000), ("50.5", 5_050), (" 1,234.50 ", 123_450), ("0", 0)] {
            assert_eq!(read(text, "INR"), Some(minor), "{text}");
            assert_eq!(read(&typed(minor, "INR"), "INR"), Some(minor));
        }
        assert_eq!(read("1,23,456.50", "INR"), Some(12_345_650), "lakhs");
        for text in ["49,90", "1,2,3", ",500", "1234,567", "1.5,0", "1,,000"] {
            assert_eq!(read(text, "INR"), None, "{text}");
        }
        for text in ["", ".", ".5", "-1", "1.234", "1e3", "₹5", "99999999999999999999"] {
            assert_eq!(read(text, "INR"), None, "{text}");
        }
        assert_eq!(
            (read("7", "JPY"), read("7.0", "JPY"), read("7.0", "KWD")),
            (Some(7), None, Some(7_000))
        );
    }
}
