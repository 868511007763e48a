//! The task that owns a [`Machine`]: requests and controls come as messages, time comes from the runtime.
//!
//! It serves one after the other, as the VMM does. Nothing else may hold the machine.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fault::{Delivery, Fault, FaultPlan};
use super::http::{Outcome, endpoint, serve};
use super::machine::{Machine, VmmView};

/// Requests and controls that may wait; more make the sender wait.
const QUEUE: usize = 16;

/// What the host does about a change of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Lives,
    /// It is killed, for example for using more memory than its cgroup allows.
    Killed,
}

/// Called with each new view, in the instant of the change.
pub type Observer = Arc<dyn Fn(&VmmView) -> Fate + Send + Sync>;

type Control = Box<dyn FnOnce(&mut Machine) + Send>;

/// The process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the VMM process {pid} has ended")]
pub struct VmmGone {
    /// Its process id.
    pub pid: u32,
}

/// A request on its way to the machine.
#[derive(Debug)]
pub struct VmmRequest {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

enum Message {
    Request(VmmRequest, oneshot::Sender<Delivery>),
    Control(Control, oneshot::Sender<()>),
    Fault(Option<FaultPlan>),
}

/// The last view. Nobody waits on it: who must know of each change is an [`Observer`], called in the same instant.
#[derive(Clone, Debug)]
struct Published(Arc<Mutex<VmmView>>);

impl Published {
    fn new(view: VmmView) -> Self {
        Self(Arc::new(Mutex::new(view)))
    }

    /// Takes a new view; true where it differs.
    fn replace(&self, view: &VmmView) -> bool {
        let mut last = self.lock();
        let changed = *last != *view;
        last.clone_from(view);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, VmmView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle to a running VMM process.
#[derive(Clone, Debug)]
pub struct Vmm {
    pid: u32,
    queue: mpsc::Sender<Message>,
    view: Published,
    ended: CancellationToken,
    exited: Arc<AtomicBool>,
    unserved: Arc<AtomicU32>,
}

/// A request that others pass.
struct Overtaken {
    request: VmmRequest,
    reply: oneshot::Sender<Delivery>,
    delay: Duration,
}

impl Vmm {
    /// Starts the process: from now on the machine lives in a task of its own. `start` is the zero of its clock.
    #[must_use]
    pub fn start(machine: Machine, pid: u32, request: Duration, start: Instant, observer: Option<Observer>) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let view = Published::new(machine.view());
        let ended = CancellationToken::new();
        let (exited, unserved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let owner = Owner {
            machine,
            pid,
            request,
            start,
            fault: None,
            view: view.clone(),
            observer,
            ended: ended.clone(),
            exited: exited.clone(),
            unserved: unserved.clone(),
            overtaken: None,
        };
        tokio::spawn(owner.run(messages));
        Self { pid, queue, view, ended, exited, unserved }
    }

    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// What can be known of it now.
    #[must_use]
    pub fn view(&self) -> VmmView {
        self.view.lock().clone()
    }

    /// Resolves when the process has ended.
    #[must_use]
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Whether it ended because its guest powered off or it was asked to, and not by a signal.
    #[must_use]
    pub fn exited_by_itself(&self) -> bool {
        self.exited.load(Ordering::Relaxed)
    }

    /// Resizes that it was sent and has not served yet, whether or not their senders still wait.
    #[must_use]
    pub fn unserved_resizes(&self) -> u32 {
        self.unserved.load(Ordering::Relaxed)
    }

    /// Ends the process at once, as a signal does.
    pub fn kill(&self) {
        self.ended.cancel();
    }

    /// Asks the VMM, behind everybody who asked before.
    ///
    /// # Errors
    /// Where the process has ended.
    pub async fn request(&self, request: VmmRequest) -> Result<Delivery, VmmGone> {
        let (reply, answer) = oneshot::channel();
        let gone = VmmGone { pid: self.pid };
        let place = self.queue.reserve().await.map_err(|_| gone)?;
        if resizes(&request) {
            self.unserved.fetch_add(1, Ordering::Relaxed);
        }
        place.send(Message::Request(request, reply));
        answer.await.map_err(|_| gone)
    }

    /// Changes the machine from behind, for example what the guest uses.
    ///
    /// # Errors
    /// Where the process has ended.
    pub async fn control<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Machine) -> T + Send + 'static,
    ) -> Result<T, VmmGone> {
        let gone = VmmGone { pid: self.pid };
        let (give, take) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        let control: Control = Box::new(move |machine| drop(give.send(change(machine))));
        self.queue.send(Message::Control(control, done)).await.map_err(|_| gone)?;
        finished.await.map_err(|_| gone)?;
        take.await.map_err(|_| gone)
    }

