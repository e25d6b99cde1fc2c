//! The requests that [`HttpBlobs`] is made of, and the JSON in them.

use super::{
    super::{
        BlobStore, Chunk, ChunkList, Hasher, Listed, Pointer, check_root_name, store::not_found,
    },
    HttpBlobs, JSON, MANY,
    answer::{self, Checked, Text, corrupt},
    counted::Counted,
    json::{self, Json},
    url,
};
use crate::{
    Error, Kind, Result,
    port::{Body, Http, Method, Request, Response},
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use bytes::Bytes;
use core::ops::Range;

/// What a remote answered.
pub(super) type Answer<H> = Response<Counted<<H as Http>::Body>>;

impl<H: Http> HttpBlobs<H> {
    pub(super) async fn send<B: Body>(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, String)>,
        body: B,
    ) -> Result<Answer<H>> {
        let mut headers = Vec::with_capacity(2);
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization".into(), authorization.clone()));
        }
        if let Some((name, value)) = header {
            headers.push((name.into(), value));
        }
        let request = Request {
            method,
            url: alloc::format!("{}{path}", self.base),
            headers,
            body: self.moved.count(body),
        };
        match self.http.send(request).await {
            Ok(answer) => Ok(Response {
                status: answer.status,
                headers: answer.headers,
                body: self.moved.count(answer.body),
            }),
            Err(error) => Err(error.context(self.what(method, path))),
        }
    }

    /// Names a request in errors.
    pub(super) fn what(&self, method: Method, path: &str) -> String {
        alloc::format!("{} {}{path}", method.name(), self.base)
    }

    /// Sends a request without a body; the answer with a status of `good`, or `None` where the remote says that what was asked
    /// for is not there.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        header: Option<(&str, String)>,
        good: &[u16],
    ) -> Result<Option<Answer<H>>> {
        let response = self.send(method, path, header, Bytes::new()).await?;
        match self.expect(response, good, method, path).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    }

    pub(super) async fn expect(
        &self,
        response: Answer<H>,
        good: &[u16],
        method: Method,
        path: &str,
    ) -> Result<Answer<H>> {
        if good.contains(&response.status) {
            return Ok(response);
        }
        let error = answer::failure(response).await;
        Err(error.context(self.what(method, path)))
    }

    /// Sends what makes `pointer`. The answer has to name it: a server that says 200 to everything, such as a
    /// hotel's, must not be taken for one that has it.
    pub(super) async fn upload(
        &self,
        path: &str,
        kind: &str,
        bytes: Bytes,
        pointer: &Pointer,
    ) -> Result<()> {
        let header = Some(("content-type", kind.to_string()));
        let response = self.send(Method::Put, path, header, bytes).await?;
        let response = self
            .expect(response, &[200, 201, 204], Method::Put, path)
            .await?;
        answer::names(&response, pointer)
            .map_err(|error| error.context(self.what(Method::Put, path)))
    }

    /// Asks for JSON; `None` where the remote says that there is none.
    pub(super) async fn get_json<A: json::Answer>(&self, path: &str) -> Result<Option<A>> {
        match self.get_text(path).await? {
            Some(text) => self.parse(&text, Method::Get, path).map(Some),
            None => Ok(None),
        }
    }

    async fn get_text(&self, path: &str) -> Result<Option<Text>> {
        match self.ask(Method::Get, path, None, &[200]).await? {
            Some(response) => self.text(response, Method::Get, path).await.map(Some),
            None => Ok(None),
        }
    }

    /// The body of an answer that should be JSON.
    pub(super) async fn text(
        &self,
        response: Answer<H>,
        method: Method,
        path: &str,
    ) -> Result<Text> {
        let text = answer::text(response, JSON).await;
        text.map_err(|error| error.context(self.what(method, path)))
    }

    pub(super) fn parse<A: json::Answer>(
        &self,
        text: &Text,
        method: Method,
        path: &str,
    ) -> Result<A> {
        json::parse(&text.bytes).ok_or_else(|| text.unlike().context(self.what(method, path)))
    }

    pub(super) async fn ask_many(&self, path: &str, pointers: &[Pointer]) -> Result<Vec<bool>> {
        let mut all = Vec::with_capacity(pointers.len());
        for pointers in pointers.chunks(MANY) {
            let header = Some(("content-type", JSON_TYPE.to_string()));
            let question = ask_has(pointers);
            let response = self.send(Method::Post, path, header, question).await?;
            let response = self.expect(response, &[200], Method::Post, path).await?;
            let text = self.text(response, Method::Post, path).await?;
            let answer: Has = self.parse(&text, Method::Post, path)?;
            if answer.has.len() != pointers.len() {
                return Err(corrupt("another number of answers than of questions")
                    .context(self.what(Method::Post, path)));
            }
            all.extend(answer.has);
        }
        Ok(all)
    }

    /// A small blob or a chunk, proved.
    pub(super) async fn small(
        &self,
        path: &str,
        pointer: &Pointer,
        limit: usize,
    ) -> Result<Option<Bytes>> {
        let Some(response) = self.ask(Method::Get, path, None, &[200]).await? else {
            return Ok(None);
        };
        let got = Checked::new(&response, None, limit).read(response.body, pointer);
        let got = got.await;
        got.map(Some)
            .map_err(|error| error.context(self.what(Method::Get, path)))
    }

    /// Bytes of a large blob that the remote keeps whole, unproved.
    pub(super) async fn part(
        &self,
        pointer: &Pointer,
        range: Range<u64>,
        size: u64,
    ) -> Result<Bytes> {
        let path = blob_path(pointer);
        let header = alloc::format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let response = self
            .ask(Method::Get, &path, Some(("range", header)), &[200, 206])
            .await?
            .ok_or_else(|| not_found(pointer))?;
        let got = match response.status {
            206 => answer::part(response, range, size).await,
            // A remote that knows no ranges sends the whole.
            _ => answer::skim(response, range, pointer).await,
        };
        got.map_err(|error| error.context(self.what(Method::Get, &path)))
    }

    pub(super) async fn part_of_chunks(&self, list: ChunkList, range: Range<u64>) -> Result<Bytes> {
        let mut all = Vec::new();
        let mut start = 0_u64;
        for chunk in list.0 {
            let end = start.saturating_add(u64::from(chunk.len));
            let from = range.start.clamp(start, end) - start;
            let to = range.end.clamp(start, end) - start;
            if from < to {
                let bytes = self.get_chunk(&chunk.pointer).await?;
                chunk.check_bytes(&bytes)?;
                all.extend_from_slice(bytes.get(from as usize..to as usize).unwrap_or_default());
            }
            start = end;
        }
        Ok(all.into())
    }

    pub(super) async fn upload_whole(&self, bytes: Bytes) -> Result<Pointer> {
        let pointer = Pointer::of(&bytes);
        self.upload(&blob_path(&pointer), BYTES_TYPE, bytes, &pointer)
            .await?;
        Ok(pointer)
    }

    /// Sends a blob whose pointer is known only at its end, and checks that the remote found the same one.
    pub(super) async fn upload_unnamed<B: Body>(&self, body: B) -> Result<Pointer> {
        let path = "/v1/blobs";
        let mut hasher = Hasher::new();
        let header = Some(("content-type", BYTES_TYPE.to_string()));
        let body = Hashed {
            body,
            hasher: &mut hasher,
        };
        let response = self.send(Method::Post, path, header, body).await?;
        let response = self
            .expect(response, &[200, 201], Method::Post, path)
            .await?;
        let text = self.text(response, Method::Post, path).await?;
        let found = self.parse::<Root>(&text, Method::Post, path)?.pointer;
        let pointer = hasher.finish();
        match found == pointer {
            true => Ok(pointer),
            false => Err(corrupt(&alloc::format!("{found} for what is {pointer}"))
                .context(self.what(Method::Post, path))),
        }
    }

    pub(super) async fn upload_missing(&self, group: Vec<(Chunk, Bytes)>) -> Result<()> {
        let chunks: Vec<Pointer> = group.iter().map(|(chunk, _)| chunk.pointer).collect();
        let has = self.has_chunks(&chunks).await?;
        let mut sends = Vec::with_capacity(group.len());
        for ((chunk, bytes), has) in group.into_iter().zip(has) {
            if !has {
                sends.push(self.upload_chunk(chunk.pointer, bytes));
            }
        }
        for sent in futures::future::join_all(sends).await {
            sent?;
        }
        Ok(())
    }

    pub(super) async fn upload_chunk(&self, chunk: Pointer, bytes: Bytes) -> Result<()> {
        self.upload(&chunk_path(&chunk), BYTES_TYPE, bytes, &chunk)
            .await
    }

    pub(super) fn no_api(&self) -> Error {
        Error::new(
            Kind::InvalidInput,
            alloc::format!("{} is no remote of Littoral's", self.base),
        )
    }
}

