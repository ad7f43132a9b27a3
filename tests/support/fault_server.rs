//! A server that speaks just enough S3 to misbehave in it, by a script and never by dice.
//!
//! It serves objects from memory. A [`Pace`] in front of every body is the place where a model of
//! a network (latency, bandwidth per connection) is set.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use firedrill::store::{Environment, Options};
use futures_util::stream;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    List,
    Head,
    Get,
}

/// One request, as the script sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub ask: Ask,
    /// The how manieth of its kind, from 1.
    pub nth: usize,
    /// Where the range of a GET begins.
    pub offset: usize,
    pub path_and_query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// How an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not.
    None,
    /// A status, with this code in an S3 error body (and in `x-ms-error-code`).
    Status(u16, &'static str),
    /// This text as a successful answer.
    Text(String),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body.
    Stall(usize),
    /// Not even a head comes.
    Silence,
    /// The right `Content-Range`, and half of the bytes, honestly counted.
    Short,
    /// The right `Content-Range`, and three bytes more.
    Long,
    /// 200 and the whole object.
    RangeIgnored,
    /// The bytes after the ones that were asked for, and a head that says so.
    RangeShifted,
    /// A 206 without a `Content-Range`.
    RangeUntold,
    /// Another object's ETag.
    Swapped,
    /// No ETag at all.
    Nameless,
    /// A clock that is so many seconds ahead.
    ClockAhead(i64),
    /// A storage class, in listings and heads.
    Class(&'static str),
    /// More headers.
    Headers(Vec<(&'static str, String)>),
}

/// How fast bodies flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Before the first byte of a body.
    pub first_byte: Duration,
    /// Of each answer; as fast as it goes where there is none.
    pub bytes_per_second: Option<u64>,
}

type Script = Box<dyn Fn(&Asked) -> Fault + Send + Sync>;

/// Stops when dropped.
pub struct FaultServer {
    pub endpoint: String,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct World {
    objects: BTreeMap<String, Vec<u8>>,
    script: Script,
    pace: Pace,
    log: Mutex<Vec<Asked>>,
    counts: Mutex<HashMap<Ask, usize>>,
}

/// Keys on one page of a listing.
pub const PAGE_KEYS: usize = 3;

impl FaultServer {
    /// Serves these objects (keys within any bucket), with the faults that the script says.
    pub fn start(
        objects: impl IntoIterator<Item = (String, Vec<u8>)>,
        script: impl Fn(&Asked) -> Fault + Send + Sync + 'static,
    ) -> FaultServer {
        FaultServer::start_at(Pace::default(), objects, script)
    }

    pub fn start_at(
        pace: Pace,
        objects: impl IntoIterator<Item = (String, Vec<u8>)>,
        script: impl Fn(&Asked) -> Fault + Send + Sync + 'static,
    ) -> FaultServer {
        let world = Arc::new(World {
            objects: objects.into_iter().collect(),
            script: Box::new(script),
            pace,
            log: Mutex::default(),
            counts: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let here = world.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
                tokio::select! {
                    () = serve(listener, here) => {}
                    _ = stopped => {}
                }
            });
        });
        let address: SocketAddr = told.recv().expect("the fault server starts");
        let endpoint = format!("http://{address}");
        FaultServer { endpoint, world, stop: Some(stop), thread: Some(thread) }
    }

    /// Every request so far, in the order of arrival.
    pub fn log(&self) -> Vec<Asked> {
        self.world.log.lock().expect("a log").clone()
    }

    /// How a store reaches it.
    pub fn options(&self) -> Options {
        Options { endpoint: Some(self.endpoint.clone()), path_style: true, ..Options::default() }
    }

    /// Any credentials will do.
    pub fn environment(&self) -> Environment {
        Environment::given([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "SECRET-any")])
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, world: Arc<World>) {
    while let Ok((wire, _)) = listener.accept().await {
        let world = world.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let world = world.clone();
                async move { world.answer(&request).await }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(wire), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

/// An answer before it is spoilt.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl World {
    async fn answer(&self, request: &Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let asked = self.note(request);
        let fault = (self.script)(&asked);
        if fault == Fault::Silence {
            std::future::pending::<()>().await;
        }
        let mut answer = match &fault {
            Fault::Status(status, code) => error(*status, code),
            Fault::Text(text) => Answer { status: 200, headers: Vec::new(), body: text.clone().into() },
            _ => self.honest(&asked, &fault),
        };
        let ahead = if let Fault::ClockAhead(seconds) = fault { seconds } else { 0 };
        let clock = Timestamp::now() + SignedDuration::from_secs(ahead);
        answer
            .headers
            .push(("date", jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S GMT", clock).expect("a date")));
        if let Fault::Headers(headers) = &fault {
            answer.headers.extend(headers.iter().cloned());
        }
        Ok(self.respond(&asked, answer, &fault))
    }

    fn note(&self, request: &Request<Incoming>) -> Asked {
        let path_and_query = request.uri().to_string();
        let headers: BTreeMap<String, String> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let ask = match request.method().as_str() {
            "HEAD" => Ask::Head,
            _ if path_and_query.contains("list-type=2") || path_and_query.contains("comp=list") => Ask::List,
            _ => Ask::Get,
        };
        let offset = range_of(&headers).map_or(0, |(first, _)| first);
        let nth = {
            let mut counts = self.counts.lock().expect("counts");
            let count = counts.entry(ask).or_default();
            *count += 1;
            *count
        };
        let asked = Asked { ask, nth, offset, path_and_query, headers };
        self.log.lock().expect("a log").push(asked.clone());
        asked
    }

    fn honest(&self, asked: &Asked, fault: &Fault) -> Answer {
        if asked.ask == Ask::List {
            return self.listing(&asked.path_and_query, fault);
        }
        let path = asked.path_and_query.split('?').next().unwrap_or_default();
        let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).replace("%2F", "/");
        let Some(content) = self.objects.get(&key) else { return error(404, "NoSuchKey") };
        let mut headers = Vec::new();
        match fault {
            Fault::Nameless => {}
            Fault::Swapped => headers.push(("etag", "\"another\"".to_owned())),
            _ => headers.push(("etag", etag(content))),
        }
        if let Fault::Class(class) = fault {
            headers.push(("x-amz-storage-class", (*class).to_owned()));
        }
        let Some((first, last)) = range_of(&asked.headers).filter(|_| *fault != Fault::RangeIgnored) else {
            return Answer { status: 200, headers, body: content.clone() };
        };
        let (first, last) = match fault {
            Fault::RangeShifted => (first + 1, last + 1),
            _ => (first, last),
        };
        if *fault != Fault::RangeUntold {
            headers.push(("content-range", format!("bytes {first}-{last}/{}", content.len())));
        }
        let mut body = content[first.min(content.len())..(last + 1).min(content.len())].to_vec();
        match fault {
            Fault::Short => body.truncate(body.len() / 2),
            Fault::Long => body.extend(b"xyz"),
            _ => {}
        }
        Answer { status: 206, headers, body }
    }

    fn listing(&self, query: &str, fault: &Fault) -> Answer {
        let parameter = |name: &str| {
            let pairs = query.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            pairs.filter(|(n, _)| *n == name).map(|(_, value)| value.to_owned()).next()
        };
        let prefix = parameter("prefix").unwrap_or_default().replace("%2F", "/");
        let from: usize = parameter("continuation-token").and_then(|token| token.parse().ok()).unwrap_or(0);
        let class = if let Fault::Class(class) = fault { class } else { "STANDARD" };
        let matching: Vec<_> = self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
        let page = matching.iter().skip(from).take(PAGE_KEYS);
        let contents = page.map(|(key, content)| contents(key, content, class)).collect::<String>();
        let next = (from + PAGE_KEYS < matching.len()).then(|| (from + PAGE_KEYS).to_string());
        let body = list_document(&contents, next.as_deref());
        Answer { status: 200, headers: vec![("content-type", "application/xml".into())], body: body.into() }
    }

    fn respond(&self, asked: &Asked, answer: Answer, fault: &Fault) -> Response<Body> {
        let mut response =
            Response::builder().status(answer.status).header("content-length", answer.body.len());
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        let flow = if asked.ask == Ask::Head { Vec::new() } else { flow(answer.body, fault, self.pace) };
        response.body(body(flow)).expect("a response")
    }
}

/// One `<Contents>` of a listing.
pub fn contents(key: &str, content: &[u8], class: &str) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>2026-11-20T01:02:03.000Z</LastModified><ETag>{}</ETag>\
         <Size>{}</Size><StorageClass>{class}</StorageClass></Contents>",
        etag(content).replace('"', "&quot;"),
        content.len()
    )
}

/// A page of a listing around its contents.
pub fn list_document(contents: &str, next: Option<&str>) -> String {
    let next = match next {
        Some(token) => {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
        }
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>b</Name>{next}{contents}</ListBucketResult>"
    )
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", &firedrill::digest::Digest::of(content).to_string()[..32])
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>HOSTILE</Message></Error>");
    let headers = vec![("content-type", "application/xml".to_owned()), ("x-ms-error-code", code.to_owned())];
    Answer { status, headers, body: body.into() }
}

fn range_of(headers: &BTreeMap<String, String>) -> Option<(usize, usize)> {
    let range = headers.get("range").or_else(|| headers.get("x-ms-range"))?;
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

enum Piece {
    Bytes(Bytes),
    Wait(Duration),
    Cut,
    Stall,
}

fn flow(mut body: Vec<u8>, fault: &Fault, pace: Pace) -> Vec<Piece> {
    let end = match fault {
        Fault::Cut(after) => Some((*after, Piece::Cut)),
        Fault::Stall(after) => Some((*after, Piece::Stall)),
        _ => None,
    };
    if let Some((after, _)) = &end {
        body.truncate(*after);
    }
    let mut flow = vec![Piece::Wait(pace.first_byte)];
    const CHUNK_BYTES: usize = 64 << 10;
    for chunk in body.chunks(CHUNK_BYTES) {
        flow.push(Piece::Bytes(Bytes::copy_from_slice(chunk)));
        if let Some(rate) = pace.bytes_per_second {
            flow.push(Piece::Wait(Duration::from_secs_f64(chunk.len() as f64 / rate as f64)));
        }
    }
    flow.extend(end.map(|(_, piece)| piece));
    flow
}

fn body(flow: Vec<Piece>) -> Body {
    let pieces = stream::unfold(flow.into_iter(), |mut flow| async {
        loop {
            match flow.next()? {
                Piece::Bytes(bytes) => return Some((Ok(Frame::data(bytes)), flow)),
                Piece::Wait(time) => tokio::time::sleep(time).await,
                Piece::Cut => return Some((Err(std::io::Error::other("cut")), flow)),
                Piece::Stall => std::future::pending().await,
            }
        }
    });
    StreamBody::new(pieces).boxed()
}
