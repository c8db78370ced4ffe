//! Referrers: own, excluded, known, unknown, and none.

use super::*;

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
        ("https://verifiedbyvisa.comdirect.de/", ("(direct)", "(none)", Direct)),
        ("https://x.verifiedbyvisa.barclays.co.uk/", ("(direct)", "(none)", Direct)),
        ("https://3dsecure.bank.com/", ("(direct)", "(none)", Direct)),
        ("https://live.opayo.eu.elavon.com/", ("(direct)", "(none)", Direct)),
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
        ("https://drive.google.com/", ("drive.google.com", "referral", Referral)),
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
        ("https://com.reddit.frontpage/", ("reddit", "social", OrganicSocial)),
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
    // Another host under the same private suffix is a stranger.
    let own = OwnHosts::new(["me.github.io"]);
    let url = Url::parse("https://me.github.io/").unwrap();
    let label = |referrer| {
        RULES.label(&RULES.evidence(&url, referrer, ""), "", &own, InternalTags::Ignore).origin
    };
    assert_eq!(label("https://you.github.io/"), Origin::Marketing);
    assert_eq!(label("https://me.github.io/x"), Origin::Internal);
}
