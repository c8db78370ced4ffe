//! Labels of each kind of evidence, alone and combined.

mod any;
mod field;
mod referrers;
mod tables;

use super::*;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);

fn label(query: &str, referrer: &str) -> Label {
    let url = Url::parse(&format!("https://www.site.example/{query}")).unwrap();
    let own = OwnHosts::new(["site.example", "*.second.example"]);
    RULES.label(&RULES.evidence(&url, referrer, ""), "", &own, InternalTags::Ignore)
}

fn check(query: &str, referrer: &str, expected: (&str, &str, Channel)) {
    let label = label(query, referrer);
    let found = (label.source.as_str(), label.medium.as_str(), label.channel);
    assert_eq!(found, expected, "{query} {referrer}");
}

fn check_keyword(referrer: &str, expected: Option<&str>) {
    assert_eq!(label("", referrer).keyword.as_deref(), expected, "{referrer}");
}

fn check_rule(query: &str, referrer: &str, expected: &str) {
    assert_eq!(label(query, referrer).rule, expected, "{query} {referrer}");
}

#[test]
fn tags() {
    use Channel::*;
    check("?utm_source=Google&utm_medium=CPC", "", ("google", "cpc", PaidSearch));
    check("?UTM_SOURCE=google&utm_source=bing&utm_medium=cpc", "", ("google", "cpc", PaidSearch));
    check("?utm_source=&utm_source=bing&utm_medium=cpc", "", ("bing", "cpc", PaidSearch));
    check("?utm_source=null&utm_medium=undefined", "", ("(direct)", "(none)", Direct));
    check("?utm_source=null&utm_medium=email", "", ("(not set)", "email", Email));
    check("#utm_source=facebook&utm_medium=paid", "", ("facebook", "paid", PaidSocial));
    check("#/page?utm_source=facebook&utm_medium=paid", "", ("facebook", "paid", PaidSocial));
    check("?utm_source=bing#utm_source=facebook", "", ("bing", "organic", OrganicSearch));
    check("?mtm_source=partner&mtm_medium=affiliate", "", ("partner", "affiliate", Affiliates));
    check("?pk_campaign=x&pk_source=list&pk_medium=email", "", ("list", "email", Email));
    check("?pk_source=a&mtm_source=b&utm_source=c", "", ("c", "(none)", Referral));
    check("?pk_source=a&mtm_source=b", "", ("b", "(none)", Referral));
    check("?utm_source=fb&utm_medium=paid_social", "", ("facebook", "paid_social", PaidSocial));
    check("?utm_source=google%20shopping", "", ("google-shopping", "referral", OrganicShopping));
    check("?utm_source=newsletter", "", ("newsletter", "(none)", Email));
    check("?utm_source=x&utm_medium=newsletter", "", ("x", "newsletter", OrganicSocial));
    check("?utm_source=mailchimp", "", ("mailchimp", "email", Email));
    check("?utm_campaign=spring", "", ("(not set)", "(none)", Other));
    check("?utm_id=5", "", ("(not set)", "(none)", Other));
    check("?utm_source=(direct)&utm_medium=(none)", "", ("(direct)", "(none)", Direct));
    check("?mtm_cpn=a&pk_source=b", "", ("b", "(none)", Referral));
    check("?utm_source=google&amp;utm_medium=cpc", "", ("google", "cpc", PaidSearch));
    check("?utm_medium=cpc", "https://www.google.com/", ("google", "cpc", PaidSearch));
    check("?utm_source=stripe", "", ("stripe", "referral", OrganicShopping));
    check("?utm_source=paypal.com", "", ("paypal.com", "(none)", Referral));
    check("?utm_source=bing.com&utm_medium=cpc", "", ("bing", "cpc", PaidSearch));
    check("?utm_source=news.google.fr.evil", "", ("news.google.fr.evil", "(none)", Referral));
    // Tags win over any referrer but the site's own.
    check("?utm_source=a&utm_medium=email", "https://www.google.com/", ("a", "email", Email));
    check(
        "?utm_source=a&utm_medium=email",
        "https://site.example/",
        ("(direct)", "(none)", Direct),
    );
    // An assistant that sends its name but no medium.
    check("?utm_source=chatgpt.com", "", ("chatgpt", "ai-assistant", AiAssistant));
    check("?utm_source=chatgpt.com&utm_medium=cpc", "", ("chatgpt", "cpc", PaidOther));
    check(
        "?utm_source=perplexity",
        "https://blog.example/x",
        ("perplexity", "ai-assistant", AiAssistant),
    );
}

