//! Addresses without the evidence that they carry.

use super::parameters;
use crate::click_id::ClickIds;
use crate::limits;
use url::Url;

/// The page's URL without evidence, personal parameters and fragment, at most
/// `limits::STORED_URL_BYTES` long.
pub fn clean_url(url: &Url, table: &ClickIds) -> String {
    let mut clean = url.clone();
    clean.set_fragment(None);
    let is_known = |name: &str| table.rule(name).is_some();
    if let Some((end, _)) = parameters::in_path(url.path(), &is_known) {
        clean.set_path(&url.path()[..end]);
    }
    strip(&mut clean, &is_known);
    crate::cut::url(clean.into(), limits::STORED_URL_BYTES).unwrap_or_default()
}

/// Removes user, password and the parameters that `is_out` selects (it gets names in lower case).
pub(super) fn strip(url: &mut Url, is_out: &dyn Fn(&str) -> bool) {
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let Some(query) = url.query() else { return };
    // Parameters that stay keep their exact spelling.
    let parts = parameters::split(query, is_out);
    let kept: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !is_out(&parameters::read(part, is_out).name))
        .collect();
    if kept.len() == parts.len() && !query.is_empty() {
        return;
    }
    let kept = kept.join("&");
    let kept = kept.trim_start_matches('&');
    url.set_query(Some(kept).filter(|kept| !kept.is_empty()));
}
