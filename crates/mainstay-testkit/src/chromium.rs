//! A real browser for tests: headless Chromium, driven over WebDriver.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use url::{ParseError, Url};

use crate::EngineError;
use crate::child::{Child, Spec, find_program, private_folder};
use crate::error::chain;
use crate::tools::axe;

const ENGINE: &str = "chromedriver";
const STARTED: &str = "started successfully on port ";

/// Keys without a letter, as WebDriver codes them.
pub mod keys {
    /// Goes to the next thing that takes the focus.
    pub const TAB: &str = "\u{E004}";
    /// Sends or opens.
    pub const ENTER: &str = "\u{E007}";
    /// Held until the end of the keys that are pressed with it.
    pub const SHIFT: &str = "\u{E008}";
    /// Held until the end of the keys that are pressed with it.
    pub const CONTROL: &str = "\u{E009}";
    /// Leaves.
    pub const ESCAPE: &str = "\u{E00C}";
    /// The arrow.
    pub const DOWN: &str = "\u{E015}";
}

/// Before axe-core looks: everything is measured, also what is far below the window; colours as they are in the end.
const BE_MEASURED: &str = "
    for (const one of document.querySelectorAll('body *'))
        if (getComputedStyle(one).contentVisibility === 'auto') one.style.contentVisibility = 'visible';
    document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish());";

/// Everything that axe-core knows, its advice beyond the standard included.
const EVERYTHING: &str =
    "{ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }";
/// What depends on the theme and on the width.
const LOOKS: &str = "{ resultTypes: ['violations'], runOnly: ['color-contrast', 'target-size'] }";
const TELL_BARRIERS: &str = ".then(({ violations }) => violations.flatMap(({ id, help, nodes }) => nodes.map((node) =>
            `${id}: ${help}: ${node.target.join(' ')}: ${(node.failureSummary ?? '').replaceAll('\\n', ' ')}`)))";

const FINISH_TRANSITIONS: &str = "
    document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish())";

/// How long a script in a page may take: axe-core needs a while for a long page on a busy machine.
const SCRIPT_MS_MAX: u32 = 300_000;

/// How often a condition on a page is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// No first-run pages, no traffic to anybody but the program under test, nothing shared with another browser.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    // Chromium's sandbox refuses root and containers without user namespaces; the pages are our own.
    "--no-sandbox",
    // The browser ends when the driver does, even by -9: the pipe between them closes.
    "--remote-debugging-pipe",
];

/// A driver that opens browsers; ended with them when dropped and when the test process ends.
#[derive(Debug)]
pub struct Chromium {
    port: u16,
    browser: PathBuf,
    folder: PathBuf,
    pages: AtomicU32,
    // Held for its end.
    _child: Child,
}

impl Chromium {
    /// The driver that the tests of a program share; each browser that it opens has cookies of its own.
    ///
    /// # Panics
    /// When it does not start, with a sentence that says why: a test without its engine must fail.
    #[expect(clippy::panic, reason = "a test without its engine must fail, not skip")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Chromium> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{}", chain(&error))))
    }

    /// Starts a driver.
    ///
    /// # Errors
    /// When Chromium or its driver is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        let driver = find_program("chromedriver", [])?;
        let browser =
            find_program("chromium", []).or_else(|_| find_program("chromium-browser", []))?;
        let folder = private_folder(ENGINE, None)?;
        let child = Child::spawn(&Spec {
            engine: ENGINE,
            command: vec![driver.display().to_string(), "--port=0".to_owned()],
            folder: &folder,
            signal: "TERM",
            user: None,
        })?;
        let port = child.wait_for(|line| {
            line.split_once(STARTED)?.1.trim_end_matches('.').parse::<u16>().ok()
        })?;
        Ok(Self { port, browser, folder, pages: AtomicU32::new(0), _child: child })
    }

    /// Opens a browser of its own, with no cookies, `width` × `height` CSS pixels large.
    ///
    /// # Errors
    /// When the browser does not start.
    pub async fn open(&self, width: u32, height: u32) -> Result<Page, EngineError> {
        let number = self.pages.fetch_add(1, Ordering::Relaxed);
        let profile = self.folder.join(format!("profile-{number}"));
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.display()));
        flags.push(format!("--window-size={width},{height}"));
        let mut capabilities = Capabilities::new();
        let options = json!({ "binary": self.browser, "args": flags });
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("timeouts".to_owned(), json!({ "script": SCRIPT_MS_MAX }));
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .map_err(|error| EngineError::Session(Box::new(error)))?;
        let page = Page { client };
        page.resize(width, height).await?;
        Ok(page)
    }
}

/// One browser with one tab.
#[derive(Debug, Clone)]
pub struct Page {
    client: Client,
}

