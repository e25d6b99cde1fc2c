//! A local store in front of a remote one, over HTTP: `cargo run --example pair`.
//!
//! The remote is down at first. What is put is there at once all the same, and arrives when the remote does.

use littoral::{
    DirectoryBlobs, HttpClient,
    core::{
        Error, Result,
        blob::{BlobStore, HttpBlobs},
        engine::Durability,
        pair::Options,
    },
    open_pair,
    server::{ServerOptions, listen, serve},
};
use std::time::Duration;

pub fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    // An address where nobody listens yet.
    let address = listen("127.0.0.1:0")?.local_addr()?.to_string();

    littoral::block_on(async {
        let remote = HttpBlobs::new(HttpClient::new(), &format!("http://{address}"))?
            .with_token("a-secret")?
            // This remote will keep one file per blob.
            .without_chunks();
        let (pair, driver) = open_pair(path("local.littoral"), remote, Options::default()).await?;

        let receipt = pair.put("high tide at 06:12").await?;
        let pointer = receipt.pointer();
        let pending = pair.pending().await?;
        println!(
            "put {pointer} while the remote is down; {} queued",
            pending.count
        );
        println!("read here: {:?}", pair.get(&pointer).await?);

        let store = DirectoryBlobs::open(path("remote"))?;
        let options = ServerOptions::new().token("a-secret");
        let server = serve(listen(&address)?, store.clone(), store.clone(), options)?;
        receipt.wait(Durability::Remote).await?;
        println!(
            "the remote is up and has it: {:?}",
            store.get(&pointer).await?
        );

        pair.close(Duration::from_secs(5)).await?;
        driver.stop()?;
        server.shutdown().await?;
        Ok::<(), Error>(())
    })
}
