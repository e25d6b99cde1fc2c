//! A remote in the same process: `docs/protocol.md` over memory, without sockets, and lying on demand.

use super::{
    super::{BlobStore, ChunkList, MemoryBlobs, Pointer, RootStore},
    *,
};
use crate::{
    port::{Request, Response},
    sync::Mutex,
};
use alloc::{collections::VecDeque, sync::Arc, vec};
use serde_json::{Value, json};

/// What is answered to a request; made from the method and the path with its query.
pub(super) type Answer = Response<Pieces>;
type Lie = Arc<dyn Fn(&str, Answer) -> Answer + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct FakeRemote {
    pub blobs: MemoryBlobs,
    pub token: Option<String>,
    /// Changes answers on their way.
    pub lie: Arc<Mutex<Option<Lie>>>,
    /// Every request: `METHOD /path?query`, and the length of its body.
    pub requests: Arc<Mutex<Vec<(String, usize)>>>,
}

#[derive(Debug, Default)]
pub(super) struct Pieces(pub VecDeque<Result<Bytes>>);

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.pop_front().transpose()
    }
}

pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let body: Bytes = body.into();
    let mut headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    headers.push(("content-length".into(), body.len().to_string()));
    // In uneven pieces, as networks do.
    let mut pieces = VecDeque::new();
    for piece in body.chunks(70_001) {
        pieces.push_back(Ok(Bytes::copy_from_slice(piece)));
    }
    Response {
        status,
        headers,
        body: Pieces(pieces),
    }
}

fn bytes(body: Bytes, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("content-type", "application/octet-stream")];
    all.extend_from_slice(headers);
    answer(200, &all, body)
}

fn stored(status: u16, hex: &str) -> Answer {
    answer(status, &[("etag", &alloc::format!("\"{hex}\""))], "")
}

fn json_answer(value: Value) -> Answer {
    let kind = [("content-type", "application/json")];
    answer(200, &kind, value.to_string().into_bytes())
}

pub(super) fn failed(kind: Kind, message: &str) -> Answer {
    let status = match kind {
        Kind::InvalidInput => 400,
        Kind::Auth => 401,
        Kind::NotFound => 404,
        Kind::Conflict => 409,
        Kind::AlreadyExists => 412,
        Kind::OutOfRange => 416,
        Kind::Corrupt => 422,
        _ => 500,
    };
    let body = json!({"error": {"code": kind.name(), "message": message}});
    let mut answer = json_answer(body);
    answer.status = status;
    let name = kind.name().to_string();
    answer.headers.push(("littoral-error".into(), name));
    answer
}

impl Http for FakeRemote {
    type Body = Pieces;

    async fn send<B: Body>(&self, request: Request<B>) -> Result<Answer> {
        let path = request.url.strip_prefix("http://remote").unwrap();
        let line = alloc::format!("{} {path}", request.method.name());
        let header = |name: &str| {
            let found = request.headers.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone())
        };
        let authorization = header("authorization");
        let range = header("range");
        let body = request.body.collect(1 << 30).await?;
        self.requests.lock().push((line.clone(), body.len()));
        let wanted = self
            .token
            .as_ref()
            .map(|token| alloc::format!("Bearer {token}"));
        let mut answer = match (wanted, authorization) {
            (Some(_), None) => failed(Kind::Auth, "a token is wanted"),
            (Some(wanted), Some(given)) if wanted != given => Response {
                status: 403,
                ..failed(Kind::Auth, "another token is wanted")
            },
            _ => {
                let done = self.route(request.method, path, range, body).await;
                done.unwrap_or_else(|error| failed(error.kind(), &error.to_string()))
            }
        };
        if request.method == Method::Head {
            answer.body = Pieces::default();
        }
        let lie = self.lie.lock().clone();
        Ok(match lie {
            Some(lie) => lie(&line, answer),
            None => answer,
        })
    }
}

impl FakeRemote {
    pub fn lie(&self, lie: impl Fn(&str, Answer) -> Answer + Send + Sync + 'static) {
        *self.lie.lock() = Some(Arc::new(lie));
    }

