//! What the address of an engine says to us in its query, and not to the driver.

use percent_encoding::percent_decode_str;

/// The address without the parameter `name`, and its value; the last one counts.
pub(crate) fn take_parameter(address: &str, name: &str) -> (String, Option<String>) {
    let Some((rest, query)) = address.split_once('?') else { return (address.to_owned(), None) };
    let mut value = None;
    let others = query.split('&').filter(|pair| match pair.split_once('=') {
        Some((its, given)) if its == name => {
            value = Some(percent_decode_str(given).decode_utf8_lossy().into_owned());
            false
        }
        _ => true,
    });
    let others: Vec<&str> = others.collect();
    let mark = if others.is_empty() { "" } else { "?" };
    (format!("{rest}{mark}{}", others.join("&")), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_taken_out_and_the_others_stay() {
        let url = "postgres://u:p%3Fq@h/d?application_name=x&root=/a%20b.pem&sslmode=require";
        let (rest, root) = take_parameter(url, "root");
        assert_eq!(rest, "postgres://u:p%3Fq@h/d?application_name=x&sslmode=require");
        assert_eq!(root.as_deref(), Some("/a b.pem"));
        let only = take_parameter("rediss://h/0?root=x", "root");
        assert_eq!(only, ("rediss://h/0".to_owned(), Some("x".to_owned())));
        assert_eq!(take_parameter("rediss://h/0?a", "root"), ("rediss://h/0?a".to_owned(), None));
        assert_eq!(take_parameter("rediss://h/0", "root"), ("rediss://h/0".to_owned(), None));
    }
}
