//! A line to a server, made slower on purpose: a process of its own on the loopback, so that what
//! it works is not counted as anybody's.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use firedrill::store::Shaping;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

use crate::machine::Failure;
use crate::process::{Process, ourselves};

/// The argument by which the program is a line; behind it, what [`Line::start`] writes there.
pub const LINE: &str = "--line";
/// What is read of an answer at a time.
const PIECE_BYTES: usize = 64 << 10;
/// So many pieces may be under way to a client.
const PIECES_AHEAD: usize = 64;
/// How late a piece may be for a line to make up for it with the next ones: timers are not exact,
/// and the processors are busy.
const MAKES_UP: Duration = Duration::from_millis(10);

/// A running line.
pub struct Line {
    process: Process,
    pub address: SocketAddr,
}

impl Line {
    pub fn start(server: SocketAddr, shaping: Shaping) -> Result<Line, Failure> {
        let rate = |rate: Option<u64>| rate.unwrap_or(0).to_string();
        let mut process = Process::start(&mut ourselves(&[
            LINE,
            &server.to_string(),
            &rate(shaping.connection_bytes_per_second),
            &rate(shaping.total_bytes_per_second),
            &shaping.latency.as_micros().to_string(),
        ])?)?;
        let mut address = String::new();
        BufReader::new(process.output()?).read_line(&mut address)?;
        let address = address.trim().parse().map_err(|_| "the line did not tell its address")?;
        Ok(Line { process, address })
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

/// Is a line until it is ended: prints where it listens, and carries.
pub async fn carry(arguments: &[String]) -> Result<(), Failure> {
    let [server, connection, total, latency] = arguments else { return Err("no line".into()) };
    let server: SocketAddr = server.parse()?;
    let rate =
        |text: &str| -> Result<Option<u64>, Failure> { Ok(Some(text.parse()?).filter(|rate| *rate > 0)) };
    let (connection, total) = (rate(connection)?, Arc::new(Pace::new(rate(total)?)));
    let latency = Duration::from_micros(latency.parse()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (client, _) = listener.accept().await?;
        let total = total.clone();
        tokio::spawn(async move {
            // Either side may hang up at any time, and tells the other by its own end.
            _ = connect(client, server, Answers { latency, own: Pace::new(connection), total }).await;
        });
    }
}

async fn connect(client: TcpStream, server: SocketAddr, answers: Answers) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = Mutex::new(None);
    let (pieces, ready) = channel(PIECES_AHEAD);
    tokio::try_join!(
        questions(from_client, to_server, &asked),
        ahead(from_server, pieces, &asked),
        answers.carry(ready, to_client)
    )?;
    Ok(())
}

/// When a question was put that has no answer yet.
type Asked = Mutex<Option<Instant>>;

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asked: &Asked) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = from.read(&mut piece).await?;
        let Some(read) = piece.get(..bytes).filter(|read| !read.is_empty()) else {
            return to.shutdown().await;
        };
        *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        to.write_all(read).await?;
    }
}

/// Some bytes of an answer, and when it was asked for, if they are its first.
struct Piece {
    bytes: Bytes,
    first_of: Option<Instant>,
}

/// Takes answers from the server, whose own buffers should not be what a line waits for.
async fn ahead(mut from: OwnedReadHalf, to: Sender<Piece>, asked: &Asked) -> std::io::Result<()> {
    loop {
        let mut bytes = BytesMut::with_capacity(PIECE_BYTES);
        let read = from.read_buf(&mut bytes).await?;
        let first_of = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let piece = Piece { bytes: bytes.freeze(), first_of };
        if read == 0 || to.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

/// What comes back on one connection.
struct Answers {
    latency: Duration,
    own: Pace,
    total: Arc<Pace>,
}

impl Answers {
    async fn carry(&self, mut from: Receiver<Piece>, mut to: OwnedWriteHalf) -> std::io::Result<()> {
        while let Some(Piece { bytes, first_of }) = from.recv().await {
            if let Some(asked) = first_of {
                until(asked + self.latency).await;
                self.own.begin();
            }
            let (own, total) = (self.own.carried(bytes.len()), self.total.carried(bytes.len()));
            until(own.max(total)).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    }
}

/// Waits, if it is not past: a timer takes a millisecond for that, too.
async fn until(moment: Instant) {
    if moment > Instant::now() {
        sleep_until(moment).await;
    }
}

/// So many bytes in a second, or as many as come.
struct Pace {
    bytes_per_second: Option<u64>,
    /// When all that was put on it so far has been carried.
    free_at: Mutex<Instant>,
}

impl Pace {
    fn new(bytes_per_second: Option<u64>) -> Pace {
        Pace { bytes_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Nothing was there to carry until now: nothing is to be made up for.
    fn begin(&self) {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(Instant::now());
    }

    /// Takes so many bytes; when they are there.
    fn carried(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let Some(rate) = self.bytes_per_second else { return now };
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*free_at).max(now.checked_sub(MAKES_UP).unwrap_or(now));
        *free_at = begins + Duration::from_secs_f64(bytes as f64 / rate as f64);
        *free_at
    }
}