    async fn route(
        &self,
        method: Method,
        path: &str,
        range: Option<String>,
        body: Bytes,
    ) -> Result<Answer> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let query = Query::parse(query);
        match (method, &parts[..]) {
            (Method::Get, ["v1", "blobs"]) => self.list(&query).await,
            (Method::Post, ["v1", "blobs"]) => {
                let pointer = self.blobs.put(body).await?;
                Ok(Response {
                    status: 201,
                    ..json_answer(json!({ "pointer": pointer }))
                })
            }
            (Method::Post, ["v1", "blobs", "has"]) => {
                let has = self.blobs.has(&asked(&body)?).await?;
                Ok(json_answer(json!({ "has": has })))
            }
            (Method::Post, ["v1", "chunks", "has"]) => {
                let has = self.blobs.has_chunks(&asked(&body)?).await?;
                Ok(json_answer(json!({ "has": has })))
            }
            (Method::Get, ["v1", "blobs", hex]) => self.get(&hex.parse()?, range).await,
            (Method::Head, ["v1", "blobs", hex]) => self.head(&hex.parse()?).await,
            (Method::Put, ["v1", "blobs", hex]) => {
                let pointer: Pointer = hex.parse()?;
                if Pointer::of(&body) != pointer {
                    return Err(Error::new(Kind::Corrupt, "another blob"));
                }
                let there = self.blobs.has(&[pointer]).await?[0];
                self.blobs.put(body).await?;
                Ok(stored(if there { 200 } else { 201 }, hex))
            }
            (Method::Delete, ["v1", "blobs", hex]) => {
                match self.blobs.delete(&hex.parse()?).await? {
                    true => Ok(answer(204, &[], "")),
                    false => Err(Error::new(Kind::NotFound, "no such blob")),
                }
            }
            (Method::Get, ["v1", "blobs", hex, "chunks"]) => {
                match self.blobs.chunks(&hex.parse()?).await? {
                    Some(list) => Ok(bytes(list.encode().into(), &[])),
                    None => Err(Error::new(Kind::NotFound, "no chunks")),
                }
            }
            (Method::Put, ["v1", "blobs", hex, "chunks"]) => {
                let list = ChunkList::decode(&body)?;
                self.blobs.put_list(&hex.parse()?, list).await?;
                Ok(stored(201, hex))
            }
            (Method::Get, ["v1", "chunks", hex]) => {
                Ok(bytes(self.blobs.get_chunk(&hex.parse()?).await?, &[]))
            }
            (Method::Put, ["v1", "chunks", hex]) => {
                assert_eq!(Pointer::of(&body).to_string(), *hex);
                self.blobs.put_chunk(body).await?;
                Ok(stored(201, hex))
            }
            (Method::Get, ["v1", "roots"]) => {
                let roots = self
                    .blobs
                    .roots(query.after.as_deref(), query.limit)
                    .await?;
                let mut rows = Vec::new();
                for (name, pointer) in roots {
                    rows.push(json!({ "name": name, "pointer": pointer }));
                }
                Ok(json_answer(json!({ "roots": rows })))
            }
            (Method::Get, ["v1", "roots", name]) => match self.blobs.root(&decoded(name)).await? {
                Some(pointer) => Ok(json_answer(json!({ "pointer": pointer }))),
                None => Err(Error::new(Kind::NotFound, "no such root")),
            },
            (Method::Put, ["v1", "roots", name]) => self.move_root(&decoded(name), &body).await,
            _ => Err(Error::new(Kind::InvalidInput, "no such path")),
        }
    }

    async fn list(&self, query: &Query) -> Result<Answer> {
        assert!((1..=1000).contains(&query.limit));
        let after = query.after.as_deref().map(str::parse).transpose()?;
        let mut rows = Vec::new();
        for row in self.blobs.list(after, query.limit).await? {
            rows.push(json!({ "pointer": row.pointer, "size": row.size }));
        }
        Ok(json_answer(json!({ "blobs": rows })))
    }

    async fn get(&self, pointer: &Pointer, range: Option<String>) -> Result<Answer> {
        let Some(range) = range else {
            let etag = alloc::format!("\"{pointer}\"");
            return Ok(bytes(self.blobs.get(pointer).await?, &[("etag", &etag)]));
        };
        let (first, last) = range
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        let size = self.blobs.stat(pointer).await?.unwrap().size;
        let got = self.blobs.get_range(pointer, first..last + 1).await?;
        let says = alloc::format!("bytes {first}-{last}/{size}");
        Ok(Response {
            status: 206,
            ..bytes(got, &[("content-range", &says)])
        })
    }

    async fn head(&self, pointer: &Pointer) -> Result<Answer> {
        let stat = self.blobs.stat(pointer).await?;
        let stat = stat.ok_or_else(|| Error::new(Kind::NotFound, "no such blob"))?;
        Ok(Response {
            status: 200,
            headers: vec![
                ("etag".into(), alloc::format!("\"{pointer}\"")),
                ("content-length".into(), stat.size.to_string()),
                ("littoral-chunks".into(), stat.chunks.to_string()),
            ],
            body: Pieces::default(),
        })
    }

    async fn move_root(&self, name: &str, body: &[u8]) -> Result<Answer> {
        let wanted: Value = serde_json::from_slice(body).unwrap();
        let at = |key: &str| serde_json::from_value(wanted[key].clone()).unwrap();
        match self.blobs.move_root(name, at("from"), at("to")).await {
            Err(error) if error.kind() == Kind::Conflict => Ok(Response {
                status: 409,
                ..json_answer(json!({
                    "error": { "code": "Conflict", "message": "moved" },
                    "current": self.blobs.root(name).await?,
                }))
            }),
            done => done.map(|()| json_answer(json!({ "pointer": wanted["to"] }))),
        }
    }
}

struct Query {
    after: Option<String>,
    limit: usize,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Query {
            after: None,
            limit: 0,
        };
        for part in query.split('&') {
            match part.split_once('=') {
                Some(("after", after)) => parsed.after = Some(decoded(after)),
                Some(("limit", limit)) => parsed.limit = limit.parse().unwrap(),
                _ => {}
            }
        }
        parsed
    }
}

fn asked(body: &[u8]) -> Result<Vec<Pointer>> {
    let mut asked: Value = serde_json::from_slice(body).unwrap();
    let pointers: Vec<Pointer> = serde_json::from_value(asked["pointers"].take()).unwrap();
    assert!(pointers.len() <= 10_000);
    Ok(pointers)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let hex = core::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}
