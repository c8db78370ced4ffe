//! The real browser: all uses of web-sys, and of what the loader does for the module.
//!
//! Calls on a form go through the prototype (`final`), because a field named `closest` or `append`
//! hides the form's own method.

use crate::{
    browser::{Attention, Browser, Transport},
    signal::{EVENTS, FLOODS, FLOODS_EVERY_MS, SCROLL},
};
use alloc::string::String;
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use web_sys::{Element, HtmlDocument};

#[wasm_bindgen]
extern "C" {
    /// What the loader does for the module: network, timer, storage and listening.
    pub type Host;

    /// Listens to these DOM events, numbered from `word`, each at most once per `every_ms`.
    #[wasm_bindgen(method, structural)]
    fn listen(this: &Host, types: &str, word: u32, every_ms: u32);
    #[wasm_bindgen(method, structural)]
    fn post(this: &Host, batch: u32, transport: u32, body: &str);
    #[wasm_bindgen(method, structural)]
    fn after(this: &Host, milliseconds: f64);
    #[wasm_bindgen(method, structural)]
    fn load(this: &Host, key: &str) -> String;
    #[wasm_bindgen(method, structural)]
    fn save(this: &Host, key: &str, value: &str);
    #[wasm_bindgen(method, structural)]
    fn forget(this: &Host);
    #[wasm_bindgen(method, structural)]
    fn token(this: &Host, token: &str);

    // A `static` of this crate would be filled through a function pointer, and one function pointer
    // keeps everything whose address is taken in the module.
    #[wasm_bindgen(method, getter, structural)]
    fn page(this: &Host) -> HtmlDocument;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_random(bytes: &mut [u8]);

    type Focus;
    /// web-sys assumes that this can throw. It cannot, and the guard costs more than the call.
    #[wasm_bindgen(method, structural, js_name = hasFocus)]
    fn has_focus(this: &Focus) -> bool;

    #[wasm_bindgen(js_name = Element, extends = web_sys::Element)]
    type Form;
    #[wasm_bindgen(method, final, js_class = Element)]
    fn closest(this: &Form, selector: &str) -> Option<Form>;
    #[wasm_bindgen(method, final, js_class = Element, js_name = getAttribute)]
    fn attribute(this: &Form, name: &str) -> Option<String>;
    #[wasm_bindgen(method, final, js_class = Element, js_name = setAttribute)]
    fn set_attribute(this: &Form, name: &str, value: &str);
    #[wasm_bindgen(method, final, js_class = Element, js_name = querySelector)]
    fn find(this: &Form, selector: &str) -> Option<Form>;
    #[wasm_bindgen(method, final, js_class = Element)]
    fn append(this: &Form, child: &Form);
}

/// The forms that can make a lead, by their method or by a field in them. Search boxes are not
/// among them, so that the token does not end up in URLs; a page can request it with a field of its
/// own.
const LEAD_FORMS: &str = "form[method=post],form input[type=email],form input[type=tel],\
                          form textarea,form input[name=clew_token]";
const TOKEN_FIELD: &str = "input[name=clew_token]";

/// The browser that the module runs in.
pub(crate) struct Web {
    host: Host,
    page: HtmlDocument,
}

impl Web {
    /// Starts listening.
    pub(crate) fn new(host: Host) -> Self {
        host.listen(EVENTS, 0, 0);
        host.listen(FLOODS, SCROLL, FLOODS_EVERY_MS);
        let page = host.page();
        Self { host, page }
    }
}

impl Browser for Web {
    fn random_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        fill_random(&mut bytes);
        bytes
    }

    fn cookies(&self) -> String {
        self.page.cookie().unwrap_or_default()
    }

    fn set_cookie(&self, cookie: &str) {
        // Without cookies the visitor stays in memory.
        let _ = self.page.set_cookie(cookie);
    }

    fn forget(&self) {
        self.host.forget();
    }

    fn load(&self, key: &str) -> String {
        self.host.load(key)
    }

    fn save(&self, key: &str, value: &str) {
        self.host.save(key, value);
    }

    fn title(&self) -> String {
        self.page.title()
    }

    fn attention(&self) -> Attention {
        if self.page.hidden() {
            Attention::Hidden
        } else if self.page.unchecked_ref::<Focus>().has_focus() {
            Attention::Focused
        } else {
            Attention::Visible
        }
    }

    fn seen(&self) -> u8 {
        self.page.scrolling_element().map_or(0, |page| {
            // One pixel more, because fractional positions are rounded down.
            let seen = page.scroll_top() + page.client_height() + 1;
            (i64::from(seen) * 100 / i64::from(page.scroll_height().max(1))).clamp(0, 100) as u8
        })
    }

    fn post(&self, batch: u32, transport: Transport, body: &str) {
        self.host.post(batch, transport as u32, body);
    }

    fn wake_after(&self, milliseconds: i64) {
        self.host.after(milliseconds as f64);
    }

    fn fill_forms(&self, token: &str) {
        let selector = if token.is_empty() { TOKEN_FIELD } else { LEAD_FORMS };
        let Ok(found) = self.page.query_selector_all(selector) else { return };
        let mut index = 0;
        while let Some(element) = found.item(index) {
            if let Some(form) = element.unchecked_into::<Form>().closest("form") {
                fill(&self.page, &form, token);
            }
            index += 1;
        }
    }

    fn publish_token(&self, token: &str) {
        self.host.token(token);
    }
}

/// A form's id, or its name if it has no id; `None` outside of forms.
pub(crate) fn form_name(element: &Element) -> Option<String> {
    let form = element.unchecked_ref::<Form>().closest("form")?;
    let name = |key| form.attribute(key).filter(|name| !name.is_empty());
    Some(name("id").or_else(|| name("name")).unwrap_or_default())
}

/// Sets a form's token field and adds the field if it is missing. Setting the attribute also sets a
/// hidden field's value after a later `reset()`.
fn fill(page: &HtmlDocument, form: &Form, token: &str) {
    let field = form.find(TOKEN_FIELD).or_else(|| {
        let field = page.create_element("input").ok()?.unchecked_into::<Form>();
        field.set_attribute("type", "hidden");
        field.set_attribute("name", "clew_token");
        form.append(&field);
        Some(field)
    });
    if let Some(field) = field {
        field.set_attribute("value", token);
    }
}
