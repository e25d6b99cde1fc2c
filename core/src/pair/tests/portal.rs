//! Between here and the remote somebody else answers: a hotel that wants a name, a proxy without a server behind it.

use super::support::{Disk, World, open_plain, secs};
use crate::{
    Result,
    blob::{HttpBlobs, Pointer},
    pair::Options,
    port::{Body, Http, Method, Request, Response},
    sync::Mutex,
};
use alloc::{string::String, sync::Arc, vec, vec::Vec};
use bytes::Bytes;

/// A way to a remote that takes everything, on which a page with this status may stand instead.
#[derive(Clone, Default)]
struct Way {
    page: Arc<Mutex<Option<u16>>>,
    arrived: Arc<Mutex<Vec<String>>>,
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Bytes> {
    let headers = headers.iter().map(|(n, v)| ((*n).into(), (*v).into()));
    Response {
        status,
        headers: headers.collect(),
        body: body.into(),
    }
}

impl Http for Way {
    type Body = Bytes;

    async fn send<B: Body>(&self, request: Request<B>) -> Result<Response<Bytes>> {
        request.body.collect(1 << 20).await?;
        if let Some(status) = *self.page.lock() {
            let html = [("content-type", "text/html"), ("etag", "\"33a64df5\"")];
            return Ok(answer(status, &html, "<html>Sign in to the network</html>"));
        }
        let path = request.url.strip_prefix("http://remote/v1/").unwrap();
        let json = [("content-type", "application/json")];
        if path.ends_with("/has") {
            return Ok(answer(200, &json, r#"{"has":[false]}"#));
        }
        self.arrived.lock().push(path.into());
        Ok(match (request.method, path.split_once('/')) {
            (Method::Put, Some(("roots", _))) => answer(200, &json, r#"{"pointer":null}"#),
            (Method::Put, Some((_, hex))) => {
                let etag = alloc::format!("\"{hex}\"");
                answer(201, &[("etag", &etag)], "")
            }
            _ => answer(204, &[], ""),
        })
    }
}

#[test]
fn whoever_answers_in_the_remotes_place_refuses_nothing() {
    // Not 204: with that, anybody can say that he has deleted something.
    for status in [200, 202, 302, 400, 404, 405, 409, 412, 413, 416, 501, 502] {
        let mut world = World::new();
        let way = Way::default();
        *way.page.lock() = Some(status);
        let slow = HttpBlobs::new(way.clone(), "http://remote").unwrap();
        let (disk, env, options) = (Disk::default(), world.env.clone(), Options::default());
        let pair = world.run(async move { open_plain(&disk, &slow, &env, &options).await });
        let driven = pair.clone();
        let drive = world.spawn(async move { driven.drive().await });
        let queueing = pair.clone();
        world.run(async move {
            for number in 0..5_u8 {
                queueing.put(vec![number; 100]).await.unwrap();
            }
            queueing.delete(&Pointer::of(b"elsewhere")).await.unwrap();
            queueing.move_root("head", None, None).await.unwrap();
        });
        let queued = pair.status().current().queued;
        world.pass(secs(3 * 3600));
        let now = pair.status().current();
        assert_eq!((now.queued, now.failed), (queued, 0), "status {status}");
        *way.page.lock() = None;
        world.pass(secs(3600));
        let now = pair.status().current();
        assert_eq!((now.queued, now.failed), (0, 0), "status {status}");
        assert!(way.arrived.lock().len() >= 6);
        drop(drive);
    }
}
