//! Rules of one's own, in the Common Expression Language: compiled, checked by name before they are used, and asked.
//!
//! The language without its loops: what an evaluation costs is bounded by the length of its expression, and no expression is longer than 1,024 bytes,
//! nested deeper than 16 levels, or made of more than 200 operators and brackets.

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SelectExpr};
use cel::parser::Macro;
use cel::{Context, Env, Program, Value};
use reef_api::nearest;
use reef_api::policy::PolicyRule;

use crate::change::Change;
use crate::values::{FUNCTIONS, VARIABLES, context};

/// The longest expression, in bytes.
const LONGEST: usize = 1024;
/// Brackets within brackets, and operators that stand before their operand in a row.
const DEEPEST: usize = 16;
/// Operators, brackets, dots and commas, each character of which may be a level of its own.
const MOST_SIGNS: usize = 200;
/// What reading and asking may take of the stack: the parser recurses some ten functions for each level.
const STACK: usize = 16 << 20;

/// Why an expression cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Number of the rule in its policy, from 0.
    pub rule: usize,
    /// Line of the expression, from 1.
    pub line: usize,
    /// Column in that line, from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rules[{}].expression:{}:{}: {}", self.rule, self.line, self.column, self.message)
    }
}

/// A place in an expression, and what is wrong there.
type Fault = (usize, usize, String);

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(env()));

/// The standard functions and `has`, and none of the macros that loop.
fn env() -> Env {
    let mut env = Env::default().with_stdlib();
    let has = Macro::global("has", 1, |helper, _, arguments| {
        let Some(Expr::Select(select)) = arguments.first().map(|argument| argument.expr.clone()) else {
            return Ok(None);
        };
        Ok(Some(helper.next_expr(Expr::Select(SelectExpr { test: true, ..select }))))
    });
    // Nothing else is declared under this name.
    let _ = env.add_macro(has);
    env
}

/// A rule that can be asked.
#[derive(Debug)]
pub(crate) struct Compiled {
    program: Program,
    /// What people are told where it is false.
    pub(crate) message: String,
    /// The expression, in one line.
    pub(crate) text: String,
    /// The variables that it looks at.
    variables: Vec<&'static str>,
}

/// A change as rules see it: made once, and asked by all rules of a policy.
pub(crate) struct Seen<'a>(Option<Context<'a, 'a>>);

impl Seen<'_> {
    /// Shows a change.
    pub(crate) fn of(change: &Change<'_>) -> Self {
        Self(context(&ENV, change))
    }
}

/// Does something with a stack on which every expression can be read and asked. Making one costs more than asking a rule.
pub(crate) fn on_large_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, work)
}

/// Everything that is wrong with the rules of a policy.
pub fn check(rules: &[PolicyRule]) -> Vec<RuleError> {
    rules.iter().enumerate().filter_map(|(index, rule)| compile(index, rule).err()).collect()
}

