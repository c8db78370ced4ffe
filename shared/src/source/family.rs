//! Platforms that belong together: the click id of one also comes from the others.

/// Each row is one company's platforms.
const FAMILIES: &[&[&str]] = &[
    &["facebook", "instagram", "threads", "messenger", "whatsapp"],
    &["google", "youtube", "google-shopping", "google-news", "google-discover", "gmail"],
    // Microsoft sells the ads of these search engines.
    &["bing", "msn", "yahoo", "duckduckgo", "ecosia", "aol", "qwant", "copilot", "outlook"],
    &["naver", "naver-shopping", "naver-blog", "naver-cafe", "naver-kin", "naver-post"],
    &["kakao", "daum", "daum-cafe"],
    &["line", "yahoo"],
];

/// Whether two sources are the same platform or belong together.
pub(super) fn is_same_family(one: &str, other: &str) -> bool {
    one == other || FAMILIES.iter().any(|family| family.contains(&one) && family.contains(&other))
}