    /// Switches a fault of the socket on, or all of them off.
    ///
    /// # Errors
    /// Where the process has ended.
    pub async fn set_fault(&self, plan: Option<FaultPlan>) -> Result<(), VmmGone> {
        self.queue.send(Message::Fault(plan)).await.map_err(|_| VmmGone { pid: self.pid })
    }
}

fn resizes(request: &VmmRequest) -> bool {
    endpoint(&request.path) == "vm.resize"
}

struct Owner {
    machine: Machine,
    pid: u32,
    request: Duration,
    start: Instant,
    fault: Option<FaultPlan>,
    view: Published,
    observer: Option<Observer>,
    ended: CancellationToken,
    exited: Arc<AtomicBool>,
    unserved: Arc<AtomicU32>,
    overtaken: Option<Overtaken>,
}

impl Owner {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let ended = self.ended.clone();
        let _end = ended.clone().drop_guard();
        loop {
            let next = self.next_change();
            let wake = tokio::time::sleep_until(next.unwrap_or_else(Instant::now));
            let message = tokio::select! {
                biased;
                () = ended.cancelled() => return,
                message = messages.recv() => Some(message),
                () = wake, if next.is_some() => None,
            };
            self.advance();
            match message {
                Some(Some(message)) => tokio::select! {
                    biased;
                    () = ended.cancelled() => return,
                    () = self.handle(message) => {}
                },
                Some(None) => return,
                None => {}
            }
            self.publish();
        }
    }

    fn next_change(&self) -> Option<Instant> {
        self.machine.next_change().map(|at| self.start + at)
    }

    /// Lets time pass while others wait for an answer; the guest goes on meanwhile.
    async fn linger(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let next = self.next_change().filter(|at| *at < end);
            tokio::time::sleep_until(next.unwrap_or(end)).await;
            self.advance();
            self.publish();
            if next.is_none() {
                return;
            }
        }
    }

    fn advance(&mut self) {
        self.machine.advance(Instant::now().saturating_duration_since(self.start));
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Control(control, done) => {
                control(&mut self.machine);
                self.publish();
                // The asker may be gone; the change is made nevertheless.
                let _ = done.send(());
            }
            Message::Fault(plan) => self.fault = plan,
            Message::Request(request, reply) => self.take(request, reply).await,
        }
    }

    /// Serves a request, and behind it the one that it has passed; or puts it aside.
    async fn take(&mut self, request: VmmRequest, reply: oneshot::Sender<Delivery>) {
        let fault = self.fault.as_mut().and_then(|plan| plan.meet(endpoint(&request.path)));
        if let Some(Fault::Overtaken(delay)) = fault
            && self.overtaken.is_none()
        {
            self.overtaken = Some(Overtaken { request, reply, delay });
            return;
        }
        self.answer(&request, reply, fault).await;
        if endpoint(&request.path) == "vm.info"
            && let Some(Overtaken { request, reply, delay }) = self.overtaken.take()
        {
            self.answer(&request, reply, Some(Fault::Slow(delay))).await;
        }
    }

    async fn answer(&mut self, request: &VmmRequest, reply: oneshot::Sender<Delivery>, fault: Option<Fault>) {
        let (delivery, ends) = self.serve(request, fault).await;
        if resizes(request) {
            self.unserved.fetch_sub(1, Ordering::Relaxed);
        }
        self.publish();
        // A client that closed its connection has no use for the answer.
        let _ = reply.send(delivery);
        if ends {
            self.exited.store(true, Ordering::Relaxed);
            self.ended.cancel();
        }
    }

    async fn serve(&mut self, request: &VmmRequest, fault: Option<Fault>) -> (Delivery, bool) {
        let slow = if let Some(Fault::Slow(delay)) = fault { delay } else { Duration::ZERO };
        self.linger(self.request.saturating_add(slow)).await;
        let outcome = match fault {
            Some(fault) if !fault.works() => Outcome::from(super::Answer::accepted()),
            Some(_) | None => serve(&mut self.machine, self.pid, &request.method, &request.path, &request.body),
        };
        let delivery = match fault {
            Some(fault) => fault.deliver(outcome.answer),
            None => Delivery::Whole(outcome.answer),
        };
        (delivery, outcome.ends)
    }

    fn publish(&self) {
        let view = self.machine.view();
        let changed = self.view.replace(&view);
        if let (true, Some(observer)) = (changed, &self.observer)
            && observer(&view) == Fate::Killed
        {
            self.ended.cancel();
        }
    }
}
