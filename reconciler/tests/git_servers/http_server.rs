//! A web server on loopback in front of Git's own program: the transport, who may come in, and nothing of Git.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::cgi;

/// What is served, and to whom.
pub struct Site {
    root: PathBuf,
    authorization: Option<&'static str>,
    before_pack: Option<Box<dyn Fn() + Send + Sync>>,
    requests: AtomicUsize,
}

impl Site {
    /// Everything below a folder, to everybody.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), authorization: None, before_pack: None, requests: AtomicUsize::new(0) }
    }

    /// Lets in only who sends exactly this header.
    pub fn only_for(self, authorization: &'static str) -> Self {
        Self { authorization: Some(authorization), ..self }
    }

    /// Runs something between the list of references and the pack.
    pub fn before_pack(self, act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { before_pack: Some(Box::new(act)), ..self }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let shown = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        if self.authorization.is_some_and(|wanted| shown != Some(wanted.as_bytes())) {
            let mut refusal = Response::new(Full::default());
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            refusal.headers_mut().insert(WWW_AUTHENTICATE, "Basic realm=\"git\"".parse().unwrap());
            return refusal;
        }
        if let Some(act) = self.before_pack.as_ref().filter(|_| request.method() == Method::POST) {
            act();
        }
        cgi::answer(&self.root, request).await
    }
}

/// How connections are carried.
pub enum Transport {
    Plain,
    Tls(TlsAcceptor),
}

/// A server that ends, with every process that works for it, when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    site: Arc<Site>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(site: Site, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, site) = (listener.local_addr().unwrap(), Arc::new(site));
        let task = tokio::spawn(accept(listener, Arc::clone(&site), transport));
        Self { address, site, task }
    }

    pub fn requests(&self) -> usize {
        self.site.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connections end with the set that holds them.
async fn accept(listener: TcpListener, site: Arc<Site>, transport: Transport) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let site = Arc::clone(&site);
        match &transport {
            Transport::Plain => connections.spawn(converse(stream, site)),
            Transport::Tls(acceptor) => {
                let handshake = acceptor.accept(stream);
                connections.spawn(async move {
                    // A client that does not trust us hangs up.
                    if let Ok(stream) = handshake.await {
                        converse(stream, site).await;
                    }
                })
            }
        };
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send, site: Arc<Site>) {
    let service = service_fn(|request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    // A client may hang up at any moment.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
