//! A return from a payment or a login on another site is no new touch, in a real browser.

use crate::journey::{visitor, wait};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tests::browser::Browser;
use tests::storage::Backend;
use tests::town::Town;

tests::both_stores!(
    a_paired_return_is_the_same_touch,
    the_loader_reports_departures_by_itself,
    a_departure_before_the_module_is_up_is_reported,
    a_page_may_define_its_own_navigation,
    only_departures_are_reported,
);

const MINUTE: i64 = 60_000;

/// A site that answers every request with an empty page, under any name.
struct Elsewhere {
    port: u16,
    server: ServerHandle,
}

impl Elsewhere {
    fn start() -> Self {
        let page = "<!doctype html><html lang=en><title>Elsewhere</title><body></body></html>";
        let answer = move || async move { HttpResponse::Ok().content_type("text/html").body(page) };
        let app = move || App::new().default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0").unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { port, server: handle }
    }

    fn address(&self, host: &str) -> String {
        format!("http://{host}:{}/{host}", self.port)
    }
}

/// Adds markup to the page.
async fn add(browser: &Browser, markup: &str) {
    let markup = json!(markup);
    browser.run(&format!("document.body.insertAdjacentHTML('afterbegin', {markup})")).await;
}

/// Follows a link from another site to a page of the demo site.
async fn come(town: &Town, browser: &Browser, path: &str) {
    add(browser, &format!("<a id=come href='{}{path}'>Back</a>", town.site)).await;
    browser.follow("#come", path).await;
    browser.wait_for("clew('token', done)").await;
    assert_eq!(browser.page_errors().await, [""; 0]);
}

/// A visitor who has the cookie from the first page on.
async fn known_visitor(browser: &Browser) -> String {
    let visitor = tests::wire::new_visitor().to_text();
    let cookie = format!(
        "if (location.hostname === 'www.demo.test') document.cookie = 'clew_id={visitor};Path=/'"
    );
    browser.on_new_document(&cookie).await;
    visitor
}

/// A touch as the journey shows it: visit, source, and whether it is a continued one.
type ExpectedTouch = (u64, &'static str, bool);

/// Waits until the journey has this many page views and these touches; beacons take their time.
async fn expect(town: &Town, visitor: &str, pages: usize, touches: &[ExpectedTouch]) {
    let matches = |touch: &Value, (visit, source, continued): &ExpectedTouch| {
        touch["visit"] == *visit
            && touch["source"] == *source
            && (touch["continued"] == true) == *continued
    };
    let is_so = |journey: &Value| {
        let (Some(seen), Some(found)) =
            (journey["pages"].as_array(), journey["touches"].as_array())
        else {
            return false;
        };
        let all_match = found.iter().zip(touches).all(|(touch, expected)| matches(touch, expected));
        (seen.len(), found.len()) == (pages, touches.len()) && all_match
    };
    town.journey_when(visitor, is_so).await;
}

async fn a_paired_return_is_the_same_touch(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    let elsewhere = Elsewhere::start();
    // Chromium reports most departures in two ways. Except for the script's, they must work without
    // the second one.
    let older = "if (location.pathname !== '/blog') Object.defineProperty(window, 'navigation', { value: undefined })";
    browser.on_new_document(older).await;
    let first = (1, "newsletter", false);
    browser.open(&format!("{}/pricing?utm_source=newsletter&utm_medium=email", town.site)).await;
    let visitor = visitor(&browser).await;

    // by a link
    add(&browser, &format!("<a id=pay href='{}'>Pay</a>", elsewhere.address("pay.test"))).await;
    browser.follow("#pay", "/pay.test").await;
    wait(&town, &browser, 10 * MINUTE).await;
    come(&town, &browser, "/thank-you").await;
    expect(&town, &visitor, 2, &[first]).await;

    // by a link that opens another tab with the middle button; the click hits an element inside the
    // link
    let link = format!("<a id=tab href='{}'><b>Log in</b></a>", elsewhere.address("tab.test"));
    add(&browser, &link).await;
    browser
        .run("document.querySelector('#tab b').dispatchEvent(new MouseEvent('auxclick', { button: 1, bubbles: true, composed: true }))")
        .await;
    browser.open(&elsewhere.address("tab.test")).await;
    come(&town, &browser, "/blog").await;
    expect(&town, &visitor, 3, &[first]).await;

    // by a script
    let address = elsewhere.address("script.test");
    add(&browser, &format!("<button id=go onclick=\"location.href='{address}'\">Go</button>"))
        .await;
    browser.follow("#go", "/script.test").await;
    come(&town, &browser, "/pricing").await;
    expect(&town, &visitor, 4, &[first]).await;

    // by a form, with the return after the visit has ended
    let form = format!(
        "<form method=post action='{}'><input name=action><button id=send>Log in</button></form>",
        elsewhere.address("bank.test")
    );
    add(&browser, &form).await;
    browser.follow("#send", "/bank.test").await;
    wait(&town, &browser, 40 * MINUTE).await;
    come(&town, &browser, "/contact").await;
    let continued = (2, "newsletter", true);
    expect(&town, &visitor, 5, &[first, continued]).await;

    // from a host to which nobody left, and from one to which the visitor left an hour ago
    browser.open(&elsewhere.address("blog.test")).await;
    come(&town, &browser, "/").await;
    wait(&town, &browser, 20 * MINUTE).await;
    browser.open(&elsewhere.address("bank.test")).await;
    come(&town, &browser, "/thank-you").await;
    let new = |host| (2, host, false);
    let expected = [first, continued, new("blog.test"), new("bank.test")];
    expect(&town, &visitor, 7, &expected).await;

    elsewhere.server.stop(true).await;
    browser.stop().await;
    town.stop().await;
}

/// Without WebAssembly, for a visitor who has the cookie.
async fn the_loader_reports_departures_by_itself(backend: Backend) {
    let policy =
        "default-src 'self'; script-src 'self' {tracker}; connect-src {tracker}; img-src {tracker}";
    let (town, browser) = (Town::start(backend, Some(policy)), Browser::start().await);
    let elsewhere = Elsewhere::start();
    let visitor = known_visitor(&browser).await;
    browser.open(&format!("{}/pricing?utm_source=newsletter", town.site)).await;
    expect(&town, &visitor, 1, &[(1, "newsletter", false)]).await;
    add(&browser, &format!("<a id=pay href='{}'>Pay</a>", elsewhere.address("pay.test"))).await;
    browser.follow("#pay", "/pay.test").await;
    come(&town, &browser, "/thank-you").await;
    expect(&town, &visitor, 2, &[(1, "newsletter", false)]).await;
    assert_eq!(town.app.metric("clew_batches_total{sender=\"module\"}").await, 0);
    elsewhere.server.stop(true).await;
    browser.stop().await;
    town.stop().await;
}

/// The module never starts on one page.
async fn a_departure_before_the_module_is_up_is_reported(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    let elsewhere = Elsewhere::start();
    let visitor = known_visitor(&browser).await;
    let never = "if (location.pathname === '/pricing') WebAssembly.instantiateStreaming = () => new Promise(() => {})";
    browser.on_new_document(never).await;
    let link = |host| format!("<a id=pay href='{}'>Pay</a>", elsewhere.address(host));

    // The visitor denies consent, and nothing is reported.
    browser.open(&format!("{}/pricing?utm_source=newsletter", town.site)).await;
    browser.run("clew('consent', 'denied')").await;
    add(&browser, &link("no.test")).await;
    browser.follow("#pay", "/no.test").await;
    come(&town, &browser, "/blog").await;
    expect(&town, &visitor, 1, &[(1, "no.test", false)]).await;
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 0);

    browser.open(&format!("{}/pricing?utm_source=newsletter", town.site)).await;
    add(&browser, &link("pay.test")).await;
    browser.follow("#pay", "/pay.test").await;
    come(&town, &browser, "/thank-you").await;
    let expected = [(1, "no.test", false), (1, "newsletter", false)];
    expect(&town, &visitor, 3, &expected).await;
    // a page view and a departure, once each, although two events say that the page goes away
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 2);
    elsewhere.server.stop(true).await;
    browser.stop().await;
    town.stop().await;
}

