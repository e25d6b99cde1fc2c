//! HTTP over `fetch`.

use crate::{
    core::{
        Result,
        port::{Body, Http, Request, Response},
    },
    from_js,
};
use alloc::{rc::Rc, string::String, vec::Vec};
use bytes::Bytes;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/js/fetch.js")]
extern "C" {
    type Call;
    #[wasm_bindgen(js_name = startCall)]
    fn start_call(method: &str, url: &str, headers: Vec<String>, body: Option<Array>) -> Call;
    /// Resolves when the head of the answer is there.
    #[wasm_bindgen(method)]
    fn head(this: &Call) -> Promise;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Call) -> u16;
    /// Names and values in turn.
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Call) -> Vec<String>;
    /// Resolves to the next piece, or to nothing at the end.
    #[wasm_bindgen(method)]
    fn next(this: &Call) -> Promise;
    #[wasm_bindgen(method)]
    fn stop(this: &Call);
}

/// Sends requests with `fetch`: no cookies, no cache, redirects are not followed.
///
/// A request's body is handed to the browser as a `Blob`, which it may keep outside of memory; an answer's body is read as it
/// arrives. Dropping a future or a body cuts the request off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetch;

/// The body of an answer, as it arrives.
pub struct FetchBody {
    running: Rc<Running>,
    left: Option<u64>,
}

/// Cuts its request off when it is dropped.
struct Running(Call);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Http for Fetch {
    type Body = FetchBody;

    async fn send<B: Body>(&self, request: Request<B>) -> Result<Response<FetchBody>> {
        let mut body = request.body;
        let pieces = Array::new();
        while let Some(piece) = body.next().await? {
            pieces.push(&Uint8Array::from(&*piece));
        }
        let mut headers = Vec::with_capacity(request.headers.len() * 2);
        for (name, value) in request.headers {
            headers.push(name);
            headers.push(value);
        }
        let body = (pieces.length() > 0).then_some(pieces);
        let call = start_call(request.method.name(), &request.url, headers, body);
        let running = Running(call);
        let head = running.0.head();
        JsFuture::from(head)
            .await
            .map_err(|thrown| from_js(&thrown))?;
        let mut headers = Vec::new();
        let mut names = running.0.headers().into_iter();
        while let (Some(name), Some(value)) = (names.next(), names.next()) {
            headers.push((name, value));
        }
        let status = running.0.status();
        let mut response = Response {
            status,
            headers,
            body: FetchBody {
                running: Rc::new(running),
                left: None,
            },
        };
        // What was encoded on the way has another length.
        if response.header("content-encoding").is_none() {
            response.body.left = response
                .header("content-length")
                .and_then(|length| length.parse().ok());
        }
        Ok(response)
    }
}

impl Body for FetchBody {
    fn len(&self) -> Option<u64> {
        self.left
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = JsFuture::from(self.running.0.next())
            .await
            .map_err(|thrown| from_js(&thrown))?;
        if piece.is_undefined() {
            return Ok(None);
        }
        let bytes = Bytes::from(Uint8Array::from(piece).to_vec());
        self.left = self
            .left
            .map(|left| left.saturating_sub(Bytes::len(&bytes) as u64));
        Ok(Some(bytes))
    }
}