#[test]
fn weak_tags() {
    use Channel::*;
    check("?ref=ProductHunt", "", ("producthunt", "(none)", Referral));
    check("?source=twitter&ref=b", "", ("x", "social", OrganicSocial));
    check("?ref=newsletter", "", ("newsletter", "(none)", Email));
    check("?ref=sms", "", ("sms", "(none)", Sms));
    // Tags that leave source or medium open.
    check("?source=facebook&utm_medium=cpc", "", ("facebook", "cpc", PaidSocial));
    check("?source=foo&utm_campaign=c", "", ("foo", "(none)", Referral));
    check("?source=foo&utm_campaign=c&gclid=1", "", ("google", "cpc", PaidSearch));
    check("?ref=partner.example", "https://blog.example/", ("partner.example", "(none)", Referral));
    check("?ref=partner", "https://www.google.com/", ("google", "organic", OrganicSearch));
    check("?ref=partner", "https://chatgpt.com/", ("chatgpt", "ai-assistant", AiAssistant));
    check("?ref=nav", "https://site.example/", ("(direct)", "(none)", Direct));
    check("?ref=nav", "https://www.paypal.com/", ("(direct)", "(none)", Direct));
    check("?ref=12345", "", ("(direct)", "(none)", Direct));
    check("?ref=https://www.a.example/x", "", ("a.example", "(none)", Referral));
    check("?ref=partner&utm_source=a&utm_medium=b", "", ("a", "b", Other));
    check("?ref=partner&gclid=1", "", ("google", "cpc", PaidSearch));
}

#[test]
fn click_ids() {
    use Channel::*;
    for (query, expected) in [
        ("gclid=a", ("google", "cpc", PaidSearch)),
        ("gbraid=a", ("google", "cpc", PaidSearch)),
        ("wbraid=a", ("google", "cpc", PaidSearch)),
        ("gclsrc=aw.ds", ("google", "cpc", PaidSearch)),
        ("dclid=a", ("google", "display", Display)),
        ("gad_source=1", ("google", "cpc", PaidSearch)),
        ("gad_campaignid=7", ("google", "cpc", PaidSearch)),
        ("srsltid=a", ("google", "organic", OrganicShopping)),
        ("msclkid=a", ("bing", "cpc", PaidSearch)),
        ("fbclid=a", ("facebook", "social", OrganicSocial)),
        ("igshid=a", ("instagram", "social", OrganicSocial)),
        ("igsh=a", ("instagram", "social", OrganicSocial)),
        ("ttclid=a", ("tiktok", "paid_social", PaidSocial)),
        ("twclid=a", ("x", "paid_social", PaidSocial)),
        ("li_fat_id=a", ("linkedin", "paid_social", PaidSocial)),
        ("ScCid=a", ("snapchat", "paid_social", PaidSocial)),
        ("sccid=a", ("snapchat", "paid_social", PaidSocial)),
        ("epik=a", ("pinterest", "social", OrganicSocial)),
        ("rdt_cid=a", ("reddit", "paid_social", PaidSocial)),
        ("qclid=a", ("quora", "paid_social", PaidSocial)),
        ("ndclid=a", ("nextdoor", "paid_social", PaidSocial)),
        ("yclid=a", ("yandex", "cpc", PaidSearch)),
        ("ysclid=a", ("yandex", "organic", OrganicSearch)),
        ("irclickid=a", ("impact", "affiliate", Affiliates)),
        ("cjevent=a", ("cj", "affiliate", Affiliates)),
        ("awc=a", ("awin", "affiliate", Affiliates)),
        ("sscid=a", ("shareasale", "affiliate", Affiliates)),
        ("ranMID=a", ("rakuten-advertising", "affiliate", Affiliates)),
        ("dicbo=a", ("outbrain", "display", Display)),
        ("tblci=a", ("taboola", "display", Display)),
        ("vmcid=a", ("yahoo-dsp", "display", Display)),
        ("auctid=a", ("teads", "display", Display)),
        ("awclid=a", ("amazon", "cpc", PaidShopping)),
        ("mc_cid=a", ("mailchimp", "email", Email)),
        ("mc_eid=a", ("mailchimp", "email", Email)),
        ("_hsenc=a", ("hubspot", "email", Email)),
        ("mkt_tok=a", ("marketo", "email", Email)),
        ("_kx=a", ("klaviyo", "email", Email)),
        ("trk_msg=a", ("listrak", "email", Email)),
        ("clickid=a", ("(direct)", "(none)", Direct)),
        ("ef_id=a", ("(direct)", "(none)", Direct)),
        ("_gl=a&hsa_cam=1", ("(direct)", "(none)", Direct)),
        ("gclid=", ("(direct)", "(none)", Direct)),
    ] {
        check(&format!("?{query}"), "", expected);
    }
}

