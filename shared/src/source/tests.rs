use super::*;
use crate::limits;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::LazyLock;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);

fn label(query: &str, referrer: &str) -> Label {
    let url = Url::parse(&format!("https://www.site.example/{query}")).unwrap();
    let own = OwnHosts::new(["site.example", "*.second.example"]);
    RULES.label(&RULES.evidence(&url, referrer), &own)
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
    check("?utm_medium=cpc", "https://www.google.com/", ("google", "cpc", PaidSearch));
    check("?utm_source=stripe", "", ("stripe", "referral", OrganicShopping));
    check("?utm_source=paypal.com", "", ("paypal.com", "(none)", Referral));
    check("?utm_source=bing.com&utm_medium=cpc", "", ("bing", "cpc", PaidSearch));
    check("?utm_source=news.google.fr.evil", "", ("news.google.fr.evil", "(none)", Referral));
    // Tags win over any referrer, the site's own too.
    check("?utm_source=a&utm_medium=email", "https://www.google.com/", ("a", "email", Email));
    check("?utm_source=a&utm_medium=email", "https://site.example/", ("a", "email", Email));
    // An assistant that names itself and no medium.
    check("?utm_source=chatgpt.com", "", ("chatgpt", "ai-assistant", AiAssistant));
    check("?utm_source=chatgpt.com&utm_medium=cpc", "", ("chatgpt", "cpc", PaidOther));
    check(
        "?utm_source=perplexity",
        "https://site.example/x",
        ("perplexity", "ai-assistant", AiAssistant),
    );
}

#[test]
fn weak_tags() {
    use Channel::*;
    check("?ref=ProductHunt", "", ("producthunt", "referral", Referral));
    check("?source=twitter&ref=b", "", ("x", "social", OrganicSocial));
    check("?ref=newsletter", "", ("newsletter", "referral", Referral));
    check(
        "?ref=partner.example",
        "https://blog.example/",
        ("partner.example", "referral", Referral),
    );
    check("?ref=partner", "https://www.google.com/", ("google", "organic", OrganicSearch));
    check("?ref=partner", "https://chatgpt.com/", ("chatgpt", "ai-assistant", AiAssistant));
    check("?ref=nav", "https://site.example/", ("(direct)", "(none)", Direct));
    check("?ref=nav", "https://www.paypal.com/", ("(direct)", "(none)", Direct));
    check("?ref=12345", "", ("(direct)", "(none)", Direct));
    check("?ref=https://a.example/", "", ("(direct)", "(none)", Direct));
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
    // The table's order decides, not the address's.
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
    // Explicit tags are never overridden; a medium that nobody wrote is raised by proof of payment.
    check("?utm_source=a&utm_medium=referral&gclid=1", "", ("a", "referral", Referral));
    check(
        "?utm_source=google&utm_medium=organic&gclid=1",
        "",
        ("google", "organic", OrganicSearch),
    );
    check("?utm_source=google&gclid=1", "", ("google", "cpc", PaidSearch));
    check("?utm_source=partner&gclid=1", "", ("partner", "cpc", PaidOther));
    check("?utm_source=partner&fbclid=1", "", ("partner", "(none)", Referral));
    check("?utm_medium=paid&fbclid=1", "", ("facebook", "paid", PaidSocial));
    check("?utm_medium=paid&epik=1", "", ("pinterest", "paid", PaidSocial));
    check("?utm_source=list&mc_cid=1", "", ("list", "(none)", Referral));
    check("?gclid=1", "https://www.google.com/", ("google", "cpc", PaidSearch));
    check("?gclid=1", "https://site.example/", ("google", "cpc", PaidSearch));
    check("?gclid=1", "https://www.paypal.com/", ("google", "cpc", PaidSearch));
    check("?fbclid=1", "https://l.instagram.com/", ("instagram", "social", OrganicSocial));
    check("?fbclid=1", "https://l.facebook.com/", ("facebook", "social", OrganicSocial));
    check("?fbclid=1", "https://blog.example/", ("facebook", "social", OrganicSocial));
    let label = label("?gad_source=1&gad_campaignid=77&gclid=Ab", "");
    assert_eq!(label.campaign_id.as_deref(), Some("77"));
    assert_eq!(label.click_id.map(|id| id.value).as_deref(), Some("Ab"));
}

