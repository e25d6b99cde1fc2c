//! Errors on their way between JavaScript and the core.

use crate::core::{Error, Kind};
use alloc::string::String;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/js/error.js")]
extern "C" {
    /// The name of a [`Kind`] for anything that can be thrown.
    #[wasm_bindgen(js_name = codeOf)]
    fn code_of(thrown: &JsValue) -> String;

    /// Words for anything that can be thrown.
    #[wasm_bindgen(js_name = messageOf)]
    fn message_of(thrown: &JsValue) -> String;

    /// An `Error` with a code, and with its cause's code and message where it has one.
    #[wasm_bindgen(js_name = makeError)]
    fn make_error(code: &str, message: &str, cause_code: &str, cause: Option<String>) -> JsValue;
}

/// What JavaScript threw, sorted into the kind that a caller branches on.
///
/// An object whose `code` is the name of a [`Kind`] keeps it; the names of `DOMException`s and Node's codes are known.
pub fn from_js(thrown: &JsValue) -> Error {
    let kind = Kind::from_name(&code_of(thrown)).unwrap_or(Kind::Transient);
    Error::new(kind, message_of(thrown))
}

/// The error as an object of JavaScript: an `Error` with `code`, and `cause` where there is one.
pub fn to_js(error: &Error) -> JsValue {
    use core::error::Error as _;
    let source = error.source();
    let code = source
        .and_then(|source| source.downcast_ref::<Error>())
        .map_or("", |cause| cause.kind().name());
    let cause = source.map(|source| alloc::format!("{source}"));
    make_error(error.kind().name(), &alloc::format!("{error}"), code, cause)
}
