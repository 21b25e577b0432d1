//! What a program says of itself, in words that its owner recognises.

/// Signs of a program and its name; the first that is found counts, because browsers name each other.
const PROGRAMS: [(&str, &str); 9] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
/// Signs of a system and its name.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];
/// The longest name of a program that is shown as it names itself.
const NAME_LEN_MAX: usize = 40;

/// A program in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `Firefox on Linux`, `curl`, or what it calls itself.
    pub name: String,
    /// The icon's name in the sprite.
    pub icon: &'static str,
}

impl Device {
    /// Reads the header `User-Agent`, which is a guess: programs say what they like.
    pub fn of(agent: Option<&str>) -> Self {
        let agent = agent.unwrap_or_default().trim();
        let first = |signs: &[(&str, &'static str)]| {
            signs.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
        };
        let system = first(&SYSTEMS);
        let own = agent.split(['/', ' ']).next().unwrap_or_default();
        let own: String = own.chars().take(NAME_LEN_MAX).collect();
        let program = first(&PROGRAMS).map(str::to_owned);
        let name = match (program, system) {
            (Some(program), Some(system)) => format!("{program} on {system}"),
            (Some(program), None) => program,
            (None, Some(system)) => format!("A program on {system}"),
            (None, None) if own.is_empty() => "Unknown program".to_owned(),
            (None, None) => own,
        };
        let icon = match system {
            Some("Android" | "iPhone" | "iPad") => "smartphone",
            Some(_) => "laptop",
            None => "terminal",
        };
        Self { name, icon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_called_what_their_users_call_them() {
        for (agent, name, icon) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
                "laptop",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
                "laptop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
                "smartphone",
            ),
            ("curl/8.5.0", "curl", "terminal"),
            ("okhttp/4.12", "okhttp", "terminal"),
            ("", "Unknown program", "terminal"),
        ] {
            assert_eq!(Device::of(Some(agent)), Device { name: name.to_owned(), icon }, "{agent}");
        }
        assert_eq!(Device::of(Some(&"x".repeat(300))).name.len(), NAME_LEN_MAX);
    }
}
