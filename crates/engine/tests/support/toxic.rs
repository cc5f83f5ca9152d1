//! An upstream that misbehaves on purpose, down to the bytes and the socket, and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens on a connection, in order. When the steps end, the connection is closed.
#[derive(Clone)]
pub(crate) enum Step {
    /// Reads one request, head and body.
    Read,
    /// Reads this many bytes of it.
    ReadBytes(usize),
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends what this function makes of the request.
    Reply(fn(&str) -> Vec<u8>),
    /// Sends these bytes one at a time, slowly.
    Drip(Vec<u8>),
    /// Sends this chunk until the other side has enough.
    Flood(Vec<u8>),
    /// Answers nothing and waits until the other side goes away.
    Hang,
    /// Closes with a reset instead of an end.
    Reset,
}

pub(crate) fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

/// A whole answer with its length.
pub(crate) fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Every connection runs the same steps.
pub(crate) struct Toxic {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Toxic {
    #[expect(clippy::disallowed_methods, reason = "a test upstream runs beside the test and ends with it")]
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let record = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (steps, record) = (steps.clone(), record.clone());
                let number = {
                    let mut all = record.lock().unwrap();
                    all.push(Vec::new());
                    all.len().saturating_sub(1)
                };
                tokio::spawn(async move {
                    let connection = Connection { stream, record, number, read_to: 0 };
                    // An error is the other side going away, which is what some steps wait for.
                    let _ = connection.run(&steps).await;
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was received, by connection; connections without a byte are left out.
    pub(crate) fn received(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|b| !b.is_empty()).map(|b| String::from_utf8_lossy(b).into_owned()).collect()
    }

    /// How many requests began to arrive.
    pub(crate) fn requests(&self) -> usize {
        self.received().iter().map(|text| text.matches(" HTTP/1.1\r\n").count().max(1)).sum()
    }
}

struct Connection {
    stream: TcpStream,
    record: Arc<Mutex<Vec<Vec<u8>>>>,
    number: usize,
    read_to: usize,
}

impl Connection {
    async fn run(mut self, steps: &[Step]) -> std::io::Result<()> {
        let mut request = String::new();
        for step in steps {
            match step {
                Step::Read => request = self.read_request().await?,
                Step::ReadBytes(count) => {
                    for _ in 0..*count {
                        self.read_some(1).await?;
                    }
                }
                Step::Send(bytes) => self.stream.write_all(bytes).await?,
                Step::Reply(make) => self.stream.write_all(&make(&request)).await?,
                Step::Drip(bytes) => {
                    let mut pause = tokio::time::interval(Duration::from_millis(20));
                    for byte in bytes {
                        pause.tick().await;
                        self.stream.write_all(&[*byte]).await?;
                    }
                }
                Step::Flood(chunk) => loop {
                    self.stream.write_all(chunk).await?;
                },
                Step::Hang => while self.read_some(4096).await? > 0 {},
                Step::Reset => self.stream.set_zero_linger()?,
            }
        }
        Ok(())
    }

    async fn read_request(&mut self) -> std::io::Result<String> {
        loop {
            let text = {
                let all = self.record.lock().unwrap();
                String::from_utf8_lossy(&all[self.number][self.read_to..]).into_owned()
            };
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
                    self.read_to = self.read_to.saturating_add(text.len());
                    return Ok(text);
                }
            }
            if self.read_some(4096).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn read_some(&mut self, bytes_max: usize) -> std::io::Result<usize> {
        let mut buffer = vec![0; bytes_max];
        let count = self.stream.read(&mut buffer).await?;
        self.record.lock().unwrap()[self.number].extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}
