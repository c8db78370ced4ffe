//! A history as the API answers it.

use super::history::History;
use crate::lead::Conversion;
use crate::page_view::PageView;
use crate::time::rfc3339;
use serde_json::{Value, json};

impl History {
    /// The whole history as the API answers it.
    pub fn to_json(&self) -> Value {
        json!({
            "state": self.state,
            "touches": self.touches_json(),
            "visits": self.visits.iter().enumerate().map(|(index, visit)| json!({
                "n": index + 1,
                "at": rfc3339(visit.at_ms),
                "ended_at": rfc3339(visit.active_at_ms),
                "pageviews": visit.page_views,
                "engaged_ms": visit.engaged_ms,
            })).collect::<Vec<_>>(),
            "pages": self.pages.iter().map(page_json).collect::<Vec<_>>(),
            "conversions": self.conversions.iter().map(conversion_json).collect::<Vec<_>>(),
        })
    }
}

/// A page view as the API answers it.
pub fn page_json(view: &PageView) -> Value {
    json!({
        "id": view.id,
        "at": rfc3339(view.at_ms),
        "url": view.url,
        "title": view.title,
        "engaged_ms": view.totals.engaged_ms,
        "scroll_pct": view.totals.scroll_pct,
        "form_focused": view.totals.form_focused,
        "engaged": view.is_engaged(),
        "bot": view.bot,
    })
}

/// A conversion as the API answers it.
pub fn conversion_json(conversion: &Conversion) -> Value {
    json!({
        "id": conversion.id,
        "at": rfc3339(conversion.at_ms),
        "type": conversion.kind,
        "form_id": conversion.form_id,
        "form_name": conversion.form_name,
        "page_url": conversion.page_url,
        "page_title": conversion.page_title,
        "visitor": conversion.visitor,
        "journey": conversion.journey,
    })
}