#[test]
fn referrers() {
    use Channel::*;
    for (referrer, expected) in [
        ("", ("(direct)", "(none)", Direct)),
        // the site's own, by registrant
        ("https://site.example/x", ("(direct)", "(none)", Direct)),
        ("https://shop.site.example:8443/", ("(direct)", "(none)", Direct)),
        ("https://SITE.EXAMPLE./", ("(direct)", "(none)", Direct)),
        ("https://a.second.example/", ("(direct)", "(none)", Direct)),
        ("https://notsite.example/", ("notsite.example", "referral", Referral)),
        // payment, login and booking
        ("https://www.paypal.com/x", ("(direct)", "(none)", Direct)),
        ("https://checkout.stripe.com/", ("(direct)", "(none)", Direct)),
        ("https://tenant.auth0.com/", ("(direct)", "(none)", Direct)),
        ("https://accounts.google.com/", ("(direct)", "(none)", Direct)),
        ("https://login.microsoftonline.com/", ("(direct)", "(none)", Direct)),
        ("https://shop.app/", ("(direct)", "(none)", Direct)),
        ("https://acs.verifiedbyvisa.com/", ("(direct)", "(none)", Direct)),
        ("https://calendly.com/x", ("(direct)", "(none)", Direct)),
        // search
        ("https://www.google.com/", ("google", "organic", OrganicSearch)),
        ("https://www.google.co.uk/", ("google", "organic", OrganicSearch)),
        ("https://images.google.fr/", ("google", "organic", OrganicSearch)),
        ("https://google.blogspot.com/", ("blogger", "social", OrganicSocial)),
        ("https://www.bing.com/", ("bing", "organic", OrganicSearch)),
        ("https://fr.search.yahoo.com/", ("yahoo", "organic", OrganicSearch)),
        ("https://duckduckgo.com/", ("duckduckgo", "organic", OrganicSearch)),
        ("https://yandex.ru/", ("yandex", "organic", OrganicSearch)),
        ("https://www.baidu.com/", ("baidu", "organic", OrganicSearch)),
        ("https://www.cnn.com/", ("cnn.com", "referral", Referral)),
        ("https://www.cnn.com/search?query=a", ("google", "organic", OrganicSearch)),
        ("https://drive.google.com/", ("google.com", "referral", Referral)),
        // social
        ("https://l.facebook.com/", ("facebook", "social", OrganicSocial)),
        ("https://m.facebook.com/", ("facebook", "social", OrganicSocial)),
        ("https://out.reddit.com/", ("reddit", "social", OrganicSocial)),
        ("https://away.vk.com/", ("vk", "social", OrganicSocial)),
        ("https://t.co/abc", ("x", "social", OrganicSocial)),
        ("https://lnkd.in/x", ("linkedin", "social", OrganicSocial)),
        ("https://notfacebook.com/", ("notfacebook.com", "referral", Referral)),
        ("https://notwikipedia.org/", ("notwikipedia.org", "referral", Referral)),
        ("https://me.tumblr.com/", ("tumblr", "social", OrganicSocial)),
        // assistants before social and search
        ("https://gemini.google.com/", ("gemini", "ai-assistant", AiAssistant)),
        ("https://chatgpt.com/", ("chatgpt", "ai-assistant", AiAssistant)),
        ("https://x.com/i/grok", ("grok", "ai-assistant", AiAssistant)),
        ("https://x.com/", ("x", "social", OrganicSocial)),
        ("https://www.bing.com/chat", ("copilot", "ai-assistant", AiAssistant)),
        ("https://l.meta.ai/", ("meta-ai", "ai-assistant", AiAssistant)),
        // mail
        ("https://mail.google.com/", ("gmail", "email", Email)),
        ("https://outlook.live.com/", ("outlook", "email", Email)),
        ("https://mail.yahoo.co.jp/", ("yahoo-mail", "email", Email)),
        ("https://deref-gmx.net/mail", ("gmx-mail", "email", Email)),
        ("https://orange.fr/webmail/x", ("orange-mail", "email", Email)),
        ("https://orange.fr/", ("orange.fr", "referral", Referral)),
        ("https://webmail.company.example.com/", ("webmail", "email", Email)),
        ("https://mail02.company.co.uk/", ("webmail", "email", Email)),
        // video and shopping
        ("https://youtu.be/x", ("youtube", "referral", OrganicVideo)),
        ("https://www.youtube.com/", ("youtube", "referral", OrganicVideo)),
        ("https://www.amazon.de/", ("amazon", "referral", OrganicShopping)),
        ("https://aws.amazon.com/", ("aws", "referral", Referral)),
        // ad frames
        ("https://a.safeframe.googlesyndication.com/", ("google", "display", Display)),
        ("https://googleads.g.doubleclick.net/", ("google", "display", Display)),
        ("https://syndicatedsearch.goog/", ("google", "cpc", PaidSearch)),
        ("https://tdsf.doubleclick.net/", ("google", "display", Display)),
        ("https://ib.adnxs.com/", ("appnexus", "display", Display)),
        // apps
        (
            "android-app://com.google.android.googlequicksearchbox/https/www.google.com",
            ("google", "organic", OrganicSearch),
        ),
        ("android-app://com.google.android.gm/", ("gmail", "email", Email)),
        ("android-app://com.reddit.frontpage/", ("reddit", "social", OrganicSocial)),
        ("android-app://org.telegram.messenger/", ("telegram", "social", OrganicSocial)),
        ("android-app://com.slack/", ("slack", "social", OrganicSocial)),
        ("android-app://com.linkedin.android", ("linkedin", "social", OrganicSocial)),
        ("android-app://com.example.unknown/", ("com.example.unknown", "referral", Referral)),
        // unknown, by registrant
        ("https://blog.example.co.uk/x?y", ("example.co.uk", "referral", Referral)),
        ("https://a.github.io/", ("a.github.io", "referral", Referral)),
        ("https://www.bücher.example/", ("xn--bcher-kva.example", "referral", Referral)),
        ("http://192.168.1.10:8080/", ("192.168.1.10", "referral", Referral)),
        ("http://[2001:db8::1]/", ("[2001:db8::1]", "referral", Referral)),
        ("https://me:secret@blog.example/", ("blog.example", "referral", Referral)),
        ("http://localhost:3000/", ("localhost", "referral", Referral)),
        // no referrers
        ("not a url", ("(direct)", "(none)", Direct)),
        ("null", ("(direct)", "(none)", Direct)),
        ("about:blank", ("(direct)", "(none)", Direct)),
        ("data:text/html,x", ("(direct)", "(none)", Direct)),
        ("file:///etc/passwd", ("(direct)", "(none)", Direct)),
        ("https://", ("(direct)", "(none)", Direct)),
    ] {
        check("", referrer, expected);
    }
    // A neighbour under a private suffix is a stranger.
    let own = OwnHosts::new(["me.github.io"]);
    let url = Url::parse("https://me.github.io/").unwrap();
    let label = |referrer| RULES.label(&RULES.evidence(&url, referrer), &own).origin;
    assert_eq!(label("https://you.github.io/"), Origin::Marketing);
    assert_eq!(label("https://me.github.io/x"), Origin::Internal);
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
    // What a person tagged stays apart from what was searched for.
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
    check_rule("?ref=a", "", "weak_tag/referral");
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
        r#"[{"name":"friends","channel":"affiliates","source":"friend*"},{"name":"brand","channel":"paid_other","medium":"cpc","campaign":"*brand*"}]"#,
        "intranet,excluded,login.corp.example\nnewengine,search,engine.example,ask\ngoogle,social,=google.com",
        "clickid,tracker,affiliate,affiliate",
    );
    let own = own.unwrap();
    let check = |query: &str, referrer: &str, expected: (&str, Channel, &str)| {
        let url = Url::parse(&format!("https://www.site.example/{query}")).unwrap();
        let label = own.label(&own.evidence(&url, referrer), &OwnHosts::new(["site.example"]));
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
        ("(direct)", Direct, "excluded:login.corp.example/direct"),
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
    assert_ne!(own.hash(), RULES.hash());
    assert_eq!(Rules::built_in().hash(), RULES.hash());
    assert_eq!(
        rules("[]", "x,serch,y.example", "").err().unwrap_or_default(),
        "own.csv, line 1: `serch` is no category; there is search, portal, social, video, shopping, assistant, email, search_ads, display_ads, excluded, site"
    );
    assert!(rules("[]", "", "a,b").is_err_and(|error| error.contains("own.csv, line 1")));
}

