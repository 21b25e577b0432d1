//! Which handles, addresses and passwords are accepted. Pure.

use crate::error::Faults;

/// Handles that would pass for the product itself, or for a page of it.
const RESERVED: &str = "\
    about account admin administrator anonymous api console deleted docs everyone explore \
    feed health help home login logout mainstay me metrics mod moderation moderator nobody \
    notifications null official operator owner privacy register root search security \
    settings staff static status support sysadmin system team terms undefined webmaster www";

/// The passwords of at least eight characters that guessers try first.
const COMMON: &str = "\
    00000000 01234567 0123456789 0987654321 10203040 11111111 1111111111 11112222 \
    112233445566 12121212 123123123 12341234 12344321 1234512345 12345678 123456789 \
    1234567890 123456789a 123456abc 1234qwer 12qwaszx 13131313 147258369 1q2w3e4r 1q2w3e4r5t \
    1qaz2wsx 1qaz2wsx3edc 22222222 55555555 66666666 77777777 87654321 88888888 987654321 \
    9876543210 99999999 a1234567 a12345678 a123456789 aa123456 aaaaaaaa abc12345 abc123456 \
    abcd1234 abcdefgh access14 admin123 administrator asd12345 asdasdasd asdf1234 asdfasdf \
    asdfghjk asdfghjkl babygirl baseball basketball butterfly changeme chocolate computer \
    corvette dragon123 elephant football football1 fuckyou1 iloveyou iloveyou1 iloveyou2 \
    internet jennifer liverpool mercedes michelle midnight monkey123 mustang1 p@ssw0rd \
    p@ssword pa55word passw0rd password password! password1 password12 password123 \
    password1234 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwerasdf qwerty12 \
    qwerty123 qwerty1234 qwerty12345 qwertyui qwertyuiop samantha sample123 starwars \
    sunshine sunshine1 superman trustno1 victoria welcome1 welcome123 whatever zaq12wsx \
    zxcvbnm1 zxcvbnm123";

/// Who chooses a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chooser {
    /// Anybody on the network.
    Stranger,
    /// Whoever runs the program; reserved handles are theirs.
    Operator,
}

/// A handle in the form in which it is stored and compared.
pub(crate) fn normal_handle(handle: &str) -> String {
    handle.to_ascii_lowercase()
}

/// An address in the form in which it is compared: two spellings of one mailbox are one account.
pub(crate) fn normal_email(email: &str) -> String {
    email.to_lowercase()
}

/// Checks a handle: 3–30 characters of `a-z`, `0-9`, `_` and `.`; letters in either case.
pub(crate) fn check_handle(handle: &str, chooser: Chooser, faults: &mut Faults) {
    const AT: &str = "/handle";
    let length = handle.chars().count();
    faults.check(length >= 3, AT, "too_short", || "Use at least 3 characters.".into());
    faults.check(length <= 30, AT, "too_long", || "Use at most 30 characters.".into());
    let letters = handle.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    faults.check(letters, AT, "characters", || {
        "Use only letters from a to z, digits, `_` and `.`.".into()
    });
    // A dot at an end or twice would look like the end of a sentence where a handle is mentioned.
    let dots = !(handle.starts_with('.') || handle.ends_with('.') || handle.contains(".."));
    faults.check(dots, AT, "dots", || "Put single dots between other characters only.".into());
    let free = chooser == Chooser::Operator || !listed(RESERVED, &normal_handle(handle));
    faults.check(free, AT, "reserved", || "This handle is reserved. Choose another.".into());
}

/// Checks an address: `name@domain` with at least one dot in the domain, at most 254 bytes. Whether it receives mail is
/// another question.
pub(crate) fn check_email(email: &str, faults: &mut Faults) {
    faults.check(is_email(email), "/email", "not_an_address", || {
        "Write an e-mail address like name@example.org.".into()
    });
}

fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.rsplit_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c);
    let dots = |part: &str| !(part.starts_with('.') || part.ends_with('.') || part.contains(".."));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    email.len() <= 254
        && (1..=64).contains(&local.len())
        && !local.contains(odd)
        && dots(local)
        && domain.contains('.')
        && domain.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks a password, which stands at the pointer `at`: 8–256 characters, none of the most common ones, and not the
/// handle or the address.
pub(crate) fn check_password(
    at: &'static str,
    password: &str,
    handle: &str,
    email: &str,
    faults: &mut Faults,
) {
    let length = password.chars().count();
    faults.check(length >= 8, at, "too_short", || "Use at least 8 characters.".into());
    faults.check(length <= 256, at, "too_long", || "Use at most 256 characters.".into());
    let lower = password.to_lowercase();
    let own = [normal_handle(handle), normal_email(email)];
    let first_guess =
        listed(COMMON, &lower) || own.iter().any(|name| !name.is_empty() && *name == lower);
    faults.check(length < 8 || !first_guess, at, "too_common", || {
        "This password is among the first that are guessed. Choose another.".into()
    });
}

fn listed(words: &str, word: &str) -> bool {
    words.split(' ').any(|listed| listed == word)
}

/// Checks the name of an API key.
pub(crate) fn check_key_name(name: &str, faults: &mut Faults) {
    let length = name.trim().chars().count();
    faults.check((1..=100).contains(&length), "/name", "length", || {
        "Use 1 to 100 characters.".into()
    });
    faults.check(!name.chars().any(char::is_control), "/name", "characters", || {
        "Leave control characters out.".into()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(check: impl Fn(&mut Faults)) -> Vec<String> {
        let mut faults = Faults::default();
        check(&mut faults);
        faults.into_vec().into_iter().map(|fault| fault.code.into_owned()).collect()
    }

    #[test]
    fn common_passwords_are_in_order_and_long_enough_to_matter() {
        assert!(COMMON.split(' ').is_sorted());
        assert!(COMMON.split(' ').all(|password| password.len() >= 8));
    }

    #[test]
    fn handles_are_plain_names() {
        let check = |handle: &str| faults(|f| check_handle(handle, Chooser::Stranger, f));
        for good in ["bob", "Bob_Marley.7", "___", &"a".repeat(30)] {
            assert!(check(good).is_empty(), "{good}: {:?}", check(good));
        }
        for (bad, why) in [
            ("bo", "too_short"),
            (&*"a".repeat(31), "too_long"),
            ("bøb", "characters"),
            ("a b", "characters"),
            (".bob", "dots"),
            ("b..b", "dots"),
            ("Admin", "reserved"),
        ] {
            assert_eq!(check(bad), [why], "{bad}");
        }
        assert!(faults(|f| check_handle("admin", Chooser::Operator, f)).is_empty());
    }

    #[test]
    fn addresses_have_a_name_and_a_domain() {
        for good in
            ["a@b.co", "first.last+tag@mail.example.org", "o'neil@example.org", "ü@bücher.de"]
        {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@b..co",
            ".a@b.co",
            "a.@b.co",
            "a@-b.co",
            "a@b_c.de",
            "a@1.2.3.4",
            "a@b@c.de",
            "a\n@b.co",
            "<a@b.co>",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        let check = |password: &str| {
            faults(|f| check_password("/password", password, "bob_marley", "b@c.de", f))
        };
        assert!(check("correct horse").is_empty());
        assert!(check("日本語日本語日本").is_empty());
        assert!(check(&"ä".repeat(256)).is_empty());
        assert_eq!(check("1234567"), ["too_short"]);
        assert_eq!(check(&"a".repeat(257)), ["too_long"]);
        assert_eq!(check("Password1"), ["too_common"]);
        assert_eq!(check("BOB_marley"), ["too_common"]);
    }
}
