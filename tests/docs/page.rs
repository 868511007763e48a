//! One page of Markdown, taken apart: headings as the anchors that a forge makes of them, links, code in the line, and blocks of code.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::text;

/// Something of a page, and the line that it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Counted from 1.
    pub line: usize,
    /// What stands there.
    pub what: T,
}

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence: the language, and what it is a part of.
    pub info: String,
    /// The code.
    pub text: String,
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    /// Its path from the root of the repository.
    pub path: String,
    /// Where links can lead to.
    pub anchors: BTreeSet<String>,
    /// Where links lead to, as they are written.
    pub links: Vec<At<String>>,
    /// Code in the line.
    pub code: Vec<At<String>>,
    /// Blocks of code.
    pub blocks: Vec<At<Block>>,
}

impl Page {
    /// Reads a file of the repository.
    pub fn read(path: &str) -> Self {
        Self::of(path, &text(path))
    }

    /// Takes a text apart.
    pub fn of(path: &str, text: &str) -> Self {
        let mut reader = Reader { page: Self { path: path.to_owned(), ..Self::default() }, ..Reader::default() };
        let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
        for (event, range) in events {
            let line = text[..range.start].matches('\n').count() + 1;
            reader.take(event, line);
        }
        reader.page
    }
}

/// Every page of the repository.
pub fn pages() -> Vec<Page> {
    crate::markdown().iter().map(|path| Page::read(path)).collect()
}

#[derive(Default)]
struct Reader {
    page: Page,
    heading: Option<String>,
    block: Option<At<Block>>,
    slugs: BTreeMap<String, usize>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(Tag::Heading { .. }) => self.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => self.headed(),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.page.links.push(At { line, what: dest_url.into_string() });
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = if let CodeBlockKind::Fenced(info) = kind { info.into_string() } else { String::new() };
                self.block = Some(At { line, what: Block { info, text: String::new() } });
            }
            Event::End(TagEnd::CodeBlock) => self.page.blocks.extend(self.block.take()),
            Event::Code(code) => {
                self.said(&code);
                self.page.code.push(At { line, what: code.into_string() });
            }
            Event::Text(text) => match &mut self.block {
                Some(block) => block.what.text.push_str(&text),
                None => self.said(&text),
            },
            _ => {}
        }
    }

    fn said(&mut self, words: &str) {
        if let Some(heading) = &mut self.heading {
            heading.push_str(words);
        }
    }

    /// Of two headings that make the same anchor the second gets a number.
    fn headed(&mut self) {
        let slug = slug(&self.heading.take().unwrap_or_default());
        let before = self.slugs.entry(slug.clone()).or_default();
        let anchor = if *before == 0 { slug } else { format!("{slug}-{before}") };
        *before += 1;
        self.page.anchors.insert(anchor);
    }
}

/// The anchor that GitHub, GitLab and Forgejo make of a heading.
fn slug(heading: &str) -> String {
    let lower = heading.trim().to_lowercase();
    let kept = lower.chars().filter(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_'));
    kept.map(|sign| if sign == ' ' { '-' } else { sign }).collect()
}

#[test]
fn a_page_is_taken_apart_with_the_lines_of_its_parts() {
    let text =
        "# One `reef diff`: it\n\nSee [two](a.md#two) and `make test`.\n\n# Two\n# Two\n```yaml Kind\na: 1\n```\n";
    let page = Page::of("docs/x.md", text);
    assert_eq!(page.anchors, ["one-reef-diff-it", "two", "two-1"].map(str::to_owned).into());
    assert_eq!(page.links, [At { line: 3, what: "a.md#two".to_owned() }]);
    assert_eq!(
        page.code.iter().map(|code| (code.line, code.what.as_str())).collect::<Vec<_>>(),
        [(1, "reef diff"), (3, "make test")]
    );
    let block = Block { info: "yaml Kind".to_owned(), text: "a: 1\n".to_owned() };
    assert_eq!(page.blocks, [At { line: 7, what: block }]);
}
