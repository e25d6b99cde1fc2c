//! A stream of 2 GiB into a blob and out again, in a process of its own: speed and memory.
//! Littoral alone: no peer takes a stream.

use crate::{
    data::{Random, STREAM},
    machine::own_memory_kib,
    native::{
        child::{self, Job},
        contender::Store,
        contenders::{LITTORAL, open_littoral},
        runner::Runner,
    },
};
use anyhow::Result;
use bytes::Bytes;
use littoral::block_on;
use littoral_core::{blob::BlobStore, port::Body};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Instant};

pub fn run(runner: &mut Runner) -> Result<()> {
    for round in 1..=runner.rounds.min(ROUNDS) {
        runner.turns(&format!("stream, round {round}"), |runner, contender| {
            if contender.name() != LITTORAL {
                return Ok(());
            }
            let dir = runner.dir(contender)?;
            let bytes = runner.scale.stream;
            let streamed: Streamed = child::run_for(Job::Stream, LITTORAL, dir.path(), bytes)?;
            let megabytes = bytes as f64 / 1e6;
            runner.record("stream-put", contender, megabytes / streamed.seconds_in);
            runner.record("stream-get", contender, megabytes / streamed.seconds_out);
            runner.record("stream-memory", contender, streamed.resident_mib);
            Ok(())
        });
    }
    Ok(())
}

/// It is long, and nobody else takes part.
const ROUNDS: usize = 3;
/// What is handed over, and asked for, at once.
const PIECE: usize = 1 << 20;

/// What a stream took.
#[derive(Serialize, Deserialize)]
struct Streamed {
    seconds_in: f64,
    seconds_out: f64,
    /// The most memory that the process had resident.
    resident_mib: f64,
}

/// The child's side: `bytes` is a multiple of the piece.
pub fn child(dir: &Path, bytes: usize) -> Result<()> {
    let store = open_littoral(dir)?;
    let began = Instant::now();
    let pointer = block_on(store.blobs.put_stream(Pieces::new(bytes)))?;
    let seconds_in = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let mut expected = Pieces::new(bytes);
    let mut at = 0;
    while let Some(piece) = expected.piece() {
        let range = at..at + piece.len() as u64;
        let found = block_on(store.blobs.get_range(&pointer, range))?;
        anyhow::ensure!(found == piece, "the blob is not what was streamed, at {at}");
        at += piece.len() as u64;
    }
    let seconds_out = began.elapsed().as_secs_f64();
    let streamed = Streamed {
        seconds_in,
        seconds_out,
        resident_mib: own_memory_kib("VmHWM")? as f64 / 1024.0,
    };
    println!("{}", serde_json::to_string(&streamed)?);
    Box::new(store).close()
}

/// Random bytes, a piece at a time.
struct Pieces {
    random: Random,
    left: usize,
}

impl Pieces {
    fn new(bytes: usize) -> Self {
        Pieces {
            random: Random::new(STREAM, 0),
            left: bytes / PIECE,
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        let mut bytes = vec![0; PIECE];
        self.random.fill(&mut bytes);
        Some(bytes.into())
    }
}

impl Body for Pieces {
    fn len(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> littoral_core::Result<Option<Bytes>> {
        Ok(self.piece())
    }
}
