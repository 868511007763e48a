//! Finds in the tokens of a file what the tests ask for: every path that is named, and every function, with the modules
//! they stand in, and whether it is a test. It resolves `super` and `self`, and no names.

use super::Source;
use super::lexer::{Kind, Token, tokens};

/// A path that a file names, from its first segment on: `std::fs::read`, or one leaf of a `use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    pub segments: Vec<String>,
    /// The modules that it stands in.
    pub module: Vec<String>,
}

/// A function, with the modules that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub module: Vec<String>,
    /// Whether cargo runs it: it has the attribute `test`, or a macro that makes tests is given its name.
    pub test: bool,
}

/// Lists the paths and the functions of a file, in order.
pub fn outline(source: &Source) -> (Vec<Named>, Vec<Function>) {
    let tokens = tokens(&source.text);
    let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, inner: Vec::new(), source };
    let (mut paths, mut functions) = (Vec::new(), Vec::new());
    while reader.at < tokens.len() {
        reader.step(&mut paths, &mut functions);
    }
    let made = listed(&tokens);
    functions.iter_mut().for_each(|function| function.test |= made.contains(&function.name.as_str()));
    (paths, functions)
}

/// The words of macro calls that hold nothing but words, such as `each_vmm! { one two }`.
fn listed(tokens: &[Token]) -> Vec<&str> {
    let opens = |at: usize| tokens[at].is_mark('!') && tokens.get(at + 1).is_some_and(|next| next.is_mark('{'));
    let lists = (0..tokens.len()).filter(|at| opens(*at)).filter_map(|at| {
        let inside = tokens.get(at + 2..)?.split(|token| token.is_mark('}')).next()?;
        inside.iter().map(Token::word).collect::<Option<Vec<_>>>()
    });
    lists.flatten().collect()
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    /// Modules that were opened inside the file, with the depth of braces outside each.
    inner: Vec<(String, usize)>,
    source: &'a Source,
}

impl<'a> Reader<'a> {
    fn step(&mut self, paths: &mut Vec<Named>, functions: &mut Vec<Function>) {
        let token = &self.tokens[self.at];
        match &token.kind {
            Kind::Mark('{') => self.depth += 1,
            Kind::Mark('}') => self.close(),
            Kind::Word(word) if word == "use" && !self.peek(1).is_some_and(|next| next.is_mark('<')) => {
                self.at += 1;
                self.tree(&[], paths);
                return;
            }
            Kind::Word(word) if word == "mod" => self.open(),
            Kind::Word(word) if word == "fn" => functions.extend(self.function()),
            Kind::Word(_) if self.begins_a_path() => {
                let segments = self.path();
                if segments.len() > 1 {
                    paths.push(Named { line: token.line, segments, module: self.module() });
                }
                return;
            }
            Kind::Word(_) | Kind::PathSeparator | Kind::Mark(_) => {}
        }
        self.at += 1;
    }

    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead)
    }

    fn module(&self) -> Vec<String> {
        self.source.module.iter().chain(self.inner.iter().map(|(name, _)| name)).cloned().collect()
    }

    fn open(&mut self) {
        let name = self.peek(1).and_then(Token::word);
        if let Some(name) = name.filter(|_| self.peek(2).is_some_and(|next| next.is_mark('{'))) {
            self.inner.push((name.to_owned(), self.depth));
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.inner.last().is_some_and(|(_, depth)| *depth == self.depth) {
            self.inner.pop();
        }
    }

    fn function(&self) -> Option<Function> {
        let name = self.peek(1)?.word()?.to_owned();
        Some(Function { name, module: self.module(), test: self.is_test() })
    }

    /// Whether one of the attributes before a function is `test` or ends in `::test`.
    fn is_test(&self) -> bool {
        let before = &self.tokens[..self.at];
        let words = ["pub", "async", "const", "unsafe"];
        let qualified = before.iter().rev().take_while(|token| words.iter().any(|word| token.is_word(word))).count();
        let mut before = &before[..before.len() - qualified];
        while before.last().is_some_and(|last| last.is_mark(']')) {
            let Some(open) = before.iter().rposition(|token| token.is_mark('#')) else { return false };
            let path = before[open..].iter().skip(2).take_while(|token| !token.is_mark('(') && !token.is_mark(']'));
            if path.last().is_some_and(|last| last.is_word("test")) {
                return true;
            }
            before = &before[..open];
        }
        false
    }

    /// A field or method after a dot, and the rest of a path after `>::`, begin no path.
    fn begins_a_path(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.tokens.get(at));
        match before(1).map(|token| &token.kind) {
            Some(Kind::Mark('.')) => before(2).is_some_and(|token| token.is_mark('.')),
            Some(Kind::PathSeparator) => !before(2).is_some_and(|token| token.is_mark('>')),
            _ => true,
        }
    }

    fn path(&mut self) -> Vec<String> {
        let mut segments = Vec::new();
        while let Some(word) = self.peek(0).and_then(Token::word) {
            segments.push(word.to_owned());
            self.at += 1;
            if self.peek(0).is_none_or(|next| next.kind != Kind::PathSeparator) {
                break;
            }
            self.at += 1;
        }
        segments
    }

    /// Reads one branch of a `use`, up to the `,`, `}` or `;` after it.
    fn tree(&mut self, prefix: &[String], paths: &mut Vec<Named>) {
        let line = self.peek(0).map_or(0, |token| token.line);
        if self.peek(0).is_some_and(|next| next.kind == Kind::PathSeparator) {
            self.at += 1;
        }
        let mut segments = prefix.to_vec();
        segments.extend(self.path());
        if self.peek(0).is_some_and(|next| next.is_mark('{')) {
            return self.branches(&segments, paths);
        }
        if self.peek(0).is_some_and(|next| next.is_mark('*')) {
            segments.push("*".to_owned());
        }
        paths.push(Named { line, segments, module: self.module() });
        while self.peek(0).is_some_and(|next| ![',', '}', ';'].iter().any(|mark| next.is_mark(*mark))) {
            self.at += 1;
        }
    }

    fn branches(&mut self, prefix: &[String], paths: &mut Vec<Named>) {
        self.at += 1;
        while self.peek(0).is_some_and(|next| !next.is_mark('}')) {
            if self.peek(0).is_some_and(|next| next.is_mark(',')) {
                self.at += 1;
            } else {
                self.tree(prefix, paths);
            }
        }
        self.at += 1;
    }
}