#[test]
fn click_ids_against_each_other_and_the_rest() {
    use Channel::*;
    // The order in the table decides, not that in the URL.
    for (query, expected) in [
        ("fbclid=1&gclid=2", "gclid"),
        ("msclkid=1&gclid=2", "gclid"),
        ("wbraid=1&gbraid=2", "gbraid"),
        ("msclkid=1&dclid=2", "dclid"),
        ("ttclid=1&msclkid=2", "msclkid"),
        ("tblci=1&ttclid=2", "ttclid"),
        ("irclickid=1&tblci=2", "tblci"),
        ("gad_source=1&awc=2", "awc"),
        ("srsltid=1&gad_source=2", "gad_source"),
        ("fbclid=1&srsltid=2", "srsltid"),
        ("mc_cid=1&fbclid=2", "fbclid"),
    ] {
        let label = label(&format!("?{query}"), "");
        assert_eq!(label.click_id.map(|id| id.name).as_deref(), Some(expected), "{query}");
    }
    // Explicit tags are never overridden; a missing medium becomes paid if a click id proves it.
    check("?utm_source=a&utm_medium=referral&gclid=1", "", ("a", "referral", Referral));
    check("?utm_source=google&utm_medium=organic&gclid=1", "", ("google", "organic", PaidSearch));
    check("?utm_source=google&gclid=1", "", ("google", "cpc", PaidSearch));
    check("?utm_source=partner&gclid=1", "", ("partner", "cpc", PaidSearch));
    check("?utm_source=partner&fbclid=1", "", ("partner", "(none)", Referral));
    check("?utm_medium=paid&fbclid=1", "", ("facebook", "paid", PaidSocial));
    check("?utm_medium=paid&epik=1", "", ("pinterest", "paid", PaidSocial));
    check("?utm_source=list&mc_cid=1", "", ("list", "(none)", Referral));
    check("?_hsmi=1&utm_campaign=x", "", ("hubspot", "email", Email));
    check(
        "?utm_source=google&utm_medium=organic&srsltid=1",
        "",
        ("google", "organic", OrganicShopping),
    );
    check("?utm_source=bing&utm_medium=organic&srsltid=1", "", ("bing", "organic", OrganicSearch));
    check("?gclid=1", "https://www.google.com/", ("google", "cpc", PaidSearch));
    check("?gclid=1", "https://site.example/", ("(direct)", "(none)", Direct));
    check("?gclid=1", "https://www.paypal.com/", ("google", "cpc", PaidSearch));
    check("?fbclid=1", "https://l.instagram.com/", ("instagram", "social", OrganicSocial));
    check("?fbclid=1", "https://l.facebook.com/", ("facebook", "social", OrganicSocial));
    check("?fbclid=1", "https://blog.example/", ("facebook", "social", OrganicSocial));
    check("?fbclid=1", "https://t.co/", ("x", "social", OrganicSocial));
    check("?igshid=1", "https://l.facebook.com/", ("instagram", "social", OrganicSocial));
    check("?epik=1", "https://l.instagram.com/", ("instagram", "social", OrganicSocial));
    let label = label("?gad_source=1&gad_campaignid=77&gclid=Ab", "");
    assert_eq!(label.campaign_id.as_deref(), Some("77"));
    assert_eq!(label.click_id.map(|id| id.value).as_deref(), Some("Ab"));
}

