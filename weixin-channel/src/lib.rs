//! See the README.
#![forbid(unsafe_code)]
