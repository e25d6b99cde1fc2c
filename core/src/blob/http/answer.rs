//! What a remote answers, believed only as far as it can be checked.

use super::{
    super::{ChunkList, Hasher, Pointer},
    json::{self, Json},
    requests::field,
};
use crate::{
    Error, Kind, Result,
    port::{Body, Response},
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use core::{ops::Range, time::Duration};

/// Bytes of an error's body that are read.
const ERROR: usize = 64 << 10;
/// Characters of its message that are passed on.
const WORDS: usize = 500;

/// The kind that a status means, but for 404.
pub(super) fn kind(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Auth,
        405 | 501 => Kind::NotImplemented,
        408 | 504 => Kind::Timeout,
        409 => Kind::Conflict,
        412 => Kind::AlreadyExists,
        416 => Kind::OutOfRange,
        422 => Kind::Corrupt,
        429 => Kind::Transient,
        507 => Kind::Quota,
        400..=499 => Kind::InvalidInput,
        // A success that was not asked for.
        100..=299 => Kind::Corrupt,
        // Servers in trouble; and redirections, which something in between sends: the remote's own never.
        _ => Kind::Transient,
    }
}

struct Reason {
    code: String,
    message: String,
}

impl json::Answer for Reason {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut reason = None;
        json.object(&mut |json, name| {
            match name {
                "error" => reason = Some(read_reason(json)?),
                _ => json.skip()?,
            }
            Some(())
        })?;
        reason
    }
}