/// Compiles one rule.
///
/// # Errors
/// Where it is no expression, or names what there is not.
pub(crate) fn compile(index: usize, rule: &PolicyRule) -> Result<Compiled, RuleError> {
    let text = rule.expression.as_str();
    let failed = |(line, column, message): Fault| RuleError { rule: index, line, column, message };
    within_limits(text).map_err(failed)?;
    let program = on_large_stack(|| ENV.compile(text)).map_err(|errors| {
        let first = errors.errors.first();
        let (line, column) = first.map_or((1, 1), |error| error.pos);
        let message = first.map_or_else(|| "it is no expression".to_owned(), |error| error.msg.clone());
        failed((usize::try_from(line).unwrap_or(1).max(1), usize::try_from(column).unwrap_or(1).max(1), message))
    })?;
    if let Some((id, message)) = unknown(program.expression()) {
        let at = program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
        let (line, column) = place(text, at);
        return Err(failed((line, column, message)));
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let references = program.references();
    let variables = VARIABLES.iter().map(|(name, _)| *name).filter(|name| references.has_variable(name)).collect();
    Ok(Compiled { program, message: rule.message.clone(), text, variables })
}

/// The parser recurses, so what is too deep is refused before it is read.
fn within_limits(text: &str) -> Result<(), Fault> {
    if text.len() > LONGEST {
        return Err((
            1,
            1,
            format!("it has {} bytes, and the most are {LONGEST}; split it into several rules", text.len()),
        ));
    }
    if text.trim().is_empty() {
        return Err((1, 1, "it is empty; state what has to be true of a change".to_owned()));
    }
    let signs =
        text.chars().filter(|letter| letter.is_ascii_punctuation() && !matches!(letter, '_' | '\'' | '"')).count();
    if signs > MOST_SIGNS {
        let message = format!(
            "it has {signs} operators and brackets, and the most are {MOST_SIGNS}; split it into several rules"
        );
        return Err((1, 1, message));
    }
    let (mut depth, mut row) = (0_usize, 0_usize);
    for (at, letter) in text.char_indices() {
        row = if matches!(letter, '!' | '-') { row + 1 } else { 0 };
        match letter {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST || row > DEEPEST {
            let (line, column) = place(text, at);
            return Err((
                line,
                column,
                format!("it is nested deeper than {DEEPEST} levels; split it into several rules"),
            ));
        }
    }
    Ok(())
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    (line, column)
}

/// The first name in an expression that means nothing, and where it stands.
fn unknown(node: &IdedExpr) -> Option<(u64, String)> {
    match &node.expr {
        Expr::Ident(name) => {
            let names: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
            (!names.contains(&name.as_str())).then(|| (node.id, misspelt("variable", name, &names)))
        }
        Expr::Select(select) => unknown_field(node.id, select).or_else(|| unknown(&select.operand)),
        Expr::Call(call) => {
            let named = call.func_name.starts_with(|letter: char| letter.is_ascii_alphabetic());
            if named && !FUNCTIONS.contains(&call.func_name.as_str()) {
                let what = "function (and there are no loops)";
                return Some((node.id, misspelt(what, &call.func_name, &FUNCTIONS)));
            }
            call.target.iter().map(AsRef::as_ref).chain(&call.args).find_map(unknown)
        }
        Expr::List(list) => list.elements.iter().find_map(unknown),
        Expr::Map(map) => map.entries.iter().find_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => unknown(&entry.key).or_else(|| unknown(&entry.value)),
            EntryExpr::StructField(field) => unknown(&field.value),
        }),
        Expr::Struct(object) => Some((node.id, misspelt("type", &object.type_name, &[]))),
        Expr::Comprehension(_) => Some((node.id, "rules have no loops".to_owned())),
        Expr::Literal(_) | Expr::Unspecified => None,
    }
}

fn unknown_field(id: u64, select: &SelectExpr) -> Option<(u64, String)> {
    let Expr::Ident(variable) = &select.operand.expr else { return None };
    let (_, fields) = VARIABLES.iter().find(|(name, _)| name == variable)?;
    let known = fields.contains(&select.field.as_str());
    (!known).then(|| (id, misspelt(&format!("field of `{variable}`"), &select.field, fields)))
}

fn misspelt(what: &str, name: &str, known: &[&str]) -> String {
    let meant = nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
    let listed = || if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) };
    format!("`{name}` is no {what}{}", meant.unwrap_or_else(listed))
}

impl Compiled {
    /// Whether the rule looks at a variable.
    pub(crate) fn mentions(&self, variable: &str) -> bool {
        self.variables.contains(&variable)
    }

    /// Asks the rule. To be called [`on_large_stack`].
    ///
    /// # Errors
    /// Where it has no answer: a sentence says why.
    pub(crate) fn ask(&self, seen: &Seen<'_>) -> Result<bool, String> {
        let context = seen.0.as_ref().ok_or("its variables could not be made; this is a defect of Reef")?;
        match self.program.execute(context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(format!("it is a {} and neither true nor false", other.type_of())),
            Err(error) => Err(error.to_string()),
        }
    }
}