/// A name of a table.
struct Listed {
    file: &'static str,
    platform: Platform,
    /// As written.
    name: &'static str,
}

impl Listed {
    fn bare(&self) -> &'static str {
        self.name.trim_start_matches('=')
    }
}

fn listed() -> Vec<Listed> {
    let all = [("published.csv", PUBLISHED)].into_iter().chain(TABLES);
    let names = all.flat_map(|(file, text)| {
        rows(text).flat_map(move |(_, row)| {
            let cells: Vec<&str> = row.split(',').collect();
            let category = Category::parse(cells[1]).unwrap();
            let platform = Platform { source: cells[0].to_owned(), category };
            cells[2].split_whitespace().map(move |name| Listed {
                file,
                platform: platform.clone(),
                name,
            })
        })
    });
    names.collect()
}

/// No name stands there twice, unless a later table says something else of a published one.
#[test]
fn no_name_stands_there_twice() {
    let mut seen = std::collections::HashMap::new();
    let mut twice = Vec::new();
    for row in listed() {
        let before = seen.insert(row.bare(), (row.file, row.platform.category));
        let again = before.filter(|(file, category)| {
            *file != "published.csv" || *category == row.platform.category
        });
        twice
            .extend(again.map(|(file, _)| format!("`{}` in {file} and in {}", row.name, row.file)));
    }
    assert_eq!(twice, Vec::<String>::new());
}

