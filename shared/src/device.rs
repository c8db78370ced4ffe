//! The device type, browser and operating system of a visitor, from the user agent.
//!
//! The crate `woothee` knows browsers and systems. A thin layer in front of it adds what it lacks
//! (in-app browsers, televisions, browsers newer than its data) and tells tablets from phones.
//! Names have no versions: browsers freeze or hide them, and a report by browser needs one row per
//! browser. Bots are not this module's concern (see [`crate::bot`]).
//!
//! Some things a user agent cannot tell: an iPad that requests desktop pages, as Safari does there
//! by default, calls itself a Mac; Windows 11 calls itself 10; Brave calls itself Chrome.

use crate::limits;
use crate::wire::encode::cut;
use serde::{Deserialize, Serialize};
use woothee::parser::{Parser, WootheeResult};

/// A browser and what it runs on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Device {
    /// The kind of device.
    pub device_type: DeviceType,
    /// The browser, or the app that showed the page: `Chrome`, `Samsung Internet`, `Instagram`.
    pub browser: Option<String>,
    /// The operating system: `Windows`, `macOS`, `iOS`, `iPadOS`, `Android`.
    pub os: Option<String>,
}

/// A kind of device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceType {
    /// A computer.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet or reader.
    Tablet,
    /// A television, a console, a car, or unknown.
    #[default]
    Other,
}

impl DeviceType {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Desktop, Self::Mobile, Self::Tablet, Self::Other];

    /// The name used in fields.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Other => "other",
        }
    }
}

impl Device {
    /// Reads a user agent; only its first [`limits::TEXT_BYTES`] bytes, because no more is stored.
    pub fn of(user_agent: &str) -> Self {
        let user_agent = cut(user_agent, limits::TEXT_BYTES);
        let known = Parser::new().parse(user_agent).unwrap_or_default();
        let os = first(SYSTEMS, user_agent).or_else(|| system(known.os));
        let browser = first(BROWSERS, user_agent).or_else(|| browser(&known, os));
        Self {
            device_type: device_type(user_agent, &known, os),
            browser: browser.map(str::to_owned),
            os: os.map(str::to_owned),
        }
    }
}

