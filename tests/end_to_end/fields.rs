//! A lead's fields as integrations read them: a selection, grouped, for a CRM, and only if they
//! changed.

use reqwest::Method;
use serde_json::{Value, json};
use shared::wire::encode::Header;
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::{contact, travelled};
use tests::wire::{SITE, new_event, new_visitor, view};

tests::both_stores!(
    the_catalogue_says_what_a_lead_has,
    selected_fields_with_a_crms_names,
    unknown_names_are_located,
    an_unchanged_response_is_not_sent_again,
    every_touch_says_why,
    a_site_chooses_model_and_names,
    the_last_converting_browser_is_shown,
    a_channel_of_the_operators_own,
);

async fn lead(app: &TestApp) -> String {
    let (visitor, _) = travelled(app).await;
    let body = json!({
        "visitor": visitor, "contact": contact("lead@example.com"),
        "form": { "id": "contact", "name": "Contact us" },
    });
    let made = app.post_lead(&body).await;
    made.json["lead"]["id"].as_str().unwrap().to_owned()
}

async fn the_catalogue_says_what_a_lead_has(backend: Backend) {
    let app = TestApp::start(backend);
    let lead = lead(&app).await;
    let catalogue = app.get("/v1/fields").await;
    assert_eq!(catalogue.headers["content-type"], "application/json");
    let catalogue = catalogue.json.as_array().unwrap().clone();
    let fields = app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"].clone();
    let fields = fields.as_object().unwrap();
    assert_eq!((catalogue.len(), fields.len()), (121, 121));
    for field in &catalogue {
        let value = &fields[field["name"].as_str().unwrap()];
        let fits = match field["type"].as_str().unwrap() {
            "int" => value.is_null() || value.is_i64(),
            "enum" => value.is_null() || field["values"].as_array().unwrap().contains(value),
            "string" | "url" => {
                let most = field["max_length"].as_u64().unwrap() as usize;
                value.is_null() || value.as_str().is_some_and(|text| text.chars().count() <= most)
            }
            "datetime" => value.as_str().is_none_or(|time| time.ends_with('Z')),
            "decimal" | "text" | "json" => value.is_null() || value.is_string(),
            kind => panic!("unknown kind {kind}"),
        };
        assert!(fits, "{field}: {value}");
    }
    let unknown = answer(app.request(Method::GET, "/v1/fields")).await;
    assert_eq!((unknown.status, &unknown.json["type"]), (401, &json!("/problems/unauthorized")));
    app.stop().await;
}

