//! The repository over HTTP: lighttpd in front of Git's own program, as Git servers are built.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Until the server must answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A web server that ends when it is dropped.
pub struct Server {
    port: u16,
    _process: Child,
}

impl Server {
    /// Serves the repositories below a folder.
    pub async fn start(root: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let file = root.join("lighttpd.conf");
        std::fs::write(&file, configuration(root, port))?;
        let mut command = Command::new("/usr/sbin/lighttpd");
        command.arg("-D").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().context("lighttpd is missing: apt-get install lighttpd")?;
        for _ in 0..PATIENCE.as_millis() / 10 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(Self { port, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("lighttpd does not answer with the configuration {}", file.display())
    }

    /// Address of a repository by its folder's name.
    pub fn url(&self, repository: &str) -> String {
        format!("http://127.0.0.1:{}/git/{repository}", self.port)
    }
}

fn configuration(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        "server.modules = (\"mod_alias\", \"mod_cgi\", \"mod_setenv\")\n\
         server.document-root = \"{root}\"\n\
         server.bind = \"127.0.0.1\"\n\
         server.port = {port}\n\
         alias.url = (\"/git/\" => \"/usr/lib/git-core/git-http-backend/\")\n\
         $HTTP[\"url\"] =~ \"^/git/\" {{\n\
         cgi.assign = (\"\" => \"\")\n\
         setenv.set-environment = (\"GIT_PROJECT_ROOT\" => \"{root}\", \"GIT_HTTP_EXPORT_ALL\" => \"1\")\n\
         }}\n"
    )
}