#[test]
fn keywords() {
    check_keyword("https://www.google.com/search?q=Red+Shoes", Some("red shoes"));
    check_keyword("https://www.google.com/", None);
    check_keyword("https://search.yahoo.com/search?p=shoes", Some("shoes"));
    check_keyword("https://www.baidu.com/s?wd=%D6%D0%B9%FA", Some("中国"));
    check_keyword("https://go.mail.ru/search?q=%ef%f0%e8%e2%e5%f2", Some("привет"));
    check_keyword("https://blog.example/?q=shoes", None);
    check_keyword("https://www.facebook.com/?q=shoes", None);
    // The tagged term and the search word are kept apart.
    let label = label("?utm_term=Tagged", "https://www.google.com/search?q=searched");
    assert_eq!(
        (label.term.as_deref(), label.keyword.as_deref()),
        (Some("Tagged"), Some("searched"))
    );
}

#[test]
fn every_decision_has_its_rule() {
    check_rule("", "", "nothing/direct");
    check_rule("", "https://shop.site.example/", "own:shop.site.example/direct");
    check_rule("", "https://www.paypal.com/", "excluded:paypal.com/direct");
    check_rule("", "https://www.google.fr/", "referrer:google.*/organic_search");
    check_rule("", "https://blog.example/", "referrer:blog.example/referral");
    check_rule("?gclid=1", "https://www.google.fr/", "click_id:gclid/paid_search");
    check_rule("?utm_source=a&utm_medium=email&gclid=1", "", "tags/email");
    check_rule("?ref=a", "", "weak_tag/source_alone");
    check_rule("?utm_medium=pigeon", "", "tags/other");
}

#[test]
fn dimensions_that_come_resolved() {
    let check = |source: &str, medium: &str, campaign: &str, expected: (&str, Channel)| {
        let label = RULES.label_resolved(source, medium, campaign);
        assert_eq!(
            (label.source.as_str(), label.channel),
            expected,
            "{source} {medium} {campaign}"
        );
    };
    use Channel::*;
    check("(direct)", "(none)", "", ("(direct)", Direct));
    check("(direct)", "(not set)", "", ("(direct)", Direct));
    check("", "", "", ("(direct)", Direct));
    check("Google", "CPC", "", ("google", PaidSearch));
    check("google", "cpm", "", ("google", PaidSearch));
    check("google.fr", "organic", "", ("google.fr", OrganicSearch));
    check("google.fr", "referral", "", ("google.fr", Referral));
    check("shop.app", "referral", "", ("shop", OrganicShopping));
    check("checkout.stripe.com", "referral", "", ("stripe", OrganicShopping));
    check("mail.google.com", "referral", "", ("gmail", OrganicSearch));
    check("youtube.com", "referral", "", ("youtube", OrganicVideo));
    check("me.blogspot.com", "referral", "", ("blogger", OrganicSocial));
    check("a.me.blogspot.com", "referral", "", ("blogger", OrganicSocial));
    check("x", "cpc", "", ("x", PaidSocial));
    check("klaviyo", "(not set)", "", ("klaviyo", Email));
    check("null", "null", "", ("(not set)", Other));
    check("t.co", "referral", "", ("x", OrganicSocial));
    check("www.facebook.com", "referral", "", ("facebook", OrganicSocial));
    check("paypal.com", "referral", "", ("paypal.com", Referral));
    check("chatgpt.com", "ai-assistant", "(ai-assistant)", ("chatgpt", AiAssistant));
    check("chatgpt.com", "(not set)", "", ("chatgpt", AiAssistant));
    check("chatgpt.com", "referral", "", ("chatgpt", AiAssistant));
    check("list", "email", "eshop", ("list", OrganicShopping));
    check("(not set)", "(not set)", "(not set)", ("(not set)", Other));
    check("partner", "(not set)", "", ("partner", Referral));
    check("partner", "pigeon", "", ("partner", Other));
    check("google", "cpc", "Cross-Network", ("google", CrossNetwork));
}

