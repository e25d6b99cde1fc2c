//! What a remote answers, believed only as far as it can be checked.

use super::{
    super::{ChunkList, Hasher, Pointer, roots},
    json::{self, Json},
    requests::{BYTES_TYPE, JSON_TYPE, LIST_TYPE},
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

/// Why a root could not be moved: where it points, and whether anything of the protocol was said.
#[derive(Default)]
struct Refused {
    current: Option<Option<Pointer>>,
    told: bool,
}

impl json::Answer for Refused {
    fn read(json: &mut Json<'_>) -> Option<Self> {
        let mut refused = Refused::default();
        json.object(&mut |json, name| {
            match name {
                "current" => refused.current = Some(json.maybe_pointer()?),
                "error" => {
                    refused.told = true;
                    json.skip()?;
                }
                _ => json.skip()?,
            }
            Some(())
        })?;
        Some(refused)
    }
}

/// Names the kind of an error where a body cannot: in the answer to `HEAD`.
pub(super) const ERROR_HEADER: &str = "littoral-error";

/// The error that an answer is. Its kind comes from the status, where our remote has said it: whatever answers in its place (a
/// proxy, a hotel's page, somebody else's server) knows nothing of a blob, and has not refused it.
pub(super) async fn failure<B: Body>(response: Response<B>) -> Error {
    let status = response.status;
    let retry_after = retry_after(&response);
    let named = response.header(ERROR_HEADER).and_then(Kind::from_name);
    let body = response.body.collect(ERROR).await.unwrap_or_default();
    let reason: Option<Reason> = json::parse(&body);
    let told = reason
        .as_ref()
        .and_then(|reason| Kind::from_name(&reason.code));
    let code = told.or(named);
    let with_wait = |error: Error| match retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    };
    let kind = match (status, code) {
        (404, Some(code @ (Kind::NotFound | Kind::NotImplemented))) => Some(code),
        (404, _) => None,
        _ if reason.is_some() || named.is_some() || speaks_for_all(status) => Some(kind(status)),
        _ => None,
    };
    let Some(kind) = kind else {
        let what = alloc::format!("status {status}, without the protocol's error");
        return with_wait(stranger(&what));
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
    with_wait(Error::new(kind, message))
}

/// Statuses that mean the same whoever says them: what stands in front of a remote may want credentials, time or room.
fn speaks_for_all(status: u16) -> bool {
    matches!(status, 401 | 403 | 408 | 422 | 429 | 500..) && !matches!(status, 501 | 505)
}

/// An answer of somebody else. Our remote may be there again when its proxy, or the network's owner, lets us through.
fn stranger(what: &str) -> Error {
    Error::new(
        Kind::Transient,
        alloc::format!("{what}: another server answers there; check the URL of the remote"),
    )
}

/// How long an answer asks to be left alone: seconds, or the time of day until when, by the server's own clock.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let asked = response.header("retry-after")?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = seconds_of(response.header("date")?)?;
    Some(Duration::from_secs(seconds_of(asked)?.saturating_sub(now)))
}

/// The seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds_of(date: &str) -> Option<u64> {
    let mut parts = date.trim().split([' ', ':']).skip(1);
    let day: u64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64;
    let year: u64 = parts.next()?.parse().ok()?;
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: u64 = parts.next()?.parse().ok()?;
    if !(1970..10_000).contains(&year) || day > 31 || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    // March is the first month, so that a leap day is the last of its year.
    let (year, month) = match month < 2 {
        true => (year - 1, month + 10),
        false => (year, month - 2),
    };
    let leaps = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leaps + (153 * month + 2) / 5 + day;
    // Up to the first of January 1970.
    let days = days.checked_sub(719_469)?;
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Why a root could not be moved.
pub(super) async fn conflict<B: Body>(response: Response<B>, name: &str) -> Error {
    let body = response.body.collect(ERROR).await.unwrap_or_default();
    let refused: Refused = json::parse(&body).unwrap_or_default();
    match (refused.current, refused.told) {
        (Some(current), _) => roots::moved(name, current),
        (None, true) => Error::new(
            Kind::Conflict,
            alloc::format!("root {name:?} points elsewhere now"),
        ),
        (None, false) => stranger("status 409, without the protocol's error"),
    }
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
        None if is_bytes(response) => Err(corrupt("no ETag with the pointer")),
        None => Err(stranger("an answer without the pointer in its ETag")),
    }
}

/// Whether an answer says that it is the bytes of something.
fn is_bytes<B>(response: &Response<B>) -> bool {
    is_of_type(response, BYTES_TYPE) || response.header("etag").and_then(tagged).is_some()
}

/// Bytes that are not those that were asked for.
fn other_bytes(ours: bool, than: &str) -> Error {
    match ours {
        true => corrupt(&alloc::format!("other bytes than {than}")),
        false => stranger("bytes without a pointer in their ETag"),
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
    ours: bool,
    pub bytes: Bytes,
}

impl Text {
    /// It is not what was asked for.
    pub fn unlike(&self) -> Error {
        unknown(self.ours, "JSON")
    }
}

pub(super) async fn text<B: Body>(response: Response<B>, limit: usize) -> Result<Text> {
    let ours = is_of_type(&response, JSON_TYPE);
    let bytes = all(response, limit, ours).await?;
    Ok(Text { ours, bytes })
}

/// Whether an answer says that it is what the protocol sends.
fn is_of_type<B>(response: &Response<B>, wanted: &str) -> bool {
    let given = response.header("content-type").unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default();
    given.trim().eq_ignore_ascii_case(wanted)
}

/// An answer that cannot be read: a lie of our remote's, or a page of somebody else's.
fn unknown(ours: bool, wanted: &str) -> Error {
    match ours {
        true => corrupt(&alloc::format!("{wanted} that is not of this protocol")),
        false => stranger(&alloc::format!("something else than {wanted}")),
    }
}

pub(super) async fn list<B: Body>(response: Response<B>, limit: usize) -> Result<ChunkList> {
    let ours = is_of_type(&response, LIST_TYPE);
    let body = all(response, limit, ours).await?;
    let list = ChunkList::decode(&body).and_then(|list| list.check().map(|()| list));
    list.map_err(|error| unknown(ours, "a list of chunks").with_source(error))
}

/// A body of bounded length, whole.
async fn all<B: Body>(response: Response<B>, limit: usize, ours: bool) -> Result<Bytes> {
    let len = content_length(&response);
    let body = match response.body.collect(limit).await {
        Err(error) if error.kind() == Kind::OutOfRange => {
            Err(unknown(ours, "an answer of any length"))
        }
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
    ours: bool,
}

impl Checked {
    pub fn new<B>(response: &Response<B>, list: Option<ChunkList>, limit: usize) -> Self {
        Checked {
            announced: content_length(response),
            list,
            limit,
            ours: is_bytes(response),
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
                    return Err(other_bytes(self.ours, "its list of chunks says"));
                }
                start += bytes.len();
                row = rows.next();
            }
        }
        ended(self.announced, all.len() as u64)?;
        match whole.finish() == *pointer {
            true => Ok(all.into()),
            false => Err(other_bytes(self.ours, "the pointer names")),
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
    let ours = is_bytes(&response);
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
        false => Err(other_bytes(ours, "the pointer names")),
    }
}