impl Page {
    /// The WebDriver client, for what is not offered here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens `url` and waits until it has loaded.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn goto(&self, url: &str) -> Result<(), EngineError> {
        self.client.goto(url).await.map_err(EngineError::browser(format!("open {url}")))
    }

    /// Makes the page, without the window's frame, `width` × `height` CSS pixels large; 360 works too, below a
    /// window's least width.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn resize(&self, width: u32, height: u32) -> Result<(), EngineError> {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await.map(drop)
    }

    /// Makes the page believe that the reader prefers dark, or light.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn prefer_dark(&self, dark: bool) -> Result<(), EngineError> {
        self.prefer("prefers-color-scheme", if dark { "dark" } else { "light" }).await
    }

    /// Makes the page believe that the reader prefers this `value` of a media feature, and nothing else. It has changed
    /// for good when this returns: a picture taken then shows nothing half way.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn prefer(&self, feature: &str, value: &str) -> Result<(), EngineError> {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await?;
        self.run(FINISH_TRANSITIONS).await.map(drop)
    }

    /// Empties the browser's cache of files.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn forget_files(&self) -> Result<(), EngineError> {
        self.devtools("Network.clearBrowserCache", json!({})).await.map(drop)
    }

    /// Lets everything arrive as over a line with this latency and width, so that what comes late is seen to come late.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn slow_down(&self, latency_ms: u32, bytes_per_s: u32) -> Result<(), EngineError> {
        self.devtools("Network.enable", json!({})).await?;
        let line = json!({
            "offline": false, "latency": latency_ms,
            "downloadThroughput": bytes_per_s, "uploadThroughput": bytes_per_s,
        });
        self.devtools("Network.emulateNetworkConditions", line).await.map(drop)
    }

    /// Lets no script of the pages run that are opened from now on, or lets them run again.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn disable_scripts(&self, disabled: bool) -> Result<(), EngineError> {
        let value = json!({ "value": disabled });
        self.devtools("Emulation.setScriptExecutionDisabled", value).await.map(drop)
    }

    /// Runs the body of a JavaScript function and returns its value.
    ///
    /// # Errors
    /// When it throws.
    pub async fn run(&self, script: &str) -> Result<Value, EngineError> {
        let doing = format!("run `{script}` in the page");
        self.client.execute(script, Vec::new()).await.map_err(EngineError::browser(doing))
    }

    /// Presses the first thing that the selector `css` finds.
    ///
    /// # Errors
    /// When there is none, or it cannot be pressed.
    pub async fn click(&self, css: &str) -> Result<(), EngineError> {
        let doing = || EngineError::browser(format!("press `{css}`"));
        let found = self.client.find(Locator::Css(css)).await.map_err(doing())?;
        found.click().await.map_err(doing())
    }

    /// Types `text` into the field that the selector `css` finds; for a field of files it is the file's path.
    ///
    /// # Errors
    /// When there is none, or it takes no text.
    pub async fn type_into(&self, css: &str, text: &str) -> Result<(), EngineError> {
        let doing = || EngineError::browser(format!("type into `{css}`"));
        let found = self.client.find(Locator::Css(css)).await.map_err(doing())?;
        found.send_keys(text).await.map_err(doing())
    }

    /// Presses keys where the focus is: letters as they are, others by their codes in [`keys`].
    ///
    /// # Errors
    /// When nothing takes keys.
    pub async fn press(&self, keys: &str) -> Result<(), EngineError> {
        let doing = || EngineError::browser(format!("press {keys:?}"));
        let focused = self.client.active_element().await.map_err(doing())?;
        focused.send_keys(keys).await.map_err(doing())
    }

    /// What axe-core finds wrong: the rule, what it asks for and where, one line for each; empty if nothing.
    ///
    /// # Errors
    /// When axe-core is not installed, or the page does not let it run.
    pub async fn barriers(&self) -> Result<Vec<String>, EngineError> {
        self.barriers_among(EVERYTHING).await
    }

    /// The same of what depends on the theme and the width alone: contrast, and how large what is pressed is.
    ///
    /// # Errors
    /// As [`Page::barriers`].
    pub async fn barriers_in_looks(&self) -> Result<Vec<String>, EngineError> {
        self.barriers_among(LOOKS).await
    }

    async fn barriers_among(&self, options: &str) -> Result<Vec<String>, EngineError> {
        self.run(&axe()?).await?;
        let look = format!("{BE_MEASURED} return axe.run(document, {options}){TELL_BARRIERS}");
        let found = self.run(&look).await?;
        Ok(found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(String::from)
            .collect())
    }

    /// Waits until the JavaScript expression `condition` is truthy.
    ///
    /// # Errors
    /// [`EngineError::Never`] after `within`.
    pub async fn wait_until(&self, condition: &str, within: Duration) -> Result<(), EngineError> {
        let deadline = Instant::now() + within;
        let script = format!("return !!({condition})");
        while self.run(&script).await? != Value::Bool(true) {
            if Instant::now() >= deadline {
                let url = self.client.current_url().await.map(String::from);
                return Err(EngineError::Never {
                    condition: condition.to_owned(),
                    waited_ms: within.as_millis(),
                    url: url.unwrap_or_else(|error| error.to_string()),
                });
            }
            sleep_until(Instant::now() + LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Writes what is visible to a PNG file.
    ///
    /// # Errors
    /// When the browser refuses or the file cannot be written.
    pub async fn screenshot(&self, file: &Path) -> Result<(), EngineError> {
        let png = self.client.screenshot().await;
        let png = png.map_err(EngineError::browser("take a screenshot"))?;
        std::fs::write(file, png).map_err(EngineError::io(format!("write {}", file.display())))
    }

    /// What the page has written to its console since the last call, faults of the content security policy included;
    /// oldest first.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn console(&self) -> Result<Vec<String>, EngineError> {
        let lines = self.vendor("se/log", json!({ "type": "browser" })).await?;
        let lines = lines.as_array().cloned().unwrap_or_default();
        Ok(lines
            .iter()
            .filter_map(|line| line.get("message")?.as_str().map(String::from))
            .collect())
    }

    /// Ends this browser.
    ///
    /// # Errors
    /// When the driver does not answer.
    pub async fn close(self) -> Result<(), EngineError> {
        self.client.close().await.map_err(EngineError::browser("close the browser"))
    }
}

impl Page {
    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value, EngineError> {
        self.vendor("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn vendor(&self, path: &'static str, body: Value) -> Result<Value, EngineError> {
        let command = Vendor { path, body: body.to_string() };
        let doing = format!("ask the driver for {path}");
        self.client.issue_cmd(command).await.map_err(EngineError::browser(doing))
    }
}

/// A command of Chromium's driver beside the WebDriver standard.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.clone()))
    }
}
