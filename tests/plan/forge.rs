//! A forge as the comment steps see it: the comments of request 7, by the addresses of GitHub, Forgejo and GitLab, a hundred a page where
//! the real one has pages. It knows one token, and gives each writer a name.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Comments in order, each with its author.
type Comments = Arc<Mutex<Vec<(String, String)>>>;

/// A forge that listens until its test ends.
pub struct Forge {
    /// Where it listens.
    pub url: String,
    /// Who writes with the token of the job.
    pub bot: &'static str,
    comments: Comments,
}

impl Forge {
    pub fn github(tip: &str) -> Self {
        Self::start("github-actions[bot]", 100, tip)
    }

    pub fn forgejo() -> Self {
        Self::start("forgejo-actions", usize::MAX, "")
    }

    pub fn gitlab() -> Self {
        Self::start("reef", 100, "")
    }

    fn start(bot: &'static str, page: usize, tip: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let comments = Comments::default();
        let served = Served { bot, page, tip: tip.to_owned(), comments: Arc::clone(&comments) };
        std::thread::spawn(move || listener.incoming().for_each(|stream| served.one(stream.unwrap())));
        Self { url, bot, comments }
    }

    /// Writes a comment by hand.
    pub fn write(&self, author: &str, body: &str) {
        self.comments.lock().unwrap().push((author.to_owned(), body.to_owned()));
    }

    pub fn comments(&self) -> Vec<(String, String)> {
        self.comments.lock().unwrap().clone()
    }

    /// What one has written.
    pub fn by(&self, author: &str) -> Vec<String> {
        self.comments().into_iter().filter(|(name, _)| name == author).map(|(_, body)| body).collect()
    }

    /// Stands in for `gh`, which knows the address of GitHub alone: the calls that the example makes, page after page.
    pub fn as_gh(&self, file: &Path) {
        let script = include_str!("gh.sh").replace("ADDRESS", &self.url);
        std::fs::write(file, script).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

struct Served {
    bot: &'static str,
    page: usize,
    tip: String,
    comments: Comments,
}

impl Served {
    /// Answers one request of a connection, and ends it.
    fn one(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        let (mut length, mut allowed) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
            allowed |= value.ends_with("secret-token");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let words: Vec<&str> = first.split_whitespace().collect();
        let (status, answer) = match allowed {
            true => self.answer(words[0], words[1], &String::from_utf8(body).unwrap()),
            false => (401, Value::Null),
        };
        let text = answer.to_string();
        write!(stream, "HTTP/1.1 {status} .\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
            .unwrap();
    }

    fn answer(&self, method: &str, address: &str, body: &str) -> (u16, Value) {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let number =
            |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)).and_then(|it| it.parse().ok());
        let lists = [
            "/repos/example/vms/issues/7/comments",
            "/api/v1/repos/example/vms/issues/7/comments",
            "/projects/3/merge_requests/7/notes",
        ];
        let one = [
            "/repos/example/vms/issues/comments/",
            "/api/v1/repos/example/vms/issues/comments/",
            "/projects/3/merge_requests/7/notes/",
        ];
        let edited = one.iter().find_map(|prefix| path.strip_prefix(prefix)).and_then(|id| id.parse::<usize>().ok());
        match (method, path, edited) {
            ("GET", "/user", _) => (200, author(self.bot)),
            ("GET", "/repos/example/vms/pulls/7", _) => (200, json!({ "head": { "sha": self.tip } })),
            ("GET", path, _) if lists.contains(&path) => (200, self.listed(number("page=").unwrap_or(1))),
            ("POST", path, _) if lists.contains(&path) => {
                self.comments.lock().unwrap().push((self.bot.to_owned(), text(body)));
                (201, json!({}))
            }
            ("PATCH" | "PUT", _, Some(id)) => {
                let mut comments = self.comments.lock().unwrap();
                assert_eq!(comments[id].0, self.bot, "only its own comment");
                comments[id].1 = text(body);
                (200, json!({}))
            }
            _ => (404, json!({ "message": format!("{method} {address}") })),
        }
    }

    fn listed(&self, page: usize) -> Value {
        let comments = self.comments.lock().unwrap();
        let told = comments
            .iter()
            .enumerate()
            .map(|(id, (name, body))| json!({ "id": id, "body": body, "user": author(name), "author": author(name) }));
        told.skip((page - 1).saturating_mul(self.page)).take(self.page).collect()
    }
}

fn author(name: &str) -> Value {
    json!({ "login": name, "id": name.len() })
}

/// The text of a comment, sent as JSON or as a form.
fn text(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(object) => object["body"].as_str().unwrap().to_owned(),
        Err(_) => decoded(body.strip_prefix("body=").unwrap()),
    }
}

fn decoded(form: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = form.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
