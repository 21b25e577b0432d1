//! The log of requests, written by hand: a line costs a few hundred nanoseconds and no span.

use std::{fmt::Display, io::Write as _, net::IpAddr};

use mainstay_contract::id::UserId;

use super::pipe::Pipe;
use crate::error::Tolerate as _;

/// What is logged of one request. Texts are borrowed from the request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// When it ended, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// Its id.
    pub request_id: &'a str,
    /// `GET` and so on.
    pub method: &'a str,
    /// The route as declared, `/api/v1/posts/{id}`; empty when none matched.
    pub route: &'a str,
    /// The path without its query, which may hold what is nobody's business.
    pub path: &'a str,
    /// The answer's status.
    pub status: u16,
    /// Time from the request's head to the answer's head, in microseconds.
    pub duration_us: u64,
    /// Length of the answer's body if known, else 0.
    pub bytes: u64,
    /// The signed-in user.
    pub user: Option<UserId>,
    /// The caller's address.
    pub remote: IpAddr,
}

/// Where requests are logged. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AccessLog {
    pipe: Pipe,
}

/// Bytes of a path that are logged.
const PATH_BYTES_MAX: usize = 512;

impl AccessLog {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self { pipe }
    }

    /// Whether the log's level lets these lines through; `access=off` in `log.level` turns them off.
    pub fn is_on(&self) -> bool {
        tracing::enabled!(target: "access", tracing::Level::INFO)
    }

    /// Adds a line; dropped and counted when the writer cannot keep up.
    pub fn record(&self, access: &Access<'_>) {
        let mut line = Vec::with_capacity(384);
        write(&mut line, access);
        self.pipe.push(&line);
    }
}

fn write(line: &mut Vec<u8>, access: &Access<'_>) {
    line.extend_from_slice(b"{\"ts\":\"");
    push_time(line, access.at_us);
    line.extend_from_slice(b"\",\"level\":\"INFO\",\"target\":\"access\"");
    push_text(line, b",\"request_id\":\"", access.request_id);
    push_text(line, b",\"method\":\"", access.method);
    push_text(line, b",\"route\":\"", access.route);
    let cut = access.path.floor_char_boundary(PATH_BYTES_MAX);
    push_text(line, b",\"path\":\"", &access.path[..cut]);
    push_number(line, b",\"status\":", u64::from(access.status));
    push_number(line, b",\"duration_us\":", access.duration_us);
    push_number(line, b",\"bytes\":", access.bytes);
    if let Some(user) = access.user {
        push_shown(line, b",\"user\":\"", user);
    }
    push_shown(line, b",\"remote\":\"", access.remote);
    line.extend_from_slice(b"}\n");
}

fn push_number(line: &mut Vec<u8>, name: &[u8], number: u64) {
    line.extend_from_slice(name);
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// What prints itself without anything to escape.
fn push_shown(line: &mut Vec<u8>, name: &[u8], shown: impl Display) {
    line.extend_from_slice(name);
    write!(line, "{shown}").tolerate("a vector takes everything");
    line.push(b'"');
}

fn push_text(line: &mut Vec<u8>, name: &[u8], text: &str) {
    line.extend_from_slice(name);
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f;
    if text.bytes().all(plain) {
        line.extend_from_slice(text.as_bytes());
    } else {
        for character in text.chars() {
            push_escaped(line, character);
        }
    }
    line.push(b'"');
}

fn push_escaped(line: &mut Vec<u8>, character: char) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match character {
        '"' | '\\' => line.extend_from_slice(&[b'\\', character as u8]),
        '\0'..='\x1f' | '\x7f' => {
            let byte = character as usize;
            line.extend_from_slice(b"\\u00");
            line.extend_from_slice(&[HEX[byte >> 4], HEX[byte & 15]]);
        }
        _ => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// RFC 3339 in UTC with microseconds, as `Ts` prints it, for a tenth of the time.
fn push_time(line: &mut Vec<u8>, at_us: i64) {
    let (seconds, micros) = (at_us.div_euclid(1_000_000), at_us.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let mut put = |mut number: i64, digits: usize, end: u8| {
        let start = line.len();
        line.resize(start + digits, b'0');
        for digit in line[start..].iter_mut().rev() {
            *digit = b'0' + (number.rem_euclid(10)) as u8;
            number /= 10;
        }
        line.push(end);
    };
    put(year, 4, b'-');
    put(month, 2, b'-');
    put(day, 2, b'T');
    put(second / 3_600, 2, b':');
    put(second / 60 % 60, 2, b':');
    put(second % 60, 2, b'.');
    put(micros, 6, b'Z');
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March, in eras of 400.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use mainstay_contract::ts::Ts;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_read_as_ts_prints_them(at_us in 0_i64..253_402_300_799_999_999) {
            let mut line = Vec::new();
            push_time(&mut line, at_us);
            let wanted = Ts::from_micros(at_us).to_string();
            prop_assert_eq!(String::from_utf8(line).unwrap(), wanted);
        }

        #[test]
        fn any_path_gives_one_line_of_json(path in "\\PC*|[\\x00-\\x7f]*", user in any::<Option<u128>>()) {
            let access = Access {
                at_us: 1, request_id: "req_1", method: "GET", route: "", path: &path, status: 404,
                duration_us: 12, bytes: 34, user: user.map(UserId::from_bits),
                remote: IpAddr::from([127, 0, 0, 1]),
            };
            let mut line = Vec::new();
            write(&mut line, &access);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
            let cut = path.floor_char_boundary(PATH_BYTES_MAX);
            prop_assert_eq!(&read["path"], &path[..cut]);
            prop_assert_eq!(&read["status"], 404);
            prop_assert_eq!(read.get("user").is_some(), user.is_some());
        }
    }
}