#[test]
fn an_operators_rules_come_first() {
    let rules = |channels: &str, sources: &str, click_ids: &str| {
        let rules: Vec<crate::channel::custom::ChannelRule> =
            serde_json::from_str(channels).unwrap();
        let text = |text: &str| vec![("own.csv".to_owned(), text.to_owned())];
        Rules::with(Additions {
            sources: text(sources),
            click_ids: text(click_ids),
            channels: ChannelRules::new(rules).unwrap(),
        })
    };
    let own = rules(
        r#"[{"name":"friends","channel":"affiliates","source":"friend*"},{"name":"walk-in","channel":"offline","source":"(direct)"},{"name":"brand","channel":"paid_other","medium":"cpc","campaign":"*brand*"},{"name":"flyer","channel":"offline","landing_host":"shop.site.example","landing_path":"/flyer*"}]"#,
        "intranet,excluded,login.corp.example\nnewengine,search,engine.example,ask\ngoogle,social,=google.com",
        "clickid,tracker,affiliate,affiliate",
    );
    let own = own.unwrap();
    let check = |query: &str, referrer: &str, expected: (&str, Channel, &str)| {
        let page = match query.strip_prefix('/') {
            Some(path) => format!("https://www.shop.site.example/{path}"),
            None => format!("https://www.site.example/{query}"),
        };
        let url = Url::parse(&page).unwrap();
        let label = own.label(
            &own.evidence(&url, referrer, ""),
            &page,
            &OwnHosts::new(["site.example"]),
            InternalTags::Ignore,
        );
        let found = (label.source.as_str(), label.channel, label.rule.as_str());
        assert_eq!(found, expected, "{query} {referrer}");
    };
    use Channel::*;
    check("?utm_source=Friendly", "", ("friendly", Affiliates, "tags/custom:friends"));
    check(
        "?utm_source=google&utm_medium=cpc&utm_campaign=My-Brand",
        "",
        ("google", PaidOther, "tags/custom:brand"),
    );
    check(
        "",
        "https://login.corp.example/",
        ("(direct)", Offline, "excluded:login.corp.example/custom:walk-in"),
    );
    check(
        "",
        "https://engine.example/?ask=x",
        ("newengine", OrganicSearch, "referrer:engine.example/organic_search"),
    );
    check(
        "",
        "https://google.com/",
        ("google", OrganicSocial, "referrer:google.com/organic_social"),
    );
    check("?clickid=1", "", ("tracker", Affiliates, "click_id:clickid/affiliates"));
    check("", "", ("(direct)", Offline, "nothing/custom:walk-in"));
    let flyer = ("a", Offline, "tags/custom:flyer");
    check("/flyer/may?utm_source=a&utm_medium=b", "", flyer);
    check("/other?utm_source=a&utm_medium=b", "", ("a", Other, "tags/other"));
    check("flyer?utm_source=a&utm_medium=b", "", ("a", Other, "tags/other"));
    assert_ne!(own.hash(), RULES.hash());
    assert_eq!(Rules::built_in().hash(), RULES.hash());
    assert_eq!(
        rules("[]", "x,serch,y.example", "").unwrap_err().to_string(),
        "own.csv, line 1: `serch` is not a category; use one of search, portal, social, video, shopping, assistant, email, search_ads, display_ads, excluded, affiliate, spam, site"
    );
    assert!(
        rules("[]", "", "a,b").is_err_and(|error| error.to_string().contains("own.csv, line 1"))
    );
}
