//! Time and chance.

use crate::core::{
    Error, Kind, Result,
    port::{Clock, Entropy},
};
use core::time::Duration;
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/js/clock.js")]
extern "C" {
    type Timer;
    #[wasm_bindgen(js_name = startTimer)]
    fn start_timer(milliseconds: f64) -> Timer;
    #[wasm_bindgen(method, getter)]
    fn done(this: &Timer) -> Promise;
    #[wasm_bindgen(method)]
    fn stop(this: &Timer);

    #[wasm_bindgen(js_name = fillRandom, catch)]
    fn fill_random(bytes: &mut [u8]) -> Result<(), JsValue>;
    fn now() -> f64;
}

/// Time and chance as a page, a worker or Node gives them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Browser;

/// Stops its timer when it is dropped.
struct Stop(Timer);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Clock for Browser {
    fn now(&self) -> Duration {
        Duration::from_millis(now() as u64)
    }

    /// A page in the background may be woken later than asked.
    async fn sleep(&self, duration: Duration) {
        let timer = Stop(start_timer(duration.as_millis() as f64));
        // It is never rejected.
        let _ = JsFuture::from(timer.0.done()).await;
    }
}

impl Entropy for Browser {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        fill_random(bytes).map_err(|thrown| {
            Error::new(Kind::NotImplemented, "there is no source of random bytes")
                .with_source(crate::from_js(&thrown))
        })
    }
}
