//! The public suites of stores, to be run inside a browser on what it keeps stores in.

use crate::convert::promise;
use alloc::{rc::Rc, string::ToString};
use core::cell::RefCell;
use js_sys::{Function, Promise};
use littoral_browser::{
    Browser, JsVolume,
    core::{
        Error, Kind, Result,
        blob::{EngineBlobs, EngineRoots, conformance},
        engine::{Options, Store},
    },
    from_js,
};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

/// Runs the suites over volumes that `make` gives: a promise of a new, empty one for `true`, of the last one again for `false`.
///
/// Resolves to nothing, or rejects with the check that failed.
#[wasm_bindgen]
pub fn conformance(make: Function) -> Promise {
    promise(async move {
        let first_failure = Rc::new(RefCell::new(None));
        let open = |fresh: bool| {
            let (make, first_failure) = (make.clone(), first_failure.clone());
            async move {
                loop {
                    match store(&make, fresh).await {
                        Ok(store) => return store,
                        // The suite takes stores only: it waits here for ever, and the caller is told.
                        Err(error) => {
                            first_failure.borrow_mut().get_or_insert(error);
                            core::future::pending::<()>().await;
                        }
                    }
                }
            }
        };
        let failed = |failure: conformance::Failure| Error::new(Kind::Corrupt, failure.to_string());
        let suites = async {
            conformance::all(async || EngineBlobs::new(open(true).await))
                .await
                .map_err(failed)?;
            conformance::roots(async || EngineRoots::new(open(true).await))
                .await
                .map_err(failed)?;
            drop(open(true).await);
            conformance::reopens(async || EngineBlobs::new(open(false).await))
                .await
                .map_err(failed)
        };
        let watch = async {
            loop {
                if let Some(error) = first_failure.borrow_mut().take() {
                    return error;
                }
                littoral_browser::core::port::Clock::sleep(
                    &Browser,
                    core::time::Duration::from_millis(20),
                )
                .await;
            }
        };
        match futures::future::select(core::pin::pin!(suites), core::pin::pin!(watch)).await {
            futures::future::Either::Left((outcome, _)) => outcome.map(|()| JsValue::UNDEFINED),
            futures::future::Either::Right((error, _)) => Err(error),
        }
    })
}

async fn store(make: &Function, fresh: bool) -> Result<Store<JsVolume>> {
    let made = make
        .call1(&JsValue::NULL, &fresh.into())
        .and_then(|promise| promise.dyn_into::<Promise>())
        .map_err(|thrown| from_js(&thrown))?;
    let volume = JsFuture::from(made)
        .await
        .map_err(|thrown| from_js(&thrown))?;
    let mut options = Options::default();
    // Small logs: the suite makes many stores, and turns them over.
    options.log_size = 256 << 10;
    Store::open(JsVolume::new(volume), &Browser, options).await
}
