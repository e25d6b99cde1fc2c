//! Transactions of the document with several participants.

use crate::{
    convert::{bytes, number, object, promise, whole},
    doc::{once, patch, unless},
    engine::Engine,
};
use alloc::{string::String, vec::Vec};
use core::time::Duration;
use js_sys::Promise;
use littoral_browser::core::doc::Value;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Begins a transaction: its number. `timeout` in milliseconds.
    #[wasm_bindgen(js_name = docBegin)]
    pub fn doc_begin(&self, participants: usize, meta: Vec<u8>, timeout: f64) -> Promise {
        let document = self.document();
        promise(async move {
            let (meta, timeout) = (
                Value::decode(&meta)?,
                Duration::from_millis(whole(timeout)?),
            );
            let transaction = document.await?.begin(participants, meta, timeout).await?;
            Ok(number(transaction.id()))
        })
    }

    /// `{ joined, participants, meta }`
    #[wasm_bindgen(js_name = docTransaction)]
    pub fn doc_transaction(&self, id: f64) -> Promise {
        let document = self.document();
        promise(async move {
            let transaction = document.await?.transaction(whole(id)?)?;
            let (joined, participants) = transaction.joined()?;
            Ok(object([
                ("joined", number(joined as u64)),
                ("participants", number(participants as u64)),
                ("meta", bytes(&transaction.meta()?.encode())),
            ]))
        })
    }

    /// Joins with a patch and its match; does not wait for the others. `own` and `after` are as `id` and `after` for `docPatch`.
    #[wasm_bindgen(js_name = docJoin)]
    pub fn doc_join(
        &self,
        id: f64,
        path: String,
        request: Vec<u8>,
        own: f64,
        after: Option<f64>,
    ) -> Promise {
        let document = self.document();
        promise(async move {
            let (patch, matching) = patch(&request)?;
            let transaction = document.await?.transaction(whole(id)?)?;
            transaction
                .enter(&path, patch, matching, once(own, after)?)
                .await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Waits for what becomes of the transaction; nothing if `cancel` is settled before.
    #[wasm_bindgen(js_name = docOutcome)]
    pub fn doc_outcome(&self, id: f64, path: String, cancel: Promise) -> Promise {
        let document = self.document();
        promise(async move {
            let transaction = document.await?.transaction(whole(id)?)?;
            let outcome = unless(cancel, transaction.outcome(&path)).await;
            Ok(match outcome {
                Some(outcome) => bytes(&outcome?.to_value().encode()),
                None => JsValue::UNDEFINED,
            })
        })
    }

    /// Ends the transaction for all who wait.
    #[wasm_bindgen(js_name = docAbort)]
    pub fn doc_abort(&self, id: f64) -> Promise {
        let document = self.document();
        promise(async move {
            document.await?.transaction(whole(id)?)?.abort().await?;
            Ok(JsValue::UNDEFINED)
        })
    }
}
