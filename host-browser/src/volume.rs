//! A volume that JavaScript keeps.

use crate::{
    core::{Error, Kind, Result, port::Volume},
    from_js,
};
use alloc::{rc::Rc, string::String, vec::Vec};
use bytes::Bytes;
use core::{future::poll_fn, ops::Range, task::Poll};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// What `js/volume.d.ts` describes. Methods that answer at once return no promise.
    type Host;
    #[wasm_bindgen(method, catch)]
    fn len(this: &Host) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setLen)]
    fn set_len(this: &Host, len: f64) -> Result<JsValue, JsValue>;
    /// Fills `into` at once and returns nothing, or returns a promise of the bytes.
    #[wasm_bindgen(method, catch)]
    fn read(this: &Host, offset: f64, into: &mut [u8]) -> Result<JsValue, JsValue>;
    /// Takes a copy of `bytes` before it returns.
    #[wasm_bindgen(method, catch)]
    fn write(this: &Host, offset: f64, bytes: &[u8]) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn gather(this: &Host) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn sync(this: &Host) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn close(this: &Host);
}

#[wasm_bindgen(module = "/js/opfs.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = openOpfs)]
    async fn open_opfs(name: String) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/js/indexeddb.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = openIndexedDb)]
    async fn open_indexed_db(name: String) -> Result<JsValue, JsValue>;
}

/// A store's volume, kept by an object of JavaScript. It is closed when this value is dropped.
pub struct JsVolume(Rc<Open>);

struct Open(Host);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Offsets beyond this cannot be told apart in JavaScript.
const MAX: u64 = 1 << 53;
/// A read of more than this is compared with the volume's length before it allocates.
const DOUBTFUL: usize = 1 << 20;

impl JsVolume {
    /// The volume that `host` keeps: an object with the methods of `js/volume.d.ts`.
    pub fn new(host: JsValue) -> Self {
        JsVolume(Rc::new(Open(host.unchecked_into())))
    }

    /// The file of this name in the origin's private file system, or a new one. Only dedicated workers have it.
    ///
    /// # Errors
    /// `Busy` when another tab or worker has it open; `NotImplemented` where there is no such file system, or not here.
    pub async fn opfs(name: &str) -> Result<Self> {
        let host = open_opfs(name.into()).await;
        host.map(Self::new).map_err(|thrown| from_js(&thrown))
    }

    /// The IndexedDB database of this name, or a new one.
    ///
    /// # Errors
    /// `Busy` when another tab or worker has it open, `Timeout` when the browser does not answer, `NotImplemented` where
    /// there is no IndexedDB.
    pub async fn indexed_db(name: &str) -> Result<Self> {
        let host = open_indexed_db(name.into()).await;
        host.map(Self::new).map_err(|thrown| from_js(&thrown))
    }

    fn host(&self) -> &Host {
        &self.0.0
    }
}

impl Volume for JsVolume {
    async fn len(&self) -> Result<u64> {
        let len = self.host().len().map_err(|thrown| from_js(&thrown))?;
        Ok(len as u64)
    }

    async fn set_len(&self, len: u64) -> Result<()> {
        settle(self.host().set_len(number(len)?)).await.map(drop)
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Bytes> {
        if len > DOUBTFUL && Volume::len(self).await?.saturating_sub(offset) < len as u64 {
            return Err(too_short(offset, len));
        }
        let offset_number = number(offset)?;
        let mut bytes = zeros(len)?;
        let answer = settle(self.host().read(offset_number, &mut bytes)).await?;
        if answer.is_undefined() {
            return Ok(bytes.into());
        }
        let answer = Uint8Array::from(answer);
        if answer.length() as usize != len {
            return Err(too_short(offset, len));
        }
        answer.copy_to(&mut bytes);
        Ok(bytes.into())
    }

    async fn write_at(&self, offset: u64, bytes: Bytes) -> Result<()> {
        number(offset.saturating_add(bytes.len() as u64))?;
        settle(self.host().write(number(offset)?, &bytes))
            .await
            .map(drop)
    }

    /// Rows and blocks are used again in place.
    async fn discard(&self, _range: Range<u64>) -> Result<()> {
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        settle(self.host().sync()).await.map(drop)
    }

    /// Calls that came in one message commit one after another in one turn: they are one group. So are those that have to read before.
    async fn gather(&self) {
        yield_now().await;
        // A look for a key reads an index block and a leaf. There may always be somebody else who reads.
        for _ in 0..3 {
            match self.host().gather() {
                // What fails there fails for whoever reads.
                Ok(reads) if !reads.is_undefined() => drop(settle(Ok(reads)).await),
                _ => return,
            }
            yield_now().await;
        }
    }
}

/// Room for what is read. In pages, because code that is optimized for size sets a `Vec`'s bytes one by one.
fn zeros(len: usize) -> Result<Vec<u8>> {
    static PAGE: [u8; 4096] = [0; 4096];
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| {
        Error::new(
            Kind::OutOfRange,
            alloc::format!("no memory for {len} bytes"),
        )
    })?;
    while let missing @ 1.. = len.saturating_sub(bytes.len()) {
        bytes.extend_from_slice(PAGE.get(..missing).unwrap_or(&PAGE));
    }
    Ok(bytes)
}

/// What a method of a host answered, at once or later.
async fn settle(answer: Result<JsValue, JsValue>) -> Result<JsValue> {
    let answer = match answer {
        Ok(answer) => match answer.dyn_into::<Promise>() {
            Ok(promise) => JsFuture::from(promise).await,
            Err(answer) => Ok(answer),
        },
        thrown => thrown,
    };
    answer.map_err(|thrown| from_js(&thrown))
}

/// Lets everything else that is ready run first.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn number(offset: u64) -> Result<f64> {
    if offset > MAX {
        let message = alloc::format!("offset {offset} is beyond what a browser can address");
        return Err(Error::new(Kind::OutOfRange, message));
    }
    Ok(offset as f64)
}

fn too_short(offset: u64, len: usize) -> Error {
    let message = alloc::format!("the volume ends before {len} bytes at {offset}");
    Error::new(Kind::OutOfRange, message)
}