/// A body that is hashed on its way.
struct Hashed<'a, B> {
    body: B,
    hasher: &'a mut Hasher,
}

impl<B: Body> Body for Hashed<'_, B> {
    fn len(&self) -> Option<u64> {
        self.body.len()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.body.next().await?;
        if let Some(piece) = &piece {
            self.hasher.update(piece);
        }
        Ok(piece)
    }
}

pub(super) const BYTES_TYPE: &str = "application/octet-stream";
pub(super) const LIST_TYPE: &str = "application/vnd.littoral.chunks";
pub(super) const JSON_TYPE: &str = "application/json";

pub(super) fn blob_path(pointer: &Pointer) -> String {
    alloc::format!("/v1/blobs/{pointer}")
}

pub(super) fn chunks_path(pointer: &Pointer) -> String {
    alloc::format!("/v1/blobs/{pointer}/chunks")
}

pub(super) fn chunk_path(chunk: &Pointer) -> String {
    alloc::format!("/v1/chunks/{chunk}")
}

pub(super) fn root_path(name: &str) -> Result<String> {
    check_root_name(name)?;
    Ok(alloc::format!("/v1/roots/{}", url::Encoded(name)))
}

/// Asks which of these are there.
fn ask_has(pointers: &[Pointer]) -> Bytes {
    let mut question = String::from("{\"pointers\":[");
    for (index, pointer) in pointers.iter().enumerate() {
        question.push_str(if index == 0 { "\"" } else { ",\"" });
        question.push_str(&pointer.to_hex());
        question.push('"');
    }
    question.push_str("]}");
    question.into()
}

