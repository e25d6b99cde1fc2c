//! Values of JavaScript.

use alloc::{boxed::Box, string::String};
use bytes::Bytes;
use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use littoral_browser::{
    core::{Error, Kind, Result, blob::Pointer, port::Body},
    from_js, to_js,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// A promise of what `work` comes to.
pub(crate) fn promise(work: impl Future<Output = Result<JsValue>> + 'static) -> Promise {
    start(Box::pin(work))
}

/// What `work` comes to: at once, or a promise of it where it has to wait for something.
///
/// A turn through the queue of promises costs more than reading a small blob.
pub(crate) fn answer(
    work: impl Future<Output = Result<JsValue>> + 'static,
) -> core::result::Result<JsValue, JsValue> {
    look(Box::pin(work))
}

type Work = Pin<Box<dyn Future<Output = Result<JsValue>>>>;

/// One copy of what drives a future, whatever is in it.
fn start(work: Work) -> Promise {
    future_to_promise(async move { work.await.map_err(|error| to_js(&error)) })
}

fn look(mut work: Work) -> core::result::Result<JsValue, JsValue> {
    // Whoever polls it next is told when it can go on.
    let mut nobody = Context::from_waker(Waker::noop());
    match work.as_mut().poll(&mut nobody) {
        Poll::Ready(outcome) => outcome.map_err(|error| to_js(&error)),
        Poll::Pending => Ok(start(work).into()),
    }
}

/// An object with these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes every field.
        let _ = Reflect::set(&object, &name.into(), &value);
    }
    object.into()
}

/// An array of what `items` are.
pub(crate) fn array<T: Into<JsValue>>(items: impl IntoIterator<Item = T>) -> JsValue {
    let array: Array = items.into_iter().map(Into::into).collect();
    array.into()
}

pub(crate) fn pointer(hex: &str) -> Result<Pointer> {
    Pointer::from_hex(hex)
        .map_err(|error| Error::new(Kind::InvalidInput, alloc::format!("{error}")))
}

pub(crate) fn maybe_pointer(hex: Option<String>) -> Result<Option<Pointer>> {
    hex.map(|hex| pointer(&hex)).transpose()
}

pub(crate) fn number(n: u64) -> JsValue {
    JsValue::from_f64(n as f64)
}

/// A whole number that is not negative.
pub(crate) fn whole(n: f64) -> Result<u64> {
    // `as` takes what is beyond to the limits, and NaN to 0.
    match n >= 0.0 {
        true => Ok(n as u64),
        false => Err(Error::new(
            Kind::InvalidInput,
            "an offset or a commit is a whole number that is not negative",
        )),
    }
}

pub(crate) fn maybe_whole(n: Option<f64>) -> Result<Option<u64>> {
    n.map(whole).transpose()
}

/// Milliseconds.
pub(crate) fn time(time: Duration) -> JsValue {
    JsValue::from_f64(time.as_secs_f64() * 1000.0)
}

pub(crate) fn maybe_error(error: Option<&Error>) -> JsValue {
    error.map_or(JsValue::UNDEFINED, to_js)
}

pub(crate) fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

#[wasm_bindgen]
extern "C" {
    /// Bytes that arrive piece by piece: `next()` gives a promise of a `Uint8Array`, or of nothing at the end.
    pub type Source;
    #[wasm_bindgen(method)]
    fn next(this: &Source) -> Promise;
}

/// The pieces of a [`Source`].
pub(crate) struct Pieces(pub Source);

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = JsFuture::from(self.0.next())
                .await
                .map_err(|thrown| from_js(&thrown))?;
            if piece.is_undefined() {
                return Ok(None);
            }
            let piece = Uint8Array::from(piece);
            if piece.length() > 0 {
                return Ok(Some(piece.to_vec().into()));
            }
        }
    }
}