fn read_reason(json: &mut Json<'_>) -> Option<Reason> {
    let (mut code, mut message) = (None, None);
    json.object(&mut |json, name| {
        match name {
            "code" => code = Some(json.string()?),
            "message" => message = Some(json.string()?),
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some(Reason {
        code: code?,
        message: message?,
    })
}

struct Current(Option<Pointer>);

impl json::Answer for Current {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        field(json, "current").map(Current)
    }
}

/// Names the kind of an error where a body cannot: in the answer to `HEAD`.
pub(super) const ERROR_HEADER: &str = "littoral-error";

/// The error that an answer is. Its kind comes from the status, but for 404: every server of the world says that of what it does
/// not know, and only a remote of ours knows that a blob is not there.
pub(super) async fn failure<B: Body>(response: Response<B>) -> Error {
    let status = response.status;
    let retry_after = response
        .header("retry-after")
        .and_then(|value| value.trim().parse().ok())
        .map(Duration::from_secs);
    let named = response.header(ERROR_HEADER).and_then(Kind::from_name);
    let body = response.body.collect(ERROR).await.unwrap_or_default();
    let reason: Option<Reason> = json::parse(&body);
    let told = reason
        .as_ref()
        .and_then(|reason| Kind::from_name(&reason.code));
    let code = told.or(named);
    let kind = match (status, code) {
        (404, Some(code @ (Kind::NotFound | Kind::NotImplemented))) => code,
        (404, _) => return no_remote(),
        _ => kind(status),
    };
    let message = match (reason, code) {
        (Some(reason), code) => {
            let words: String = reason.message.chars().take(WORDS).collect();
            match code {
                Some(code) if code != kind => {
                    alloc::format!("status {status}, {}: {words}", code.name())
                }
                _ => alloc::format!("status {status}: {words}"),
            }
        }
        // An answer to `HEAD`.
        (None, _) if kind == Kind::NotImplemented => alloc::format!(
            "status {status}: the remote knows no such path, or cannot do this: its URL ends before `/v1`"
        ),
        (None, _) => alloc::format!("status {status}"),
    };
    let error = Error::new(kind, message);
    match retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

/// A 404 of somebody else. Our remote may be there again when its proxy, or the network's owner, lets us through.
fn no_remote() -> Error {
    Error::new(
        Kind::Transient,
        "status 404, without the protocol's error: another server answers there; check the URL of the remote",
    )
}

/// Where a root points that could not be moved, if the answer says so.
pub(super) async fn current<B: Body>(response: Response<B>) -> Option<Option<Pointer>> {
    let body = response.body.collect(ERROR).await.ok()?;
    json::parse(&body).map(|Current(current)| current)
}

/// The pointer in an `ETag`. A proxy that compresses may have made it a weak one.
fn tagged(etag: &str) -> Option<Pointer> {
    let strong = etag.strip_prefix("W/").unwrap_or(etag);
    let hex = strong.strip_prefix('"')?.strip_suffix('"')?;
    Pointer::from_hex(hex).ok()
}

/// That an answer is about what `pointer` names. A page of somebody else is not.
pub(super) fn names<B>(response: &Response<B>, pointer: &Pointer) -> Result<()> {
    match response.header("etag").and_then(tagged) {
        Some(named) if named == *pointer => Ok(()),
        Some(other) => Err(corrupt(&alloc::format!("an ETag with {other}"))),
        None => Err(corrupt(
            "no ETag with the pointer: another server may answer",
        )),
    }
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(Kind::Corrupt, alloc::format!("the remote sent {what}"))
}

pub(super) fn too_long(limit: usize) -> Error {
    Error::new(
        Kind::OutOfRange,
        alloc::format!("more than {limit} bytes: read ranges, or a stream"),
    )
}

/// The body of an answer that should be JSON.
pub(super) struct Text {
    kind: Option<String>,
    pub bytes: Bytes,
}

impl Text {
    /// It is not.
    pub fn unlike(&self) -> Error {
        let kind = self.kind.as_deref().unwrap_or("something untyped");
        corrupt(&alloc::format!(
            "{kind} that is not the answer of this protocol"
        ))
    }
}

pub(super) async fn text<B: Body>(response: Response<B>, limit: usize) -> Result<Text> {
    let kind = response.header("content-type").map(String::from);
    let bytes = all(response, limit).await?;
    Ok(Text { kind, bytes })
}

pub(super) async fn list<B: Body>(response: Response<B>, limit: usize) -> Result<ChunkList> {
    let body = all(response, limit).await?;
    let list = ChunkList::decode(&body).and_then(|list| list.check().map(|()| list));
    list.map_err(|error| corrupt("a list of chunks that is none").with_source(error))
}

/// A body of bounded length, whole.
async fn all<B: Body>(response: Response<B>, limit: usize) -> Result<Bytes> {
    let len = content_length(&response);
    let body = match response.body.collect(limit).await {
        Err(error) if error.kind() == Kind::OutOfRange => Err(corrupt("a longer answer than any")),
        body => body,
    }?;
    ended(len, body.len() as u64)?;
    Ok(body)
}

pub(super) fn content_length<B>(response: &Response<B>) -> Option<u64> {
    response.header("content-length")?.trim().parse().ok()
}

/// A body that stopped before its announced end was cut off on the way.
fn ended(announced: Option<u64>, arrived: u64) -> Result<()> {
    match announced {
        Some(len) if arrived < len => Err(Error::new(
            Kind::Transient,
            alloc::format!("the connection ended after {arrived} of {len} bytes"),
        )),
        Some(len) if arrived > len => Err(corrupt("more bytes than it announced")),
        _ => Ok(()),
    }
}

/// A blob's bytes as they arrive: no more than announced, chunk by chunk where the list is known.
pub(super) struct Checked {
    announced: Option<u64>,
    list: Option<ChunkList>,
    limit: usize,
}

impl Checked {
    pub fn new<B>(response: &Response<B>, list: Option<ChunkList>, limit: usize) -> Self {
        Checked {
            announced: content_length(response),
            list,
            limit,
        }
    }

    /// Everything, proved to be `pointer`.
    pub async fn read<B: Body>(self, mut body: B, pointer: &Pointer) -> Result<Bytes> {
        if self.announced.is_some_and(|len| len > self.limit as u64) {
            return Err(too_long(self.limit));
        }
        let rows = self.list.unwrap_or_default().0;
        let mut rows = rows.into_iter();
        let mut row = rows.next();
        // Bytes in front of the current row's chunk.
        let mut start = 0;
        let mut whole = Hasher::new();
        let mut all: Vec<u8> = Vec::new();
        while let Some(piece) = body.next().await? {
            if piece.len() > self.limit.saturating_sub(all.len()) {
                return Err(too_long(self.limit));
            }
            // Grows with what arrives, not with what was announced.
            all.try_reserve(piece.len())
                .map_err(|_| too_long(all.len()))?;
            all.extend_from_slice(&piece);
            whole.update(&piece);
            while let Some(chunk) = row
                && let Some(bytes) = all.get(start..start + chunk.len as usize)
            {
                if Pointer::of(bytes) != chunk.pointer {
                    return Err(corrupt("other bytes than its list of chunks says"));
                }
                start += bytes.len();
                row = rows.next();
            }
        }
        ended(self.announced, all.len() as u64)?;
        match whole.finish() == *pointer {
            true => Ok(all.into()),
            false => Err(corrupt("other bytes than the pointer names")),
        }
    }
}

/// The bytes of `range`, which a remote says it sent.
pub(super) async fn part<B: Body>(
    response: Response<B>,
    range: Range<u64>,
    size: u64,
) -> Result<Bytes> {
    let expected = alloc::format!("bytes {}-{}/{size}", range.start, range.end - 1);
    if response.header("content-range").map(str::trim) != Some(&expected) {
        return Err(corrupt("another range than it was asked for"));
    }
    let len = range.end - range.start;
    let limit = usize::try_from(len).unwrap_or(usize::MAX);
    let body = match response.body.collect(limit).await {
        Err(error) if error.kind() == Kind::OutOfRange => {
            Err(corrupt("more bytes than it was asked for"))
        }
        body => body,
    }?;
    ended(Some(len), body.len() as u64)?;
    Ok(body)
}

/// The bytes of `range` out of a whole blob, which is proved on the way without being kept.
pub(super) async fn skim<B: Body>(
    response: Response<B>,
    range: Range<u64>,
    pointer: &Pointer,
) -> Result<Bytes> {
    let announced = content_length(&response);
    let mut body = response.body;
    let mut whole = Hasher::new();
    let mut part = Vec::new();
    let mut start = 0_u64;
    while let Some(piece) = body.next().await? {
        let end = start.saturating_add(piece.len() as u64);
        let from = range.start.clamp(start, end) - start;
        let to = range.end.clamp(start, end) - start;
        part.extend_from_slice(piece.get(from as usize..to as usize).unwrap_or_default());
        whole.update(&piece);
        start = end;
    }
    ended(announced, start)?;
    match whole.finish() == *pointer {
        true => Ok(part.into()),
        false => Err(corrupt("other bytes than the pointer names")),
    }
}
