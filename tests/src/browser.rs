//! A real Chromium, driven over WebDriver, with a clock that the test controls.
//!
//! Names under `.test` resolve to this machine, so that a site, its collector and a referring site
//! are three hosts. Errors that reach a page's window are recorded: the tracker must cause none.

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// One browser with its own profile.
pub struct Browser {
    client: Client,
    driver: Child,
    profile: TempDir,
    clock: Mutex<PageClock>,
}

/// How far ahead the pages' clock is, and the script that sets it in new documents.
#[derive(Default)]
struct PageClock {
    ahead_ms: i64,
    script: Option<String>,
}

/// Switches that keep Chromium to this machine and to the test.
const SWITCHES: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
    "--window-size=1280,900",
];

impl Browser {
    /// Starts chromedriver and the browser.
    pub async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // Drivers that start at the same time can pick the same free port; the loser exits.
        let (driver, port) =
            (0..5).find_map(|_| start_driver()).expect("chromedriver ended before it was ready");

        let mut switches: Vec<String> = SWITCHES.map(str::to_owned).into();
        switches.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({ "goog:chromeOptions": { "args": switches } });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(options.as_object().unwrap().clone());
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
        let browser = Self { client, driver, profile, clock: Mutex::default() };
        browser.on_new_document(
            "window.pageErrors = []; for (const type of ['error', 'unhandledrejection']) \
             window.addEventListener(type, (event) => window.pageErrors.push(String(event.message || event.reason)))",
        ).await;
        browser.advance_ms(0).await;
        browser
    }

    /// Opens an address as if it had been typed.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Clicks the element that a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let found = self.client.find(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}")).click().await.unwrap();
    }

    /// Clicks the element that a CSS selector finds, and waits until the browser has loaded a path.
    pub async fn follow(&self, selector: &str, path: &str) {
        self.click(selector).await;
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        for _ in 0..500 {
            looks.tick().await;
            let url = self.client.current_url().await.unwrap();
            if url.path() == path && self.run("return document.readyState").await == "complete" {
                return;
            }
        }
        panic!("clicking {selector} never led to {path}");
    }

    /// Types into the element that a CSS selector finds.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Runs a script in the page and returns its result.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Runs a script that calls `done(value)`, and returns that value.
    pub async fn wait_for(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.client.execute_async(&script, Vec::new()).await.unwrap()
    }

    /// The page's current URL.
    pub async fn address(&self) -> String {
        self.client.current_url().await.unwrap().into()
    }

    /// Moves the clock of this page and of all later pages.
    pub async fn advance_ms(&self, by_ms: i64) {
        let mut clock = self.clock.lock().await;
        clock.ahead_ms += by_ms;
        if let Some(script) = clock.script.take() {
            self.devtools(
                "Page.removeScriptToEvaluateOnNewDocument",
                json!({ "identifier": script }),
            )
            .await;
        }
        let script = format!(
            "{{ const real = Date.now.bind(Date); window.aheadMs = {}; Date.now = () => real() + window.aheadMs }}",
            clock.ahead_ms
        );
        clock.script = self.on_new_document(&script).await;
        drop(clock);
        self.run(&format!("window.aheadMs = (window.aheadMs || 0) + {by_ms}")).await;
    }

    /// Runs a script before any other in every later document. Returns its handle.
    pub async fn on_new_document(&self, script: &str) -> Option<String> {
        let added = self
            .devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }))
            .await;
        added["identifier"].as_str().map(str::to_owned)
    }

    /// Sends a DevTools command.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let command = DevTools { command: command.to_owned(), parameters };
        self.client.issue_cmd(command).await.unwrap()
    }

    /// The errors that reached this page's window.
    pub async fn page_errors(&self) -> Vec<String> {
        let errors = self.run("return window.pageErrors || []").await;
        errors.as_array().unwrap().iter().map(|error| error.as_str().unwrap().to_owned()).collect()
    }

    /// Saves a screenshot of the whole page, if `CLEW_SCREENSHOTS` names a folder.
    pub async fn picture(&self, name: &str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the tests' own setting, not the collector's"
        )]
        let Ok(folder) = std::env::var("CLEW_SCREENSHOTS") else { return };
        let size = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]").await;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let shot = self
            .devtools(
                "Page.captureScreenshot",
                json!({ "clip": clip, "captureBeyondViewport": true }),
            )
            .await;
        let png = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            shot["data"].as_str().unwrap(),
        );
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png.unwrap())
            .unwrap();
    }

    /// Stops the browser and its driver.
    pub async fn stop(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
        drop(self.profile);
    }
}

/// Starts chromedriver. Returns it with its port, or `None` if it exited before it was ready.
fn start_driver() -> Option<(Child, String)> {
    let driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut driver =
        driver.expect("chromedriver is missing: `cargo xtask test --install` installs it");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.ok()?;
        let port = line.rsplit_once("successfully on port ")?.1;
        Some(port.trim_end_matches('.').to_owned())
    });
    let Some(port) = port else {
        driver.wait().unwrap();
        return None;
    };
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

#[derive(Debug)]
struct DevTools {
    command: String,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}
