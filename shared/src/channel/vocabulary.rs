//! What people write into `utm_medium` and `utm_source` beyond the words that Google publishes.

/// What a medium says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// The click was paid for.
    Paid,
    /// A banner or a native advertisement.
    Display,
    /// An e-mail.
    Email,
    /// A text message.
    Sms,
}

/// Words for a paid click; `sa` is Naver's search advertising.
const PAID: &[&str] = &[
    "ad",
    "ads",
    "advert",
    "advertisement",
    "advertising",
    "adverts",
    "adwords",
    "biddable",
    "bizboard",
    "boosted",
    "brandsearch",
    "demandgen",
    "dsa",
    "paid",
    "pmax",
    "pla",
    "ppc",
    "promoted",
    "remarketing",
    "retarget",
    "retargeting",
    "sa",
    "sea",
    "sem",
    "sponsored",
];
/// Words for a banner; `da` is what Koreans call display advertising.
const DISPLAY: &[&str] =
    &["banner", "banners", "da", "display", "dv360", "gdn", "native", "programmatic", "rtb"];
/// Words that say so wherever they stand: several words, or languages without spaces.
const PHRASES: &[(&str, Told)] = &[
    ("performance max", Told::Paid),
    ("demand gen", Told::Paid),
    ("검색광고", Told::Paid),
    ("디스플레이", Told::Display),
    ("배너", Told::Display),
    ("광고", Told::Paid),
    ("リスティング", Told::Paid),
    ("ディスプレイ", Told::Display),
    ("バナー", Told::Display),
    ("広告", Told::Paid),
    ("メルマガ", Told::Email),
    ("メール", Told::Email),
    ("뉴스레터", Told::Email),
    ("이메일", Told::Email),
    ("알림톡", Told::Sms),
    ("alimtalk", Told::Sms),
    ("문자", Told::Sms),
];
/// What may stand in front of `ads` without a separator.
const KINDS: &[&str] = &["search", "social", "display", "video", "shopping", "native", "paid"];

/// What a medium (in lower case) says in words that Google's table does not have.
pub(crate) fn medium(medium: &str) -> Option<Told> {
    if super::is_paid(medium) {
        return None;
    }
    let spaced = medium.replace(['-', '_', '.', '+'], " ");
    let phrase = PHRASES.iter().find(|(phrase, _)| spaced.contains(phrase)).map(|(_, told)| *told);
    let mut words = medium.split(is_separator);
    let display = || words.clone().any(|word| DISPLAY.contains(&word)).then_some(Told::Display);
    let is_glued = |word: &str| word.strip_suffix("ads").is_some_and(|kind| KINDS.contains(&kind));
    let paid = phrase.or_else(display);
    paid.or_else(|| words.any(|word| PAID.contains(&word) || is_glued(word)).then_some(Told::Paid))
}

/// The platform in a source (in lower case) that says that it is about advertisements, as in
/// `google_ads`, `fbads` and `ads-linkedin`, and whether the word stands apart.
pub(crate) fn advertiser(source: &str) -> Option<(&str, bool)> {
    const WORDS: [&str; 5] = ["adwords", "advertising", "paid", "ads", "ad"];
    let apart = |name: &str| name.trim_matches(is_separator).len() < name.len();
    WORDS
        .iter()
        .find_map(|word| {
            let name = source.strip_suffix(word)?;
            Some((name.trim_end_matches(is_separator), name.is_empty() || apart(name)))
        })
        .or_else(|| {
            WORDS.iter().find_map(|word| {
                let name = source.strip_prefix(word)?;
                apart(name).then(|| (name.trim_start_matches(is_separator), true))
            })
        })
}

fn is_separator(letter: char) -> bool {
    matches!(letter, ' ' | '-' | '_' | '.' | '+' | '/' | '|' | ':' | ',' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media() {
        for (text, expected) in [
            ("sea", Some(Told::Paid)),
            ("search-ads", Some(Told::Paid)),
            ("searchads", Some(Told::Paid)),
            ("social_paid", Some(Told::Paid)),
            ("ppc-brand", Some(Told::Paid)),
            ("performance_max", Some(Told::Paid)),
            ("native", Some(Told::Display)),
            ("da", Some(Told::Display)),
            ("검색광고", Some(Told::Paid)),
            ("メルマガ", Some(Told::Email)),
            ("alimtalk", Some(Told::Sms)),
            ("threads", None),
            ("uploads", None),
            ("email", None),
            ("display", Some(Told::Display)),
            ("display_ads", Some(Told::Display)),
            ("video_ads", Some(Told::Paid)),
            ("mobile_ads", Some(Told::Paid)),
            ("cpc", None),
            ("brand", None),
            ("", None),
        ] {
            assert_eq!(medium(text), expected, "{text}");
        }
    }

    #[test]
    fn advertisers() {
        for (text, expected) in [
            ("google_ads", Some(("google", true))),
            ("linkedin ads", Some(("linkedin", true))),
            ("fbad", Some(("fb", false))),
            ("threads", Some(("thre", false))),
            ("adwords", Some(("", true))),
            ("ads-linkedin", Some(("linkedin", true))),
            ("adobe", None),
            ("google", None),
        ] {
            assert_eq!(advertiser(text), expected, "{text}");
        }
    }
}