/// Every name resolves to what its row says: none is shadowed by another.
#[test]
fn every_name_resolves_to_what_it_says() {
    let listed = listed();
    let is_published = |row: &Listed| row.file == "published.csv";
    assert_eq!(listed.iter().filter(|row| is_published(row)).count(), 826, "as Google publishes");
    let own: HashSet<&str> =
        listed.iter().filter(|row| !is_published(row)).map(Listed::bare).collect();
    let published: HashSet<&str> =
        listed.iter().filter(|row| is_published(row)).map(Listed::bare).collect();
    let mut wrong = Vec::new();
    for row in &listed {
        let bare = row.bare();
        let spoken = bare.replace("%20", " ");
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let host = host.replace(".**", ".company.com");
        let host = host.replace("*.", "below.").replace(".*", ".co.uk");
        let found = match row.name {
            _ if is_published(row) && own.contains(bare) => RULES.sources.published(&spoken),
            name if name.starts_with("app:") => {
                RULES.sources.app(&name[4..]).map(|found| found.platform)
            }
            _ if host.contains('.') => RULES.sources.host(&host, path).map(|found| found.platform),
            _ if published.contains(bare) && !is_published(row) => continue,
            _ => RULES.sources.named(&spoken),
        };
        if found != Some(&row.platform) {
            wrong.push(format!("{}: `{}` is {found:?}", row.file, row.name));
        }
        let exactly = RULES.sources.published(&spoken);
        if is_published(row) && exactly != Some(&row.platform) {
            wrong.push(format!("{}: `{}` as a dimension is {exactly:?}", row.file, row.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// No further row says what the row of a wider host says already.
#[test]
fn no_row_is_idle() {
    let mut idle = Vec::new();
    for row in listed().iter().filter(|row| row.file != "published.csv") {
        let bare = row.bare();
        if RULES.sources.published(bare).is_some() {
            // It says something else than Google does.
            continue;
        }
        if bare.contains(['/', ':', '*']) || !bare.contains('.') {
            continue;
        }
        let Some((_, parent)) = bare.split_once('.') else { continue };
        // A stranger under the same parent: is it the same without this row?
        let stranger = format!("zz-nobody.{parent}");
        let wider =
            RULES.sources.host(&stranger, "").filter(|wider| *wider.platform == row.platform);
        idle.extend(
            wider.map(|wider| format!("{}: `{}` under `{}`", row.file, row.name, wider.name)),
        );
    }
    assert_eq!(idle, Vec::<String>::new());
}

/// What a click id or a tag is said to be is known to the tables, where it is a platform.
#[test]
fn click_ids_name_platforms() {
    for source in [
        "google",
        "bing",
        "tiktok",
        "x",
        "linkedin",
        "snapchat",
        "reddit",
        "quora",
        "nextdoor",
        "yandex",
        "facebook",
        "instagram",
        "pinterest",
    ] {
        assert!(
            RULES.sources.named(source).is_some_and(|platform| platform.source == source),
            "{source}"
        );
    }
}

proptest! {
    /// Whatever stands in an address or a referrer: a label, within the limits, and no panic.
    #[test]
    fn any_address(query in "\\PC{0,80}", fragment in "\\PC{0,30}", referrer in "\\PC{0,80}") {
        let text = format!("https://www.site.example/?{query}#{fragment}");
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        bounded(&url, &referrer)?;
    }

    #[test]
    fn addresses_that_look_like_some(
        pairs in proptest::collection::vec(("(utm_source|utm_medium|gclid|FBCLID|ref|source|mtm_campaign|_hsenc|q|x)", "(%[0-9a-fA-F]{2}|[a-zA-Z0-9%+&=]){0,12}"), 0..8),
        host in "[a-z0-9.-]{0,20}",
        path in "[a-z/%]{0,20}",
        scheme in "(https|http|android-app|ftp|javascript)",
    ) {
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = Url::parse(&format!("https://www.site.example/?{}", query.join("&"))).unwrap();
        bounded(&url, &format!("{scheme}://{host}{path}?{}", query.join("&")))?;
    }

    /// A label depends on what its evidence holds, not on when it was read: the stored evidence gives
    /// the same label again.
    #[test]
    fn stored_evidence_gives_the_same_label(query in "(utm_source=[a-z.]{0,9}&)?(utm_medium=[a-z]{0,5}&)?(gclid=[A-Z]{0,3})?", host in "(google.com|t.co|blog.example|paypal.com)") {
        let url = Url::parse(&format!("https://www.site.example/?{query}")).unwrap();
        let own = OwnHosts::new(["site.example"]);
        let evidence = RULES.evidence(&url, &format!("https://{host}/x?q=a"));
        let stored: Evidence = serde_json::from_str(&serde_json::to_string(&evidence).unwrap()).unwrap();
        prop_assert_eq!(RULES.label(&evidence, &own), RULES.label(&stored, &own));
    }
}

fn bounded(url: &Url, referrer: &str) -> Result<(), TestCaseError> {
    let evidence = RULES.evidence(url, referrer);
    let label = RULES.label(&evidence, &OwnHosts::new(["site.example"]));
    for tag in
        [Some(&label.source), Some(&label.medium), label.campaign.as_ref(), label.keyword.as_ref()]
    {
        prop_assert!(tag.is_none_or(|tag| tag.len() <= 2 * limits::TAG_BYTES));
    }
    prop_assert!(label.click_id.is_none_or(|id| id.value.len() <= limits::CLICK_ID_BYTES));
    let clean = RULES.clean_url(url);
    prop_assert!(clean.len() <= limits::STORED_URL_BYTES);
    prop_assert!(!clean.contains("utm_source="));
    Ok(())
}
