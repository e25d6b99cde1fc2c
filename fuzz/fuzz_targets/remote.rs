//! A remote that answers anything: the client returns an error, or bytes that are what was asked for.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use futures::executor::block_on;
use libfuzzer_sys::fuzz_target;
use littoral_core::{
    Error, Kind, Result,
    blob::{BlobStore, HttpBlobs, Pointer, RootStore},
    port::{Body, Http, Request, Response},
};
use std::{cell::RefCell, collections::VecDeque};

#[derive(Arbitrary, Debug)]
struct Input {
    blob: Vec<u8>,
    ask: Ask,
    answers: Vec<Answer>,
}

#[derive(Arbitrary, Debug)]
enum Ask {
    Put,
    Get,
    GetRange(u16, u16),
    Stat,
    Has,
    Delete,
    List(u8),
    Chunks,
    GetChunk,
    Root,
    MoveRoot,
    Roots(u8),
}

#[derive(Arbitrary, Debug)]
struct Answer {
    status: Status,
    headers: Vec<(Name, Value)>,
    body: Vec<Piece>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Status {
    Ok,
    Created,
    NoContent,
    Partial,
    NotModified,
    NotFound,
    Other(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    ContentLength,
    ContentRange,
    ContentType,
    Etag,
    RetryAfter,
    Chunks,
    Error,
}

#[derive(Arbitrary, Debug)]
enum Value {
    /// The blob's own length.
    Length,
    Number(u64),
    Range(u64, u64, u64),
    Text(String),
    /// The blob's own tag.
    Tag,
    NotFound,
}

#[derive(Arbitrary, Debug)]
enum Piece {
    /// The blob itself.
    Blob,
    /// A list that names the blob as its only chunk.
    List,
    Bytes(Vec<u8>),
    Hex,
    Json(String),
    /// The connection is lost.
    Lost,
}

struct Remote {
    blob: Bytes,
    answers: RefCell<VecDeque<Answer>>,
}

struct Pieces(VecDeque<Result<Bytes>>);

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.pop_front().transpose()
    }
}

impl Http for Remote {
    type Body = Pieces;

    async fn send<B: Body>(&self, _request: Request<B>) -> Result<Response<Pieces>> {
        let answer = self.answers.borrow_mut().pop_front();
        let answer = answer.ok_or_else(|| Error::new(Kind::Transient, "no answer"))?;
        let headers = answer.headers.iter();
        let pieces = answer.body.iter().map(|piece| self.piece(piece));
        Ok(Response {
            status: answer.status.code(),
            headers: headers
                .map(|(name, value)| (name.name().to_owned(), self.value(value)))
                .collect(),
            body: Pieces(
                pieces
                    .filter(|piece| !matches!(piece, Ok(bytes) if bytes.is_empty()))
                    .collect(),
            ),
        })
    }
}

impl Remote {
    fn piece(&self, piece: &Piece) -> Result<Bytes> {
        let pointer = Pointer::of(&self.blob);
        Ok(match piece {
            Piece::Blob => self.blob.clone(),
            Piece::List => {
                let len = (self.blob.len() as u32).to_le_bytes();
                [&pointer.as_bytes()[..], &len].concat().into()
            }
            Piece::Bytes(bytes) => bytes.clone().into(),
            Piece::Hex => pointer.to_hex().into(),
            Piece::Json(text) => text.clone().into(),
            Piece::Lost => return Err(Error::new(Kind::Transient, "the connection was lost")),
        })
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Length => self.blob.len().to_string(),
            Value::Number(number) => number.to_string(),
            Value::Range(start, end, size) => format!("bytes {start}-{end}/{size}"),
            Value::Text(text) => text.clone(),
            Value::Tag => format!("\"{}\"", Pointer::of(&self.blob)),
            Value::NotFound => Kind::NotFound.name().to_owned(),
        }
    }
}

impl Status {
    fn code(self) -> u16 {
        match self {
            Status::Ok => 200,
            Status::Created => 201,
            Status::NoContent => 204,
            Status::Partial => 206,
            Status::NotModified => 304,
            Status::NotFound => 404,
            Status::Other(code) => code,
        }
    }
}

impl Name {
    fn name(self) -> &'static str {
        match self {
            Name::ContentLength => "content-length",
            Name::ContentRange => "content-range",
            Name::ContentType => "content-type",
            Name::Etag => "etag",
            Name::RetryAfter => "retry-after",
            Name::Chunks => "littoral-chunks",
            Name::Error => "littoral-error",
        }
    }
}

fuzz_target!(|input: Input| {
    let blob = Bytes::from(input.blob);
    let pointer = Pointer::of(&blob);
    let remote = Remote {
        blob: blob.clone(),
        answers: RefCell::new(input.answers.into()),
    };
    let client = HttpBlobs::new(remote, "http://remote/").expect("a URL");
    block_on(ask(&client, &input.ask, &blob, pointer));
});

async fn ask(client: &HttpBlobs<Remote>, ask: &Ask, blob: &Bytes, pointer: Pointer) {
    match ask {
        Ask::Put => {
            if let Ok(put) = client.put(blob.clone()).await {
                assert_eq!(put, pointer);
            }
        }
        Ask::Get => {
            if let Ok(got) = client.get(&pointer).await {
                assert_eq!(&got, blob);
            }
        }
        Ask::GetRange(start, len) => {
            let start = u64::from(*start);
            let end = start + u64::from(*len);
            if let Ok(got) = client.get_range(&pointer, start..end).await {
                assert!(got.len() as u64 <= end - start);
            }
        }
        Ask::Stat => drop(client.stat(&pointer).await),
        Ask::Has => {
            if let Ok(has) = client.has(&[pointer, Pointer::NULL]).await {
                assert_eq!(has.len(), 2);
            }
        }
        Ask::Delete => drop(client.delete(&pointer).await),
        Ask::List(limit) => {
            let limit = usize::from(*limit).max(1);
            if let Ok(list) = client.list(Some(pointer), limit).await {
                assert!(list.len() <= limit);
                assert!(list.iter().all(|listed| listed.pointer > pointer));
                assert!(list.is_sorted_by(|a, b| a.pointer < b.pointer));
            }
        }
        Ask::Chunks => {
            if let Ok(Some(list)) = client.chunks(&pointer).await {
                assert!(list.check().is_ok());
            }
        }
        Ask::GetChunk => {
            if let Ok(chunk) = client.get_chunk(&pointer).await {
                assert_eq!(&chunk, blob);
            }
        }
        Ask::Root => drop(client.root("main").await),
        Ask::MoveRoot => drop(client.move_root("main", None, Some(pointer)).await),
        Ask::Roots(limit) => {
            let limit = usize::from(*limit).max(1);
            if let Ok(roots) = client.roots(Some("a"), limit).await {
                assert!(roots.len() <= limit);
                assert!(roots.iter().all(|(name, _)| name.as_str() > "a"));
            }
        }
    }
}
