//! The pages of the demo site and of the magazine.

use crate::support::World;

const PAGES: [(&str, u16, &str); 9] = [
    ("/", 200, "Every job on one board"),
    ("/pricing", 200, "Pay by the bench"),
    ("/blog", 200, "Notes from the floor"),
    ("/blog/where-the-hours-go", 200, "The quarter of an hour before"),
    ("/blog/quoting-without-guesswork", 200, "The second number"),
    ("/blog/the-handover-checklist", 200, "Nine lines"),
    ("/contact", 200, "name=\"submission\""),
    ("/thank-you", 200, "We have received your message"),
    ("/blog/no-such-article", 404, "slipped off"),
];

#[actix_web::test]
async fn every_page_carries_the_tag_and_loads_nothing_else() {
    let world = World::start_with(|settings| {
        settings.tracker_url = "http://collector.example/c/".into();
        settings.site = "site-\"1\"".into();
    });
    for (path, status, text) in PAGES {
        let (answered, page) = world.get(&format!("{}{path}", world.demo.site_url())).await;
        assert_eq!(answered, status, "{path}");
        assert!(page.contains(text), "{path}: no {text:?}");
        let tag = r#"<script async src="http://collector.example/c/s.js" data-site="site-&#34;1&#34;"></script>"#;
        assert_eq!(page.matches(tag).count(), 1, "{path}");
        let pixel = r#"<noscript><img src="http://collector.example/c/p.gif?site=site-%221%22""#;
        assert_eq!(page.matches(pixel).count(), 1, "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        let elsewhere = page.matches("src=\"http").count() + page.matches("href=\"http").count();
        assert_eq!(elsewhere, 2, "{path}: only the tracker is loaded from elsewhere");
        assert!(!page.contains("style=\""), "{path}: inline style breaks a strict policy");
    }
    world.stop().await;
}

#[tokio::test]
async fn it_runs_on_plain_tokio_too() {
    let world = World::start();
    let urls = [world.demo.site_url(), world.demo.news_url(), world.demo.crm_url()];
    for url in urls {
        assert_eq!(world.get(url).await.0, 200);
    }
    world.stop().await;
}

#[actix_web::test]
async fn articles_are_several_screens_long() {
    let world = World::start();
    for (path, ..) in
        PAGES.iter().filter(|(path, status, _)| path.starts_with("/blog/") && *status == 200)
    {
        let (_, page) = world.get(&format!("{}{path}", world.demo.site_url())).await;
        let words = page.split_whitespace().count();
        assert!(words > 800, "{path}: {words} words");
    }
    world.stop().await;
}

#[actix_web::test]
async fn the_content_security_policy_is_sent_when_it_is_set() {
    let policy = "default-src 'self'; script-src 'self'";
    for (set, expected) in [(Some(policy), Some(policy)), (None, None)] {
        let world = World::start_with(|settings| {
            settings.content_security_policy = set.map(str::to_owned);
        });
        for path in ["/", "/contact", "/no-such-page"] {
            let url = format!("{}{path}", world.demo.site_url());
            let answer = world.client.get(url).send().await.unwrap();
            let header = answer.headers().get("content-security-policy");
            assert_eq!(header.map(|value| value.to_str().unwrap()), expected, "{path}");
        }
        world.stop().await;
    }
}

#[actix_web::test]
async fn the_magazine_links_to_the_site_in_three_ways_and_has_no_tracker() {
    let world = World::start_with(|settings| {
        settings.public_site_url = Some("http://spindle.example/".into());
    });
    assert_eq!(world.demo.site_url(), "http://spindle.example");
    let (status, page) = world.get(world.demo.news_url()).await;
    assert_eq!(status, 200);
    for link in [
        r#"id="plain-link" href="http://spindle.example/""#,
        "?utm_source=newsletter&amp;utm_medium=email&amp;utm_campaign=autumn\"",
        "?utm_source=google&amp;utm_medium=cpc&amp;utm_campaign=brand&amp;utm_term=attribution&amp;utm_content=ad-a&amp;gclid=TEST-gclid-1\"",
    ] {
        assert_eq!(page.matches(link).count(), 1, "{link}");
    }
    assert!(!page.contains("<script"));
    world.stop().await;
}
