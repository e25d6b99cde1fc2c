//! Remotes: the real one in a process of its own, and ones that lie.

use crate::place::Place;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// `littoral serve`, ended when dropped.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub fn start(place: &Place, more: &[&str]) -> Self {
        Server::start_at(place, "127.0.0.1:0", more)
    }

    pub fn start_at(place: &Place, address: &str, more: &[&str]) -> Self {
        let mut child = place
            .command([
                "--json",
                "--store",
                "remote.store",
                "serve",
                "--listen",
                address,
            ])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        Server {
            child,
            url: told["url"].as_str().unwrap().to_owned(),
        }
    }

    /// Asks it to end, as the system would; its exit status.
    #[cfg(unix)]
    pub fn stop(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address at which nobody listens.
pub fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

/// A remote that gives every request the same answer, or none.
pub struct Liar {
    pub url: String,
    address: std::net::SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Liar {
    /// Answers each request with what `answer` makes of it: the whole response, head and all.
    pub fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let thread = thread::spawn(move || {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                if told.load(Ordering::SeqCst) {
                    break;
                }
                let request = head(&mut stream);
                match answer(&request) {
                    Some(response) => {
                        let _ = stream.write_all(&response);
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    // Kept open: the caller waits.
                    None => silent.push(stream),
                }
            }
        });
        Liar {
            url: format!("http://{address}"),
            address,
            ends,
            thread: Some(thread),
        }
    }

    /// Answers everything with `200`, this type and this body.
    pub fn always(kind: &'static str, body: &'static [u8]) -> Self {
        Liar::start(move |_| Some(response(kind, body)))
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn response(kind: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let mut all = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    all.extend(body);
    all
}

/// The head of one request; what follows it is read away, as far as it comes at once.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}
