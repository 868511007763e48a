//! Splits Rust text into words, path separators and punctuation, with their lines. Comments, texts, characters, numbers
//! and lifetimes are left out, so that a word in a sentence is never taken for code.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word: an identifier or a keyword.
    Word(String),
    /// `::`.
    PathSeparator,
    /// Any other character that is no space.
    Mark(char),
}

/// A token with its line, counted from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub kind: Kind,
}

impl Token {
    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::PathSeparator | Kind::Mark(_) => None,
        }
    }
}

/// Splits a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: text, line: 1, found: Vec::new() };
    while !lexer.rest.is_empty() {
        lexer.step();
    }
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<Token>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = self.rest;
        let first = rest.chars().next().unwrap_or_default();
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if let Some(length) = text_literal(rest) {
            self.skip(length);
        } else if first == '\'' {
            self.skip(quote(rest));
        } else if first.is_ascii_digit() {
            self.skip(length_while(rest, |c| c.is_alphanumeric() || c == '_'));
        } else if first.is_alphabetic() || first == '_' {
            self.word();
        } else if rest.starts_with("::") {
            self.push(Kind::PathSeparator);
            self.skip(2);
        } else {
            if !first.is_whitespace() {
                self.push(Kind::Mark(first));
            }
            self.skip(first.len_utf8());
        }
    }

    fn word(&mut self) {
        let rest = self.rest.strip_prefix("r#").unwrap_or(self.rest);
        let length = length_while(rest, |c| c.is_alphanumeric() || c == '_');
        self.push(Kind::Word(rest[..length].to_owned()));
        self.skip(self.rest.len() - rest.len() + length);
    }

    fn push(&mut self, kind: Kind) {
        self.found.push(Token { line: self.line, kind });
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }
}

fn length_while(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a text literal with any of its prefixes, if one begins here.
fn text_literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix).unwrap_or_default();
        after.starts_with('"') || prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"')
    })?;
    let after = &text[prefix.len()..];
    if !prefix.ends_with('r') {
        return Some(prefix.len() + 1 + escaped(&after[1..], '"'));
    }
    let hashes = length_while(after, |c| c == '#');
    let end = format!("\"{}", "#".repeat(hashes));
    let body = &after[hashes + 1..];
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

/// The length of a body with escapes, up to and including its end.
fn escaped(body: &str, end: char) -> usize {
    let mut characters = body.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == end {
            return at + c.len_utf8();
        }
    }
    body.len()
}

/// The length of a character literal or of a lifetime.
fn quote(text: &str) -> usize {
    let after = &text[1..];
    let mut characters = after.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => 1 + escaped(after, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1 + length_while(after, |c| c.is_alphanumeric() || c == '_'),
    }
}
