//! A line between two nodes that the test holds in its hand: what goes over it is counted, kept, slowed down, cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Passes TCP connections on. Lives in threads that end with the test's process.
#[derive(Clone)]
pub struct Proxy {
    at: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    to: Mutex<SocketAddr>,
    is_open: AtomicBool,
    /// Bytes a second back to who dialled; 0: as fast as it goes.
    rate: AtomicU64,
    /// All bytes, where they are kept: a direction of a connection each.
    kept: Option<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    /// A line to a node's address as it prints it: `/ip4/127.0.0.1/tcp/4001`.
    pub fn to(address: &str) -> Self {
        Self::new(address, None)
    }

    /// A line that keeps all that goes over it.
    pub fn keeping(address: &str) -> Self {
        Self::new(address, Some(Mutex::default()))
    }

    fn new(address: &str, kept: Option<Mutex<Vec<Vec<u8>>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Line {
            to: Mutex::new(socket_address(address)),
            is_open: AtomicBool::new(true),
            rate: AtomicU64::new(0),
            kept,
        };
        let proxy = Self { at: listener.local_addr().unwrap(), line: Arc::new(line) };
        let line = Arc::clone(&proxy.line);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let line = Arc::clone(&line);
                std::thread::spawn(move || line.connect(near));
            }
        });
        proxy
    }

    /// Its address as a node takes it.
    pub fn address(&self) -> String {
        format!("/ip4/{}/tcp/{}", self.at.ip(), self.at.port())
    }

    /// Leads new connections to another address: that of a node which started anew.
    pub fn lead_to(&self, address: &str) {
        *self.line.to.lock().unwrap() = socket_address(address);
    }

    /// Lets connections through, or holds new ones back until it is opened. Those that stand go on.
    pub fn open(&self, is_open: bool) {
        self.line.is_open.store(is_open, Ordering::SeqCst);
    }

    /// Passes at most so many bytes a second back to who dialled.
    pub fn slow_down(&self, bytes_per_second: u64) {
        self.line.rate.store(bytes_per_second, Ordering::SeqCst);
    }

    /// All that went over the line, a direction of a connection each.
    pub fn kept(&self) -> Vec<Vec<u8>> {
        self.line.kept.as_ref().unwrap().lock().unwrap().clone()
    }
}

impl Line {
    fn connect(self: Arc<Self>, near: TcpStream) {
        while !self.is_open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // With nobody at the far end, whoever dialled sees the connection end.
        let to = *self.to.lock().unwrap();
        let Ok(far) = TcpStream::connect(to) else { return };
        let (near_again, far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let back = Arc::clone(&self);
        std::thread::spawn(move || back.pass(far_again, near_again, true));
        self.pass(near, far, false);
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, is_back: bool) {
        let mut buffer = vec![0; 64 * 1024];
        let place = self.kept.as_ref().map(|kept| {
            let mut kept = kept.lock().unwrap();
            kept.push(Vec::new());
            kept.len() - 1
        });
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if let Some((kept, place)) = self.kept.as_ref().zip(place) {
                kept.lock().unwrap()[place].extend_from_slice(&buffer[..length]);
            }
            let rate = if is_back { self.rate.load(Ordering::SeqCst) } else { 0 };
            if rate > 0 {
                std::thread::sleep(Duration::from_secs_f64(length as f64 / rate as f64));
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

fn socket_address(address: &str) -> SocketAddr {
    let parts: Vec<&str> = address.split('/').collect();
    match parts.as_slice() {
        ["", "ip4", ip, "tcp", port, ..] => SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap()),
        _ => panic!("no TCP address: {address}"),
    }
}
