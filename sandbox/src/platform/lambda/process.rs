//! One function process: the real binary as a child, and the Lambda Runtime API that it speaks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// How long a process may take until it asks for its first event. AWS gives
/// 10 s; a machine with all cores busy needs more, and nothing here depends on it.
const INIT_MAX: Duration = Duration::from_secs(60);

/// Lambda takes answers of 6 MB.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A running process, owned by whoever invokes it.
pub struct Process {
    /// Counts a function's processes; also part of its access key.
    pub number: u64,
    /// By the operating system; `None` if it was gone at once.
    pub pid: Option<u32>,
    /// What the door knows its calls by.
    pub access_key: String,
    to_function: mpsc::Sender<Delivery>,
    kill: Arc<Notify>,
    exited: watch::Receiver<bool>,
}

/// Kills a process from elsewhere.
#[derive(Clone)]
pub struct KillSwitch {
    kill: Arc<Notify>,
    exited: watch::Receiver<bool>,
}

impl KillSwitch {
    /// Sends SIGKILL and waits until the process is gone.
    pub async fn strike(&self) {
        self.kill.notify_one();
        let mut exited = self.exited.clone();
        // An error means that whoever watches the process is gone, and the process with it.
        let _ = exited.wait_for(|gone| *gone).await;
    }
}

/// What the function is given.
#[derive(Debug, Clone)]
pub struct Event {
    pub request_id: String,
    pub payload: Bytes,
    pub function_arn: String,
    /// Wall time from the delivery on.
    pub timeout: Duration,
    pub trace_id: String,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Response(Bytes),
    /// The function's own error document.
    Error(Bytes),
    Exited,
    TimedOut,
}

struct Delivery {
    event: Event,
    delivered: oneshot::Sender<()>,
    answer: oneshot::Sender<Answer>,
}

/// What the routes of the Runtime API share.
struct RuntimeApi {
    next: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    /// The event that the function works on.
    current: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
}

/// What a process is started with.
pub struct Launch<'a> {
    pub binary: &'a Path,
    pub number: u64,
    pub access_key: String,
    /// Everything but the address of the Runtime API.
    pub environment: BTreeMap<String, String>,
}

impl Process {
    /// Starts the binary with a Runtime API of its own. `log` takes each line that it prints.
    pub async fn start<L>(launch: Launch<'_>, log: L) -> std::io::Result<Self>
    where
        L: Fn(String) + Clone + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut child = Command::new(launch.binary)
            .env_clear()
            .envs(&launch.environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id();
        copy_lines(child.stdout.take(), log.clone());
        copy_lines(child.stderr.take(), log);
        let (to_function, next) = mpsc::channel(1);
        let api = Arc::new(RuntimeApi { next: tokio::sync::Mutex::new(next), current: Mutex::default() });
        let kill = Arc::new(Notify::new());
        let (gone, exited) = watch::channel(false);
        tokio::spawn(watch_over(child, listener, api, kill.clone(), gone));
        Ok(Self { number: launch.number, pid, access_key: launch.access_key, to_function, kill, exited })
    }

    pub fn kill_switch(&self) -> KillSwitch {
        KillSwitch { kill: self.kill.clone(), exited: self.exited.clone() }
    }

    /// Whether the process has not exited yet.
    pub fn is_alive(&self) -> bool {
        !*self.exited.borrow()
    }

    /// Hands the function an event and waits for what comes of it. After
    /// [`Answer::Exited`] and [`Answer::TimedOut`] the process is of no more use.
    pub async fn invoke(&mut self, event: Event) -> Answer {
        let timeout = event.timeout;
        let (delivered, was_delivered) = oneshot::channel();
        let (answer, mut answered) = oneshot::channel();
        let exited = self.exited.clone();
        let gone = async move {
            let mut exited = exited;
            let _ = exited.wait_for(|gone| *gone).await;
        };
        tokio::pin!(gone);
        if self.to_function.send(Delivery { event, delivered, answer }).await.is_err() {
            return Answer::Exited;
        }
        tokio::select! {
            biased;
            taken = was_delivered => if taken.is_err() {
                // Either an init error was reported, or the process is gone before its first question.
                return match answered.try_recv() {
                    Ok(init_error) => init_error,
                    Err(_) => {
                        gone.await;
                        Answer::Exited
                    }
                };
            },
            () = &mut gone => return Answer::Exited,
            () = tokio::time::sleep(INIT_MAX) => {
                self.kill_switch().strike().await;
                return Answer::TimedOut;
            }
        }
        tokio::select! {
            biased;
            answer = &mut answered => answer.unwrap_or(Answer::Exited),
            () = &mut gone => Answer::Exited,
            () = tokio::time::sleep(timeout) => {
                self.kill_switch().strike().await;
                Answer::TimedOut
            }
        }
    }
}

/// Keeps the Runtime API open until the process exits, by itself or struck.
async fn watch_over(
    mut child: Child,
    listener: TcpListener,
    api: Arc<RuntimeApi>,
    kill: Arc<Notify>,
    gone: watch::Sender<bool>,
) {
    let routes = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(api);
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    tokio::select! {
        _ = child.wait() => {}
        () = kill.notified() => {
            // It may have exited in the same moment, which is as good.
            let _ = child.start_kill();
            let _ = child.wait().await;
        }
        () = gone.closed() => {
            let _ = child.start_kill();
            let _ = child.wait().await;
        }
    }
    serving.abort();
    gone.send_replace(true);
}

fn copy_lines<R, L>(stream: Option<R>, log: L)
where
    R: AsyncRead + Unpin + Send + 'static,
    L: Fn(String) + Send + 'static,
{
    let Some(stream) = stream else {
        return;
    };
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            log(line);
        }
    });
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response<Body> {
    let Some(delivery) = api.next.lock().await.recv().await else {
        return answer_with(StatusCode::GONE);
    };
    let event = delivery.event;
    let deadline = jiff::Timestamp::now().as_millisecond() + i64::try_from(event.timeout.as_millis()).unwrap_or(0);
    *api.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((event.request_id.clone(), delivery.answer));
    // Nobody waits for the delivery any more only if the invocation was given up.
    let _ = delivery.delivered.send(());
    Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", event.request_id)
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", event.function_arn)
        .header("lambda-runtime-trace-id", event.trace_id)
        .body(Body::from(event.payload))
        .unwrap_or_else(|_| answer_with(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn response(State(api): State<Arc<RuntimeApi>>, UrlPath(id): UrlPath<String>, body: Bytes) -> Response<Body> {
    api.settle(&id, Answer::Response(body))
}

async fn error(State(api): State<Arc<RuntimeApi>>, UrlPath(id): UrlPath<String>, body: Bytes) -> Response<Body> {
    api.settle(&id, Answer::Error(body))
}

/// A process that cannot start takes the event that it was started for with it.
async fn init_error(State(api): State<Arc<RuntimeApi>>, body: Bytes) -> Response<Body> {
    if let Ok(delivery) = api.next.lock().await.try_recv() {
        // Whoever asked reads the answer when the delivery is dropped.
        let _ = delivery.answer.send(Answer::Error(body));
        drop(delivery.delivered);
    }
    answer_with(StatusCode::ACCEPTED)
}

impl RuntimeApi {
    fn settle(&self, id: &str, answer: Answer) -> Response<Body> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|(working_on, _)| working_on == id) {
            Some((_, waiting)) => {
                // Nobody waits any more only if the invocation was given up.
                let _ = waiting.send(answer);
                answer_with(StatusCode::ACCEPTED)
            }
            None => answer_with(StatusCode::BAD_REQUEST),
        }
    }
}

fn answer_with(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
