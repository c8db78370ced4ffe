//! The fuzz target of the rules, run by `cargo xtask soak rules`. Its checks are in `tests`, which
//! also run a short round of them.

#![no_main]

#[path = "../tests/src/any_input.rs"]
mod any_input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_input::check(data));
