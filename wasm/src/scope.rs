//! Scopes of the document.

use crate::{
    convert::{array, number, promise},
    doc::once,
    engine::Engine,
};
use alloc::string::String;
use js_sys::Promise;
use littoral_browser::core::Kind;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Makes the scope of this name unless there is one: the commit of the document that it began with.
    #[wasm_bindgen(js_name = docScope)]
    pub fn doc_scope(&self, name: String) -> Promise {
        let document = self.document();
        promise(async move {
            let document = document.await?;
            let scope = match document.create_scope(&name).await {
                Err(error) if error.kind() == Kind::AlreadyExists => document.scope(&name)?,
                made => made?,
            };
            Ok(number(scope.base()))
        })
    }

    /// The names of all scopes.
    #[wasm_bindgen(js_name = docScopes)]
    pub fn doc_scopes(&self) -> Promise {
        let document = self.document();
        promise(async move { Ok(array(document.await?.scopes())) })
    }

    /// Removes the scope; `again`: it may be gone already.
    #[wasm_bindgen(js_name = docDrop)]
    pub fn doc_drop(&self, name: String, again: bool) -> Promise {
        let document = self.document();
        promise(async move {
            match document.await?.scope(&name) {
                Err(error) if again && error.kind() == Kind::NotFound => {}
                scope => scope?.drop().await?,
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Applies the scope to the document: the commit's number. `id` and `after` as for `docPatch`.
    #[wasm_bindgen(js_name = docPromote)]
    pub fn doc_promote(&self, name: String, id: f64, after: Option<f64>) -> Promise {
        let document = self.document();
        promise(async move {
            let (document, once) = (document.await?, once(id, after)?);
            match document.made(once).await? {
                Some(commit) => Ok(number(commit)),
                None => document.scope(&name)?.promote_once(once).await.map(number),
            }
        })
    }
}
