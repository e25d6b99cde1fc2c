//! The stores that live here keep every promise of a blob store: over files, in directories, behind real sockets.

use littoral::{
    DirectoryBlobs, Driver, FileVolume, HttpClient, OsEntropy, block_on,
    core::{
        blob::{BlobStore, EngineBlobs, EngineRoots, HttpBlobs, RootStore, conformance},
        engine::{Options, Store},
    },
    server::{ServerHandle, ServerOptions, listen, serve},
    spawn_driver,
};
use std::{cell::RefCell, path::PathBuf};
use tempfile::TempDir;

/// What must live as long as the stores that are tested. It goes away in this order.
#[derive(Default)]
struct Kept {
    servers: RefCell<Vec<ServerHandle>>,
    drivers: RefCell<Vec<Driver>>,
    directories: RefCell<Vec<TempDir>>,
}

impl Kept {
    fn new_directory(&self) -> PathBuf {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        self.directories.borrow_mut().push(directory);
        path
    }

    fn directory(&self) -> DirectoryBlobs {
        DirectoryBlobs::open(self.new_directory()).unwrap()
    }

    async fn engine(&self) -> Store<FileVolume> {
        let volume = FileVolume::open(self.new_directory().join("store")).unwrap();
        let mut options = Options::default();
        // Two areas of zeros are written for every store: many stores are made here.
        options.log_size = 512 << 10;
        let store = Store::open(volume, &OsEntropy, options).await.unwrap();
        self.drivers
            .borrow_mut()
            .push(spawn_driver(store.clone()).unwrap());
        store
    }

    async fn engine_behind_a_server(&self) -> HttpBlobs<HttpClient> {
        let store = self.engine().await;
        let blobs = EngineBlobs::new(store.clone());
        self.serve(blobs, EngineRoots::new(store))
            .with_token("s3cret")
            .unwrap()
    }

    fn directory_behind_a_server(&self) -> HttpBlobs<HttpClient> {
        let store = self.directory();
        let client = self
            .serve(store.clone(), store)
            .with_token("s3cret")
            .unwrap();
        client.without_chunks()
    }

    fn serve<B, R>(&self, blobs: B, roots: R) -> HttpBlobs<HttpClient>
    where
        B: BlobStore + Send + Sync + 'static,
        R: RootStore + Send + Sync + 'static,
    {
        let options = ServerOptions::new().token("s3cret").workers(4);
        let server = serve(listen("127.0.0.1:0").unwrap(), blobs, roots, options).unwrap();
        let client = HttpBlobs::new(HttpClient::new(), &server.url()).unwrap();
        self.servers.borrow_mut().push(server);
        client
    }
}

#[test]
fn the_engine_over_a_file_conforms() {
    let kept = Kept::default();
    block_on(async {
        conformance::all(async || EngineBlobs::new(kept.engine().await)).await?;
        conformance::roots(async || EngineRoots::new(kept.engine().await)).await
    })
    .unwrap();
}

#[test]
fn the_engine_over_a_file_conforms_on_an_executor_that_must_not_block() {
    let kept = Kept::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(conformance::all(async || {
            EngineBlobs::new(kept.engine().await)
        }))
        .unwrap();
}

#[test]
fn a_directory_conforms() {
    let kept = Kept::default();
    block_on(async {
        conformance::all(async || kept.directory()).await?;
        conformance::roots(async || kept.directory()).await
    })
    .unwrap();
}

#[test]
fn the_engine_behind_a_server_conforms() {
    let kept = Kept::default();
    block_on(async {
        conformance::all(async || kept.engine_behind_a_server().await).await?;
        conformance::roots(async || kept.engine_behind_a_server().await).await
    })
    .unwrap();
}

#[test]
fn a_directory_behind_a_server_conforms() {
    let kept = Kept::default();
    block_on(async {
        conformance::all(async || kept.directory_behind_a_server()).await?;
        conformance::roots(async || kept.directory_behind_a_server()).await
    })
    .unwrap();
}