/// Browsers that also contain the names of others, and apps that show pages; the first match
/// counts.
const BROWSERS: &[(&str, &str)] = &[
    ("Instagram", "Instagram"),
    ("FBAN/Messenger", "Messenger"),
    ("FB_IAB/Orca", "Messenger"),
    ("FBAN/", "Facebook"),
    ("FBAV/", "Facebook"),
    ("FB_IAB", "Facebook"),
    ("musical_ly", "TikTok"),
    ("BytedanceWebview", "TikTok"),
    ("TikTok", "TikTok"),
    ("LinkedInApp", "LinkedIn"),
    ("[Pinterest/", "Pinterest"),
    ("Pinterest for", "Pinterest"),
    ("Snapchat", "Snapchat"),
    ("Twitter for", "X"),
    ("TwitterAndroid", "X"),
    ("MicroMessenger", "WeChat"),
    (" Line/", "LINE"),
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(inapp", "Naver"),
    ("GSA/", "Google app"),
    ("Ddg/", "DuckDuckGo"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Edge/", "Edge"),
    ("Electron/", "Electron"),
    ("Opera Mini", "Opera Mini"),
    ("OPT/", "Opera"),
    ("OPX/", "Opera"),
    ("OPiOS/", "Opera Mini"),
    ("OPR/", "Opera"),
    ("UCBrowser", "UC Browser"),
    ("UCWEB", "UC Browser"),
    ("Silk/", "Amazon Silk"),
    ("MiuiBrowser/", "Mi Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("VivoBrowser/", "Vivo Browser"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("baiduboxapp/", "Baidu"),
    ("YaBrowser/", "Yandex Browser"),
    ("YaSearchBrowser/", "Yandex Browser"),
    ("Whale/", "Whale"),
    ("coc_coc_browser/", "Coc Coc"),
    ("Brave/", "Brave"),
    ("PaleMoon/", "Pale Moon"),
    ("SeaMonkey/", "SeaMonkey"),
    ("Puffin/", "Puffin"),
    ("Focus/", "Firefox"),
    ("Klar/", "Firefox"),
    ("Maxthon", "Maxthon"),
    ("NintendoBrowser", "Nintendo Browser"),
];

/// Systems that `woothee` does not know or confuses with others; the first match counts.
const SYSTEMS: &[(&str, &str)] = &[
    ("Xbox", "Xbox"),
    ("PlayStation", "PlayStation"),
    ("PLAYSTATION", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("Web0S", "webOS"),
    ("webOS.TV", "webOS"),
    ("Tizen", "Tizen"),
    ("KAIOS", "KaiOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Roku/", "Roku OS"),
    ("CrKey", "Chromecast"),
    ("VIDAA", "VIDAA"),
];

/// Televisions, set-top boxes and consoles; many of them also contain `Android` or `Linux`.
const SCREENS: &[&str] = &[
    "SMART-TV",
    "SmartTV",
    "Smart TV",
    "SmartTv",
    "Web0S",
    "HbbTV",
    "AppleTV",
    "Apple TV",
    "GoogleTV",
    "Android TV",
    "AndroidTV",
    "BRAVIA",
    "; AFT",
    "CrKey",
    "Roku/",
    "VIDAA",
    "NetCast",
    "Opera TV",
    "Viera",
    "Xbox",
    "PlayStation",
    "PLAYSTATION",
    "Nintendo",
    " TV ",
];

fn first(table: &[(&str, &'static str)], user_agent: &str) -> Option<&'static str> {
    table.iter().find(|(token, _)| user_agent.contains(token)).map(|(_, name)| *name)
}

/// A system's usual name; `woothee` splits Windows by version and Apple's systems by device.
fn system(known: &str) -> Option<&'static str> {
    Some(match known {
        "iPhone" | "iPod" => "iOS",
        "iPad" => "iPadOS",
        "Mac OSX" | "Mac OS Classic" => "macOS",
        "Windows Phone OS" => "Windows Phone",
        "Android" => "Android",
        "ChromeOS" => "ChromeOS",
        "Linux" => "Linux",
        "BSD" => "BSD",
        "BlackBerry" | "BlackBerry10" => "BlackBerry",
        "Firefox OS" => "Firefox OS",
        "SymbianOS" => "Symbian",
        _ if known.starts_with("Windows") => "Windows",
        _ => return None,
    })
}

fn browser(known: &WootheeResult<'_>, os: Option<&str>) -> Option<&'static str> {
    if known.category == "crawler" {
        return None;
    }
    Some(match known.name {
        // Android's browser before Chrome had no name and calls itself Safari.
        "Safari" if os == Some("Android") => "Android Browser",
        "SamsungBrowser" => "Samsung Internet",
        "Webview" => "WebView",
        "Chrome" => "Chrome",
        "Edge" => "Edge",
        "Firefox" => "Firefox",
        "Internet Explorer" => "Internet Explorer",
        "Opera" => "Opera",
        "Safari" => "Safari",
        "Sleipnir" => "Sleipnir",
        "Vivaldi" => "Vivaldi",
        "Yandex Browser" => "Yandex Browser",
        _ => return None,
    })
}

fn device_type(user_agent: &str, known: &WootheeResult<'_>, os: Option<&str>) -> DeviceType {
    let says = |token: &str| user_agent.contains(token);
    if known.category == "crawler" || SCREENS.iter().any(|screen| says(screen)) {
        return DeviceType::Other;
    }
    match os {
        Some("iPadOS") => DeviceType::Tablet,
        Some("iOS" | "Windows Phone" | "KaiOS" | "Firefox OS" | "Symbian") => DeviceType::Mobile,
        // Phones contain `Mobile`, tablets do not; Firefox and old tablets contain `Tablet`.
        Some("Android" | "HarmonyOS" | "Tizen" | "BlackBerry") => {
            let phone = (says("Mobile") || says("Mini/")) && !says("Tablet") && !says("PlayBook");
            if phone { DeviceType::Mobile } else { DeviceType::Tablet }
        }
        Some("Windows" | "macOS" | "ChromeOS" | "Linux" | "BSD") => {
            if says("Kindle") {
                DeviceType::Tablet
            } else {
                DeviceType::Desktop
            }
        }
        _ if ["mobilephone", "smartphone"].contains(&known.category)
            || ["MIDP", "Opera Mini", "Opera Mobi", "UCWEB", "Mobile"]
                .iter()
                .any(|token| says(token)) =>
        {
            DeviceType::Mobile
        }
        _ => DeviceType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(user_agent: &str, device_type: &str, browser: &str, os: &str) {
        let device = Device::of(user_agent);
        let found = (
            device.device_type.as_str(),
            device.browser.as_deref().unwrap_or("-"),
            device.os.as_deref().unwrap_or("-"),
        );
        assert_eq!(found, (device_type, browser, os), "{user_agent}");
    }

    /// Each row: device type, browser, system, user agent; `{A}` and `{B}` are Apple's and
    /// Chromium's engine.
    const ROWS: &str = r"
desktop|Chrome|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/142.0.0.0 Safari/537.36
desktop|Edge|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0
desktop|Opera|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/142.0.0.0 Safari/537.36 OPR/125.0.0.0
desktop|Vivaldi|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/142.0.0.0 Safari/537.36 Vivaldi/7.6.3797.63
desktop|Yandex Browser|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/138.0.0.0 YaBrowser/25.8.0.0 Safari/537.36
desktop|Firefox|Windows|Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0
desktop|Internet Explorer|Windows|Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko
desktop|Internet Explorer|Windows|Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)
desktop|Safari|macOS|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {A} Version/18.6 Safari/605.1.15
desktop|DuckDuckGo|macOS|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {A} Version/18.6 Safari/605.1.15 Ddg/18.6
desktop|Chrome|macOS|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {B} Chrome/142.0.0.0 Safari/537.36
desktop|Firefox|Linux|Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0
desktop|Firefox|BSD|Mozilla/5.0 (X11; FreeBSD amd64; rv:132.0) Gecko/20100101 Firefox/132.0
desktop|Chrome|ChromeOS|Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {B} Chrome/142.0.0.0 Safari/537.36
desktop|Electron|Linux|Mozilla/5.0 (X11; Linux x86_64) {B} Slack/4.46.0 Chrome/138.0.0.0 Electron/37.2.0 Safari/537.36
mobile|Chrome|Android|Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/142.0.0.0 Mobile Safari/537.36
mobile|Edge|Android|Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/142.0.0.0 Mobile Safari/537.36 EdgA/142.0.0.0
mobile|Opera|Android|Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/142.0.0.0 Mobile Safari/537.36 OPR/92.0.0.0
mobile|Samsung Internet|Android|Mozilla/5.0 (Linux; Android 10; K) {B} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36
mobile|Chrome|Android|Mozilla/5.0 (Linux; Android 9; CUBOT_X18) {B} Chrome/110.0.0.0 Mobile Safari/537.36
mobile|Huawei Browser|HarmonyOS|Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) {B} Chrome/114.0.0.0 HuaweiBrowser/15.0.4 Mobile Safari/537.36
mobile|WebView|Android|Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) {B} Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36
mobile|Facebook|Android|Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) {B} Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/530.0;]
mobile|Firefox|Android|Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0
mobile|Android Browser|Android|Mozilla/5.0 (Linux; U; Android 4.0.3; en; HTC One) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30
mobile|Opera Mini|Android|Opera/9.80 (Android; Opera Mini/7.5.33361/191.291; U; en) Presto/2.12.423 Version/12.16
mobile|UC Browser|Android|Mozilla/5.0 (Linux; U; Android 13; en-US; RMX3085) {B} Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.4.0.1306 Mobile Safari/537.36
mobile|Safari|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Version/18.6 Mobile/15E148 Safari/604.1
mobile|Opera|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Version/18.6 Mobile/15E148 Safari/604.1 OPT/5.8.0
mobile|Chrome|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1
mobile|Firefox|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} FxiOS/145.0 Mobile/15E148 Safari/605.1.15
mobile|Edge|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) {A} Version/17.0 EdgiOS/142.0 Mobile/15E148 Safari/605.1.15
mobile|Google app|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} GSA/391.0 Mobile/15E148 Safari/604.1
mobile|WebView|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Mobile/15E148
mobile|Instagram|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Mobile/15E148 Instagram 400.0.0.0 (iPhone16,2; iOS 18_6)
mobile|Facebook|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Mobile/15E148 [FBAN/FBIOS;FBAV/530.0]
mobile|LINE|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Mobile/15E148 Safari Line/15.0.0
mobile|WeChat|iOS|Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {A} Mobile/15E148 MicroMessenger/8.0.60 NetType/WIFI
mobile|Firefox|KaiOS|Mozilla/5.0 (Mobile; Nokia_2720_Flip; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.2
mobile|Opera Mini|-|Opera/9.80 (SpreadTrum; Opera Mini/4.4.31492/83.113; U; en) Presto/2.12.423 Version/12.16
mobile|-|-|Nokia6300/2.0 (05.50) Profile/MIDP-2.0 Configuration/CLDC-1.1
tablet|Safari|iPadOS|Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) {A} Version/18.6 Mobile/15E148 Safari/604.1
tablet|Chrome|Android|Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/142.0.0.0 Safari/537.36
tablet|Firefox|Android|Mozilla/5.0 (Android 15; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0
tablet|Amazon Silk|Android|Mozilla/5.0 (Linux; Android 9; KFMAWI) {B} Silk/131.2.1 like Chrome/131.0.0.0 Safari/537.36
other|Safari|Tizen|Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) {B} 94.0.4606.31/7.0 TV Safari/537.36
other|Chrome|webOS|Mozilla/5.0 (Web0S; Linux/SmartTV) {B} Chrome/94.0.4606.128 Safari/537.36 WebAppManager
other|Amazon Silk|Android|Mozilla/5.0 (Linux; Android 9; AFTKA Build/PS7633) {B} Silk/108.4.6 like Chrome/108.0.5359.160 Safari/537.36
other|Safari|PlayStation|Mozilla/5.0 (PlayStation; PlayStation 5/9.00) {A} Version/17.0 Safari/605.1.15
other|Edge|Xbox|Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {B} Chrome/48.0 Safari/537.36 Edge/20.02
other|Nintendo Browser|Nintendo|Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/606.4 (KHTML, like Gecko) NF/6.0.1.15.4 NintendoBrowser/5.1.0.20393
other|-|-|Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
other|-|-|curl/8.5.0
other|-|-|
";

    #[test]
    fn devices() {
        for row in ROWS.lines().skip(1) {
            let row = row
                .replace("{A}", "AppleWebKit/605.1.15 (KHTML, like Gecko)")
                .replace("{B}", "AppleWebKit/537.36 (KHTML, like Gecko)");
            let mut cells = row.splitn(4, '|').map(str::to_owned);
            let mut cell = || cells.next().unwrap();
            let (device_type, browser, os) = (cell(), cell(), cell());
            check(&cell(), &device_type, &browser, &os);
        }
    }

    #[test]
    fn words() {
        for word in ["desktop", "mobile", "tablet", "other"] {
            let read: DeviceType = serde_json::from_value(word.into()).unwrap();
            assert_eq!(read.as_str(), word);
        }
    }

    proptest! {
        /// No text makes it panic.
        #[test]
        fn any_text(start in "(Mozilla/5\\.0 \\(|DoCoMo/|Opera/|KDDI-|Nokia|)", rest in "\\PC{0,80}|[a-zA-Z0-9 ;:./()_-]{0,80}") {
            drop(Device::of(&format!("{start}{rest}")));
        }
    }
}