/// Asks to move a root.
pub(super) fn ask_move(from: Option<Pointer>, to: Option<Pointer>) -> Bytes {
    let end = |end: Option<Pointer>| match end {
        Some(pointer) => alloc::format!("\"{pointer}\""),
        None => String::from("null"),
    };
    alloc::format!("{{\"from\":{},\"to\":{}}}", end(from), end(to)).into()
}

struct Has {
    has: Vec<bool>,
}

impl json::Answer for Has {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut has = None;
        json.object(&mut |json, name| match name {
            "has" => {
                let all = has.insert(Vec::new());
                json.array(&mut |json| json.bool().map(|has| all.push(has)))
            }
            _ => json.skip(),
        })?;
        Some(Has { has: has? })
    }
}

pub(super) struct Blobs {
    pub blobs: Vec<Listed>,
}

impl json::Answer for Blobs {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut blobs = None;
        json.object(&mut |json, name| match name {
            "blobs" => {
                let all = blobs.insert(Vec::new());
                json.array(&mut |json| row(json).map(|row| all.push(row)))
            }
            _ => json.skip(),
        })?;
        Some(Blobs { blobs: blobs? })
    }
}

fn row(json: &mut Json<'_>) -> Option<Listed> {
    let (mut pointer, mut size) = (None, None);
    json.object(&mut |json, name| {
        match name {
            "pointer" => pointer = Some(json.pointer()?),
            "size" => size = Some(json.number()?),
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some(Listed {
        pointer: pointer?,
        size: size?,
    })
}

pub(super) struct Roots {
    pub roots: Vec<(String, Pointer)>,
}

impl json::Answer for Roots {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut roots = None;
        json.object(&mut |json, name| match name {
            "roots" => {
                let all = roots.insert(Vec::new());
                json.array(&mut |json| root_row(json).map(|row| all.push(row)))
            }
            _ => json.skip(),
        })?;
        Some(Roots { roots: roots? })
    }
}

fn root_row(json: &mut Json<'_>) -> Option<(String, Pointer)> {
    let (mut root, mut pointer) = (None, None);
    json.object(&mut |json, name| {
        match name {
            "name" => root = Some(json.string()?),
            "pointer" => pointer = Some(json.pointer()?),
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some((root?, pointer?))
}

pub(super) struct Root {
    pub pointer: Pointer,
}

impl json::Answer for Root {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let pointer = field(json, "pointer")??;
        Some(Root { pointer })
    }
}

/// Where a root is after a move. Saying nothing is not "nowhere".
pub(super) struct MovedTo {
    pub pointer: Option<Pointer>,
}

impl json::Answer for MovedTo {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let pointer = field(json, "pointer")?;
        Some(MovedTo { pointer })
    }
}

/// The pointer, or `null`, in a field of an object that must have it.
pub(super) fn field(json: &mut Json<'_>, wanted: &str) -> Option<Option<Pointer>> {
    let mut found = None;
    json.object(&mut |json, name| {
        match name == wanted {
            true => found = Some(json.maybe_pointer()?),
            false => json.skip()?,
        }
        Some(())
    })?;
    found
}
