//! One connection, and what a drill says over it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, CopyInSink, CopyOutStream, NoTls, SimpleQueryMessage,
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::postgres::error::{Error, Kind};

/// What [`Session::rows`] takes at most, as text.
const ROWS_BYTES_MAX: usize = 64 << 20;

/// Says of a server that this very run started it. Not a secret: it guards against mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunToken(String);

impl RunToken {
    /// The server setting that holds it.
    pub(in crate::postgres) const SETTING: &'static str = "firedrill.run_token";

    /// One that no other run has.
    pub(in crate::postgres) fn fresh() -> RunToken {
        RunToken(Uuid::now_v7().simple().to_string())
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is sent to the server may wait for it in this many bytes of the system. A writer is woken
/// when three quarters of its buffer are read, and on busy cores it is not there at once: with the
/// usual 208 KiB the server has nothing to read by then.
const SENT_BYTES: usize = 1 << 20;

/// A connection to one database. Dropped, it is closed without a farewell, and the server rolls
/// back what was open.
///
/// NOTICEs and WARNINGs of the server are counted, never kept.
pub struct Session {
    client: Client,
    database: String,
    notices: Arc<AtomicU64>,
    connection: AbortOnDropHandle<()>,
}

impl Session {
    /// Speaks to the server behind a connected socket. `PG*` variables of the environment, service
    /// files and password files are not looked at.
    pub(in crate::postgres) async fn over(
        socket: UnixStream,
        user: &str,
        database: &str,
    ) -> Result<Session, tokio_postgres::Error> {
        // A buffer that the system does not widen is one that works, only slower.
        _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::SndBuf, &SENT_BYTES);
        let mut config = Config::new();
        config.user(user).dbname(database).application_name("firedrill");
        let (client, connection) = config.connect_raw(socket, NoTls).await?;
        Ok(Session::driven(client, connection, database))
    }

    /// A session whose connection is driven in the background, until the session is dropped.
    pub(in crate::postgres) fn driven<S, T>(
        client: Client,
        mut connection: Connection<S, T>,
        database: &str,
    ) -> Session
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let notices = Arc::new(AtomicU64::new(0));
        let count = notices.clone();
        let driving = async move {
            loop {
                match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                    Some(Ok(AsyncMessage::Notice(_))) => _ = count.fetch_add(1, Ordering::Relaxed),
                    Some(Ok(_)) => {}
                    // The client is told by its own calls.
                    Some(Err(_)) | None => return,
                }
            }
        };
        let connection = AbortOnDropHandle::new(tokio::spawn(driving));
        Session { client, database: database.into(), notices, connection }
    }

    /// Runs one or several statements, and drops the rows that they return.
    ///
    /// `COPY … FROM STDIN` and `COPY … TO STDOUT` can't stand in it: that is a
    /// [`Kind::Protocol`] error, after which the session must be dropped.
    ///
    /// # Errors
    /// What the server refuses; without the statement, which the caller knows.
    pub async fn run(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(|error| Error::of_driver("run a statement", &error))
    }

    /// The rows of a query, as text, in the order of the server. At most 64 MiB.
    ///
    /// # Errors
    /// What the server refuses; [`Kind::Protocol`] above the limit.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        let failed = |error| Error::of_driver("run a query", &error);
        let mut answers = std::pin::pin!(self.client.simple_query_raw(sql).await.map_err(failed)?);
        let mut rows = Vec::new();
        let mut bytes = 0_usize;
        while let Some(answer) = answers.next().await {
            let SimpleQueryMessage::Row(row) = answer.map_err(failed)? else { continue };
            let mut values = Vec::with_capacity(row.len());
            for column in 0..row.len() {
                let value = row.try_get(column).map_err(failed)?;
                bytes = bytes.saturating_add(value.map_or(1, str::len));
                values.push(value.map(String::from));
            }
            if bytes > ROWS_BYTES_MAX {
                let what = format!("run a query: more than {} MiB were answered", ROWS_BYTES_MAX >> 20);
                return Err(Error::new(Kind::Protocol, what));
            }
            rows.push(values);
        }
        Ok(rows)
    }

    /// Begins a `COPY … FROM STDIN`.
    ///
    /// Do it inside an explicit transaction: an error that the server meets only at the commit is
    /// not told by [`CopyIn::finish`].
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn copy_in(&self, statement: &str) -> Result<CopyIn, Error> {
        let sink =
            self.client.copy_in(statement).await.map_err(|error| Error::of_driver("begin a COPY", &error))?;
        Ok(CopyIn { sink: Box::pin(sink) })
    }

    /// Begins a `COPY … TO STDOUT`.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn copy_out(&self, statement: &str) -> Result<CopyOut, Error> {
        let stream = self
            .client
            .copy_out(statement)
            .await
            .map_err(|error| Error::of_driver("begin a COPY", &error))?;
        Ok(CopyOut { stream: Box::pin(stream) })
    }

    /// Makes sure that the session is where it was opened: on the server that this run started,
    /// in the database that it named.
    ///
    /// # Errors
    /// [`Kind::WrongDatabase`] otherwise.
    pub async fn assert_here(&self, token: &RunToken) -> Result<(), Error> {
        let sql = format!(
            "select pg_catalog.current_setting('{}', true), pg_catalog.current_database()",
            RunToken::SETTING
        );
        let rows = self.rows(&sql).await?;
        let [row] = rows.as_slice() else {
            return Err(Error::new(Kind::WrongDatabase, "the server does not say which database this is"));
        };
        let [there, database] = row.as_slice() else {
            return Err(Error::new(Kind::WrongDatabase, "the server does not say which database this is"));
        };
        if there.as_deref() != Some(token.as_str()) {
            return Err(Error::new(Kind::WrongDatabase, "the server is not the one that this run started"));
        }
        if database.as_deref() != Some(self.database.as_str()) {
            return Err(Error::new(
                Kind::WrongDatabase,
                "the session is in another database than it asked for",
            ));
        }
        Ok(())
    }

    /// The database that it was opened for.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// How many NOTICEs and WARNINGs came.
    pub fn notices(&self) -> u64 {
        self.notices.load(Ordering::Relaxed)
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || self.connection.is_finished()
    }

    /// The driver's client, for what has no wrapper here. Its errors go through
    /// [`Error::of_driver`], because they carry rows.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Rows on their way into a table. Dropped unfinished, the COPY fails on the server, whose answer
/// the driver drops; roll the transaction back, or drop the session.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl CopyIn {
    /// Sends a piece; best 64 KiB to 1 MiB. Returns when there is room for it, so at most two
    /// pieces wait in memory.
    ///
    /// An error of the server, such as a malformed row, is told by [`CopyIn::finish`] only.
    ///
    /// # Errors
    /// [`Kind::Crashed`] when the connection is gone.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Error> {
        self.sink.feed(piece).await.map_err(|error| Error::of_driver("send rows", &error))
    }

    /// Says that all rows are there; how many the server took.
    ///
    /// # Errors
    /// What the server refuses, with the line that it was at.
    pub async fn finish(mut self) -> Result<u64, Error> {
        self.sink.as_mut().finish().await.map_err(|error| Error::of_driver("load rows", &error))
    }
}

/// Rows on their way out of a table.
pub struct CopyOut {
    stream: Pin<Box<CopyOutStream>>,
}

impl CopyOut {
    /// The next row with its newline, as the server cuts them; `None` after the last.
    ///
    /// # Errors
    /// What the server meets on the way.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.stream.next().await.transpose().map_err(|error| Error::of_driver("read rows", &error))
    }
}
