//! A browser made of plain fields, for native tests.

use crate::browser::{Attention, Browser, Transport};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, string::String, vec::Vec};

/// The fake browser's state, and what was done to it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) last_cookie: String,
    /// Domains that refuse cookies.
    pub(crate) public_suffixes: Vec<&'static str>,
    pub(crate) storage: BTreeMap<String, String>,
    pub(crate) title: String,
    pub(crate) attention: Attention,
    pub(crate) seen: u8,
    pub(crate) posts: Vec<(Transport, String)>,
    pub(crate) last_batch: u32,
    pub(crate) wake: Option<i64>,
    pub(crate) forms: String,
    pub(crate) token: String,
    pub(crate) forgotten: usize,
    random: u8,
}

/// A handle to it; the tracker has another one.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) state: Rc<RefCell<State>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let state = State {
            cookies: BTreeMap::new(),
            last_cookie: String::new(),
            public_suffixes: Vec::new(),
            storage: BTreeMap::new(),
            title: "Home".to_owned(),
            attention: Attention::Focused,
            seen: 40,
            posts: Vec::new(),
            last_batch: 0,
            wake: None,
            forms: String::new(),
            token: String::new(),
            forgotten: 0,
            random: 0,
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }
}

impl Browser for Fake {
    fn random_bytes(&self) -> [u8; 16] {
        let mut state = self.state.borrow_mut();
        state.random += 1;
        [state.random; 16]
    }

    fn cookies(&self) -> String {
        let state = self.state.borrow();
        let pairs = state.cookies.iter().map(|(name, value)| std::format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn set_cookie(&self, cookie: &str) {
        let mut state = self.state.borrow_mut();
        state.last_cookie = cookie.to_owned();
        let mut parts = cookie.split(';');
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a pair");
        let attribute = |key: &str| parts.clone().find_map(|part| part.strip_prefix(key));
        let refused =
            attribute("Domain=").is_some_and(|domain| state.public_suffixes.contains(&domain));
        if attribute("Max-Age=") == Some("0") {
            state.cookies.remove(name);
        } else if !refused {
            state.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn forget(&self) {
        let mut state = self.state.borrow_mut();
        state.forgotten += 1;
        state.cookies.clear();
        state.storage.clear();
    }

    fn load(&self, key: &str) -> String {
        self.state.borrow().storage.get(key).cloned().unwrap_or_default()
    }

    fn save(&self, key: &str, value: &str) {
        let mut state = self.state.borrow_mut();
        if value.is_empty() {
            state.storage.remove(key);
        } else {
            state.storage.insert(key.to_owned(), value.to_owned());
        }
    }

    fn title(&self) -> String {
        self.state.borrow().title.clone()
    }

    fn attention(&self) -> Attention {
        self.state.borrow().attention
    }

    fn seen(&self) -> u8 {
        self.state.borrow().seen
    }

    fn post(&self, batch: u32, transport: Transport, body: &str) {
        let mut state = self.state.borrow_mut();
        state.last_batch = batch;
        state.posts.push((transport, body.to_owned()));
    }

    fn wake_after(&self, milliseconds: i64) {
        self.state.borrow_mut().wake = Some(milliseconds);
    }

    fn fill_forms(&self, token: &str) {
        self.state.borrow_mut().forms = token.to_owned();
    }

    fn publish_token(&self, token: &str) {
        self.state.borrow_mut().token = token.to_owned();
    }
}
