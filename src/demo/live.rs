//! The live table in a terminal: drawn again in place whenever something is different.
//!
//! Draws only. What it shows is what `reef status` shows.

use std::io::{self, Write};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::observer::{Observer, Picture};
use super::world::World;
use crate::view::Paint;
use crate::view::source::sources;
use crate::view::table::{LEGEND, Namespaces, vms};

/// At most so often; a burst of events is one picture.
const REDRAW: Duration = Duration::from_millis(50);

const HOME: &str = "\u{1b}[H";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";
const CLEAR_ALL: &str = "\u{1b}[2J";
const NO_WRAP: &str = "\u{1b}[?7l";
const WRAP: &str = "\u{1b}[?7h";

/// What can be done from another terminal.
pub fn instructions(world: &World) -> String {
    let repository = world.repository.path().display();
    let kubeconfig = world.embedded.kubeconfig.display();
    format!(
        "Reef runs on an embedded cluster with {} nodes. In another terminal:

  git clone {repository} vms && cd vms
  sed -i 's/coresPerSocket: 2/coresPerSocket: 4/' teams/web/web-1.yaml
  git -c user.name=me -c user.email=me@example.com commit -am 'web-1: four vCPUs' && git push

  export KUBECONFIG={kubeconfig}
  kubectl get vm -w        (or: reef status, reef status web-1)

Ctrl-C ends it.\n",
        world.embedded.nodes.len()
    )
}

/// Shows the table until told to stop.
///
/// # Errors
/// Where the terminal cannot be written.
pub async fn show(world: &World, observer: &mut Observer, stop: &CancellationToken) -> io::Result<()> {
    let head = instructions(world);
    let mut shown = None;
    write(&format!("{NO_WRAP}{CLEAR_ALL}"))?;
    loop {
        let picture = observer.picture();
        if shown.as_ref() != Some(&picture) {
            write(&frame(&head, &picture))?;
            shown = Some(picture);
        }
        if !collect(observer, stop).await {
            break;
        }
    }
    write(&format!("{WRAP}\nstopping\n"))
}

/// Takes in what happens within one redraw; tells whether to go on.
async fn collect(observer: &mut Observer, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => return false,
        _ = observer.next() => {}
    }
    let until = tokio::time::Instant::now() + REDRAW;
    while tokio::time::timeout_at(until, observer.next()).await.is_ok() {}
    true
}

fn frame(head: &str, picture: &Picture) -> String {
    let table = vms(&picture.vms, Namespaces::Hidden, Paint::Colours, None);
    let text = format!("{head}\n{table}{LEGEND}\n{}", sources(&picture.sources, Paint::Colours, None));
    let lines: String = text.lines().map(|line| format!("{line}{CLEAR_LINE}\r\n")).collect();
    format!("{HOME}{lines}{CLEAR_BELOW}")
}

fn write(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
