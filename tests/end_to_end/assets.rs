//! The tracker's files: compressed, revalidated under their names, immutable under their hashes.

use reqwest::{Method, header};
use tests::app::{TestApp, answer};
use tests::storage::Backend;

tests::both_stores!(files_are_encoded_cached_and_found_by_their_hash,);

async fn files_are_encoded_cached_and_found_by_their_hash(backend: Backend) {
    let app = TestApp::start(backend);
    let tracker =
        Option::clone(&app.app.tracker).expect("run `cargo xtask test`, which builds the tracker");
    let script = format!("/c/s.{}.js", tracker.script.hash);
    let module = format!("/c/t.{}.wasm", tracker.module.hash);
    let rows = [
        ("/c/s.js", "text/javascript; charset=utf-8", "max-age=300", &tracker.script),
        ("/c/t.wasm", "application/wasm", "max-age=300", &tracker.module),
        (script.as_str(), "text/javascript; charset=utf-8", "immutable", &tracker.script),
        (module.as_str(), "application/wasm", "immutable", &tracker.module),
    ];
    for (path, media_type, caching, asset) in rows {
        for (accepted, encoding, bytes) in [
            ("", None, asset.plain),
            ("gzip", Some("gzip"), asset.gzip),
            ("gzip, br", Some("br"), asset.brotli),
        ] {
            let get = || app.request(Method::GET, path).header(header::ACCEPT_ENCODING, accepted);
            let response = get().send().await.unwrap();
            let headers = response.headers().clone();
            assert_eq!(response.status(), 200, "{path} {accepted}");
            assert_eq!(headers[header::CONTENT_TYPE], media_type, "{path}");
            assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains(caching), "{path}");
            let given = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(given, encoding, "{path} {accepted}");
            assert_eq!(headers[header::VARY], "Accept-Encoding");
            assert!(response.bytes().await.unwrap() == bytes, "{path} {accepted}: wrong bytes");
            let known = get().header(header::IF_NONE_MATCH, &headers[header::ETAG]);
            let again = answer(known).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path} {accepted}");
        }
    }
    // The script asks for the module by the hash under which it is served.
    let text = std::str::from_utf8(tracker.script.plain).unwrap();
    assert!(text.contains(&format!("t.{}.wasm", tracker.module.hash)));
    app.stop().await;
}