/// The fields of a query, by name.
async fn fields(app: &TestApp, lead: &str, query: &str) -> Value {
    let answer = app.get(&format!("/v1/leads/{lead}/fields?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json["fields"].clone()
}

async fn selected_fields_with_a_crms_names(backend: Backend) {
    let app = TestApp::start(backend);
    let id = lead(&app).await;
    let at_ms = NOW_MS - 3 * shared::limits::DAY_MS;
    let at = shared::time::rfc3339(at_ms);
    let fields_query = "fields=first_click_source,first_click_at,visits_count,revenue";
    let mut hubspot = json!({ "clew_first_click_source": "google", "clew_visits_count": "2" });
    hubspot["clew_first_click_at"] = json!((at_ms / 1000 * 1000).to_string());
    for (query, expected) in [
        (
            fields_query.to_owned(),
            json!({ "first_click_source": "google", "first_click_at": at, "visits_count": 2, "revenue": null }),
        ),
        (
            format!("{fields_query}&format=grouped"),
            json!({
                "first_click": { "first_click_source": "google", "first_click_at": at },
                "journey": { "visits_count": 2 },
                "life_cycle": { "revenue": null },
            }),
        ),
        (format!("{fields_query}&format=flat&crm=hubspot"), hubspot),
        (
            format!("{fields_query}&crm=salesforce"),
            json!({
                "Clew_First_Click_Source__c": "google", "Clew_First_Click_At__c": at,
                "Clew_Visits_Count__c": 2,
            }),
        ),
        (
            format!("{fields_query}&crm=zoho&format=grouped"),
            json!({
                "first_click": {
                    "Clew_First_Click_Source": "google",
                    "Clew_First_Click_At": at.replace('Z', "+00:00"),
                },
                "journey": { "Clew_Visits_Count": 2 },
            }),
        ),
        (
            "fields=%20first_click_source%20,,first_click_source&crm=pipedrive".to_owned(),
            json!({ "Clew: First click source": "google" }),
        ),
        (
            format!("{fields_query}&crm=monday"),
            json!({
                "First click source": "google", "Visits before conversion": "2",
                "First click at": { "date": at[..10], "time": at[11..19] },
            }),
        ),
        ("fields=gclid&crm=waalaxy".to_owned(), json!({ "gclid": "G1" })),
        ("fields=gclid&crm=acton".to_owned(), json!({ "Google click id": "G1" })),
    ] {
        for lead in [id.as_str(), "email:LEAD@example.com"] {
            assert_eq!(fields(&app, lead, &query).await, expected, "{query}");
        }
    }
    let all = fields(&app, &id, "fields=&format=&crm=webhook").await;
    let known = fields(&app, &id, "").await;
    let known = known.as_object().unwrap().values().filter(|value| !value.is_null()).count();
    assert_eq!(all.as_object().unwrap().len(), known);
    app.stop().await;
}

/// A channel that a rule names is stored, shown and listed like a built-in one.
async fn a_channel_of_the_operators_own(backend: Backend) {
    let rule = "[[rules.channels]]\nname = \"webinar\"\nchannel = \"our_webinars\"\n\
                landing_path = \"/webinar*\"\n";
    let clock = clew_core::Clock::fixed(NOW_MS);
    let app = TestApp::start_with(backend, rule, clock);
    let visitor = new_visitor().to_text();
    let url = "https://www.example.com/webinar-7?utm_source=newsletter&utm_medium=email";
    app.visit(&visitor, url).await;
    let body = json!({ "visitor": visitor, "contact": contact("a@example.com") });
    let made = app.post_lead(&body).await.json;
    assert_eq!(made["fields"]["first_click_channel"], "our_webinars");
    assert_eq!(made["fields"]["channel_path"], "our_webinars");
    assert_eq!(made["journey"]["touches"][0]["channel"], "our_webinars");
    assert_eq!(made["journey"]["touches"][0]["why"]["rule"], "tags/custom:webinar");
    let catalogue = app.get("/v1/fields").await.json;
    let field =
        catalogue.as_array().unwrap().iter().find(|one| one["name"] == "first_click_channel");
    let values = field.unwrap()["values"].as_array().unwrap();
    assert_eq!(values.last(), Some(&json!("our_webinars")));
    app.stop().await;
}

async fn unknown_names_are_located(backend: Backend) {
    let app = TestApp::start(backend);
    let lead = lead(&app).await;
    for (query, named) in [
        ("fields=email,first_click", "fields: name 2 is not a field"),
        ("format=xml", "format: use `flat` or `grouped`"),
        ("crm=dynamics", "crm: not a supported CRM"),
        ("crm=HubSpot", "crm: not a supported CRM"),
        ("fields=clew_email&crm=hubspot", "fields: name 1 is not a field"),
    ] {
        let answer = app.get(&format!("/v1/leads/{lead}/fields?{query}")).await;
        assert_eq!((answer.status, &answer.json["type"]), (422, &json!("/problems/invalid")));
        assert!(answer.json["detail"].as_str().unwrap().contains(named), "{}", answer.text);
    }
    for nobody in ["crm:hubspot:contact:151", "email:nobody@example.com", "phone:+33100000000", "x"]
    {
        let answer = app.get(&format!("/v1/leads/{nobody}/fields?crm=hubspot")).await;
        assert_eq!(answer.status, 404, "{nobody}");
        assert_eq!(answer.json["type"], "/problems/not_found");
    }
    app.stop().await;
}

async fn asked_again(app: &TestApp, path: &str, tag: &str) -> Answer {
    let request = app.request(Method::GET, path).bearer_auth(KEY);
    answer(request.header("if-none-match", tag)).await
}

async fn an_unchanged_response_is_not_sent_again(backend: Backend) {
    let app = TestApp::start(backend);
    let lead = lead(&app).await;
    let (path, catalogue) = (format!("/v1/leads/{lead}/fields"), "/v1/fields".to_owned());
    for path in [&path, &catalogue] {
        let first = app.get(path).await;
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is not strong");
        for known in [&tag, &format!("W/{tag}"), "*", &format!("\"x\", {tag}")] {
            let again = asked_again(&app, path, known).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
            assert_eq!(again.headers["etag"], first.headers["etag"]);
        }
        let other = asked_again(&app, path, "\"x\"").await;
        assert_eq!((other.status, other.text), (200, first.text));
    }
    // another query has another response, and a changed one is sent
    let tag = app.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(asked_again(&app, &format!("{path}?crm=zoho"), &tag).await.status, 200);
    app.post_lead(&json!({ "contact": contact("lead@example.com") })).await;
    let newer = asked_again(&app, &path, &tag).await;
    assert_eq!((newer.status, &newer.json["fields"]["conversion_count"]), (200, &json!(2)));
    app.stop().await;
}

async fn every_touch_says_why(backend: Backend) {
    let app = TestApp::start(backend);
    let lead = lead(&app).await;
    let journey = app.get(&format!("/v1/leads/{lead}/journey")).await.json["journey"].clone();
    let why = |touch: usize| journey["touches"][touch]["why"].clone();
    assert_eq!(why(0)["rule"], "tags/paid_search");
    assert_eq!(why(0)["evidence"]["tags"]["utm_source"], "google");
    assert!(why(0)["words"].as_str().unwrap().contains("Paid Search"), "{}", why(0));
    let rules = why(0)["rules"].clone();
    assert_eq!(rules.as_str().map(str::len), Some(16));
    assert_eq!(
        why(1),
        json!({
            "rule": "nothing/direct", "rules": rules, "evidence": {}, "lost": [],
            "words": "No tags, no click id and no referrer: Direct.",
        })
    );
    app.stop().await;
}

async fn a_site_chooses_model_and_names(backend: Backend) {
    let settings = |config: &mut collector::config::Config| {
        let text = "field_prefix = \"acme\"\n[[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n\
            [sites.attribution]\nmodel = \"last\"";
        let chosen = collector::config::Config::parse(text, &[]).unwrap();
        config.field_prefix = chosen.field_prefix.clone();
        config.sites[0].attribution = chosen.sites[0].attribution;
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let clock = clew_core::Clock::fixed(NOW_MS);
    let app = TestApp::start_adjusted(backend, listener, "", clock, settings);
    let lead = lead(&app).await;
    let fields_query = "fields=attribution_model,attributed_channel,attributed_source&crm=hubspot";
    assert_eq!(
        fields(&app, &lead, fields_query).await,
        json!({
            "acme_attribution_model": "last", "acme_attributed_channel": "direct",
            "acme_attributed_source": "(direct)",
        })
    );
    app.stop().await;
}

async fn the_last_converting_browser_is_shown(backend: Backend) {
    let app = TestApp::start(backend);
    let browsers = ["fr-FR", "de"].map(|language| (new_visitor().to_text(), language));
    for (visitor, language) in &browsers {
        let header = Header {
            site: SITE,
            visitor,
            sent_at_ms: NOW_MS,
            sender: "module",
            language,
            consent: "granted",
            gpc: true,
            ga: "GA1.1.1234567890.1700000000",
            fbp: "fb.1.1793600000000.1234567890",
            ..Header::default()
        };
        let shown = view(new_event(NOW_MS), NOW_MS, "https://www.example.com/?fbclid=F", "");
        app.send(header.batch([shown.as_str()].into_iter())).await;
    }
    // the first browser, the second, the first again, and none
    for visitor in [Some(0), Some(1), Some(0), None] {
        let converted = visitor.map(|place: usize| browsers[place].0.as_str());
        let contact = contact("lead@example.com");
        app.post_lead(&json!({ "visitor": converted, "contact": contact })).await;
        let fields = fields(&app, "email:lead@example.com", "").await;
        let (visitor, language) = &browsers[visitor.unwrap_or(0)];
        for (name, expected) in [
            ("visitor_id", json!(visitor)),
            ("language", json!(language)),
            ("device_type", json!("desktop")),
            ("browser", json!("Chrome")),
            ("os", json!("Linux")),
            ("consent_analytics", json!("granted")),
            ("consent_ads", json!("denied")),
            ("ga_client_id", json!("1234567890.1700000000")),
            ("fbp", json!("fb.1.1793600000000.1234567890")),
            ("fbc", json!(format!("fb.1.{NOW_MS}.F"))),
        ] {
            assert_eq!(fields[name], expected, "{name}");
        }
    }
    app.stop().await;
}
