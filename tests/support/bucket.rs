//! A bucket that takes objects over S3's PUT and gives them back, and goes wrong by a script.
#![allow(dead_code, reason = "each test program uses its own share of what stands here")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use firedrill::store::{Environment, Options};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What happens to the nth PUT (or GET), from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    None,
    /// It is refused with this status and code.
    Status(u16, &'static str),
    /// It is done, and the answer never comes: the connection ends.
    AnswerLost,
    /// Just before it, somebody else puts these bytes there.
    Overtaken(&'static [u8]),
}

type Script = Box<dyn Fn(&str, usize) -> Mishap + Send + Sync>;

/// One request: its method, its key, and its headers with names in lower case.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub key: String,
    pub headers: BTreeMap<String, String>,
}

/// Stops when dropped.
pub struct Bucket {
    pub endpoint: String,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct World {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    log: Mutex<Vec<Asked>>,
    script: Mutex<Script>,
}

impl Bucket {
    /// A bucket of any name, whose requests go wrong as `script` says of (method, nth).
    pub fn start(script: impl Fn(&str, usize) -> Mishap + Send + Sync + 'static) -> Bucket {
        let world = Arc::new(World {
            objects: Mutex::default(),
            log: Mutex::default(),
            script: Mutex::new(Box::new(script)),
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
        let endpoint = format!("http://{}", told.recv().expect("the bucket starts"));
        Bucket { endpoint, world, stop: Some(stop), thread: Some(thread) }
    }

    /// From now on it goes wrong by another script; requests are counted anew.
    pub fn follow(&self, script: impl Fn(&str, usize) -> Mishap + Send + Sync + 'static) {
        self.world.log.lock().expect("a log").clear();
        *self.world.script.lock().expect("a script") = Box::new(script);
    }

    /// What lies there, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.world.objects.lock().expect("objects").clone()
    }

    /// Puts an object behind everybody's back.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.world.objects.lock().expect("objects").insert(key.to_owned(), bytes.to_vec());
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Asked> {
        self.world.log.lock().expect("a log").clone()
    }

    pub fn options(&self) -> Options {
        Options { endpoint: Some(self.endpoint.clone()), path_style: true, ..Options::default() }
    }

    /// Any credentials will do.
    pub fn environment(&self) -> Environment {
        Environment::given([("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")])
    }
}

impl Drop for Bucket {
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
                async move { world.answer(request).await }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(wire), service)
                .await;
        });
    }
}

impl World {
    /// An error ends the connection without an answer.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let method = request.method().to_string();
        let path = request.uri().path().trim_start_matches('/').replace("%2F", "/");
        let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
        let headers: BTreeMap<String, String> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        let nth = {
            let mut log = self.log.lock().expect("a log");
            log.push(Asked { method: method.clone(), key: key.clone(), headers: headers.clone() });
            log.iter().filter(|asked| asked.method == method).count()
        };
        let mishap = self.script.lock().expect("a script")(&method, nth);
        match mishap {
            Mishap::Status(status, code) => return Ok(refusal(status, code)),
            Mishap::Overtaken(bytes) => {
                self.objects.lock().expect("objects").insert(key.clone(), bytes.to_vec());
            }
            Mishap::None | Mishap::AnswerLost => {}
        }
        let answer = self.honest(&method, key, &headers, &body);
        match mishap {
            Mishap::AnswerLost => Err(std::io::Error::other("lost")),
            _ => Ok(answer),
        }
    }

    fn honest(
        &self,
        method: &str,
        key: String,
        headers: &BTreeMap<String, String>,
        body: &Bytes,
    ) -> Response<Full<Bytes>> {
        let mut objects = self.objects.lock().expect("objects");
        match (method, objects.get(&key)) {
            ("GET", Some(bytes)) => Response::new(Full::new(Bytes::copy_from_slice(bytes))),
            ("GET", None) => refusal(404, "NoSuchKey"),
            ("PUT", Some(_)) if headers.get("if-none-match").is_some_and(|value| value == "*") => {
                refusal(412, "PreconditionFailed")
            }
            ("PUT", _) => {
                objects.insert(key, body.to_vec());
                Response::new(Full::new(Bytes::new()))
            }
            _ => refusal(405, "MethodNotAllowed"),
        }
    }
}

fn refusal(status: u16, code: &str) -> Response<Full<Bytes>> {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>HOSTILE</Message></Error>");
    let answer = Response::builder().status(status).header("content-type", "application/xml");
    answer.body(Full::new(Bytes::from(text))).expect("an answer")
}

/// Nothing goes wrong.
pub fn fair(_: &str, _: usize) -> Mishap {
    Mishap::None
}
