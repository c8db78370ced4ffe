//! The fuzz target of the rules: `cargo xtask soak rules`. What is checked stands beside the tests, which
//! take a short round of the same.

#![no_main]

#[path = "../tests/src/any_input.rs"]
mod any_input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_input::check(data));