async fn a_page_may_define_its_own_navigation(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    browser.on_new_document("window.navigation = { items: ['Home'] }").await;
    browser.open(&format!("{}/pricing?utm_source=newsletter", town.site)).await;
    assert_eq!(browser.run("return navigation.items").await, json!(["Home"]));
    let visitor = visitor(&browser).await;
    expect(&town, &visitor, 1, &[(1, "newsletter", false)]).await;
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 0);
    assert_eq!(browser.page_errors().await, [""; 0]);
    browser.stop().await;
    town.stop().await;
}

async fn only_departures_are_reported(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    browser.open(&format!("{}/pricing", town.site)).await;
    visitor(&browser).await;
    // The page prevents the click's default action; a departure is in the queue at once.
    let check = async |markup: &str, click: &str, expected: u64| {
        add(&browser, markup).await;
        let script = format!(
            "const queued = () => (localStorage.clew_q || '').split('\"departure\"').length
             const [before, added] = [queued(), document.body.firstChild]
             const it = document.querySelector('[data-it]')
             const stop = (event) => it.tagName === 'BUTTON' || event.preventDefault()
             added.addEventListener('click', stop)
             added.addEventListener('submit', (event) => event.preventDefault())
             {click}
             added.remove()
             return queued() - before"
        );
        assert_eq!(browser.run(&script).await, expected, "{markup}");
    };
    let click = "it.click()";
    check("<a data-it href='http://one.test/'></a>", click, 1).await;
    check("<a data-it href='https://two.test/'></a>", "it.click(); it.click()", 1).await;
    check("<map><area data-it href='http://area.test/'></map>", click, 1).await;
    check("<a href='http://inner.test/'><b data-it>x</b></a>", click, 1).await;
    let form =
        "<form action='/own'><button data-it formaction='http://form.test/'></button></form>";
    check(form, click, 1).await;

    for href in [
        "/contact",
        "#part",
        "//www.demo.test:1/other-port",
        "mailto:lead@example.com",
        "tel:+41440000000",
        "javascript:void 0",
        "ftp://file.test/",
        "http://[no-address",
    ] {
        check(&format!("<a data-it href='{href}'></a>"), click, 0).await;
    }
    check("<a data-it></a>", click, 0).await;
    check("<a data-it href='http://file.test/' download></a>", click, 0).await;
    let menu = "it.dispatchEvent(new MouseEvent('auxclick', { button: 2, bubbles: true }))";
    check("<a data-it href='http://menu.test/'></a>", menu, 0).await;
    check("<form><button data-it></button></form>", click, 0).await;
    let form =
        "<form action='http://other.test/'><button data-it formaction='/own'></button></form>";
    check(form, click, 0).await;
    assert_eq!(browser.page_errors().await, [""; 0]);
    browser.stop().await;
    town.stop().await;
}
