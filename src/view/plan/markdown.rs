//! A plan as the comment on a pull request: the sentence first, a table for each mode, the nodes, and the details folded.
//!
//! Names and messages come from whoever opened the pull request: they are escaped, so that they can neither lay out the comment nor call anybody.

use std::fmt::Write;

use reef_api::plan::{CapacityPlan, Change, Mode, NodeHeadroom, Remark};

use super::{compared, verdict};

/// The longest comment that forges take (GitHub: 65,536 characters).
pub const LONGEST: usize = 65_536;
/// What is left for the sentences that say what was cut, and for the end.
const RESERVED: usize = 600;
/// By this a job finds the comment that it wrote before.
const MARK: &str = "<!-- reef plan -->";

/// A plan as Markdown, never longer than [`LONGEST`] characters.
pub fn markdown(plan: &CapacityPlan) -> String {
    let mut page = Page::default();
    page.line(&format!("**{}**: {}", escaped(&plan.headline()), verdict(plan.summary.outcome)));
    page.line("");
    page.line(&format!("{}.", escaped(&compared(plan))));
    remarks(&mut page, "Problems", &plan.problems);
    for mode in Mode::ALL {
        let changes: Vec<&Change> = plan.changes.iter().filter(|change| change.mode == mode).collect();
        section(
            &mut page,
            mode.as_str(),
            "| VM | change | size | node | why |\n|---|---|---|---|---|",
            &changes,
            |change| row(change),
        );
    }
    section(
        &mut page,
        "nodes",
        "| node | CPU free | after | memory free | after |\n|---|---|---|---|---|",
        &plan.nodes,
        node,
    );
    section(&mut page, "with the policies of the head", "| VM | effect |\n|---|---|", &plan.policies, |effect| {
        format!("| {}/{} | {} |", escaped(&effect.namespace), escaped(&effect.name), escaped(&effect.message))
    });
    remarks(&mut page, "Warnings", &plan.warnings);
    details(&mut page, plan);
    page.end()
}

/// Text that never grows beyond its limit, and that knows what it left out.
#[derive(Default)]
struct Page {
    text: String,
    length: usize,
    cut: Vec<String>,
}

impl Page {
    /// Adds a line if it fits; whether it did.
    fn line(&mut self, line: &str) -> bool {
        let length = line.chars().count().saturating_add(1);
        let fits = self.length.saturating_add(length) <= LONGEST - RESERVED;
        if fits {
            self.length = self.length.saturating_add(length);
            self.text.push_str(line);
            self.text.push('\n');
        }
        fits
    }

    fn end(mut self) -> String {
        if !self.cut.is_empty() {
            let _ = writeln!(
                self.text,
                "\nCut, because a comment has an end: {}. `reef plan` prints all of it.",
                self.cut.join(", ")
            );
        }
        self.text.push_str(MARK);
        self.text.push('\n');
        self.text
    }
}

fn section<T>(page: &mut Page, title: &str, head: &str, rows: &[T], row: impl Fn(&T) -> String) {
    if rows.is_empty() {
        return;
    }
    let start = format!("\n### {title}\n{head}");
    let shown = if page.line(&start) { rows.iter().take_while(|each| page.line(&row(each))).count() } else { 0 };
    if shown < rows.len() {
        page.cut.push(format!("{} of {} rows of \"{title}\"", rows.len() - shown, rows.len()));
    }
}

fn row(change: &Change) -> String {
    let node = change.node.as_deref().unwrap_or("-");
    let helps: Vec<&str> = change.findings.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
    let helps = if helps.is_empty() || change.mode == Mode::Live {
        String::new()
    } else {
        format!(" *{}*", escaped(&helps.join("; ")))
    };
    format!(
        "| {} | {} | {} | {} | {}{helps} |",
        escaped(&change.vm()),
        change.action.as_str(),
        escaped(&change.sizes()),
        escaped(node),
        escaped(&change.why())
    )
}

fn node(node: &NodeHeadroom) -> String {
    format!(
        "| {} | {} | {} | {} | {} |",
        escaped(&node.name),
        node.cpu_free_before,
        node.cpu_free_after,
        node.memory_free_before,
        node.memory_free_after
    )
}

fn remarks(page: &mut Page, title: &str, remarks: &[Remark]) {
    section(page, title, "| where | what |\n|---|---|", remarks, |remark| {
        let line = remark.place.line.map(|line| format!(":{line}")).unwrap_or_default();
        let object = remark.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        format!("| {}{line} | {} |", escaped(&remark.place.file), escaped(&format!("{object}{}", remark.message)))
    });
}

/// The lines of each change, folded.
fn details(page: &mut Page, plan: &CapacityPlan) {
    let with_lines: Vec<&Change> = plan.changes.iter().filter(|change| !change.diff.is_empty()).collect();
    let block = |change: &&Change| {
        let lines: String = change.diff.iter().map(|line| format!("{}\n", fenced(line))).collect();
        format!("\n<details><summary>{}</summary>\n\n````diff\n{lines}````\n</details>", escaped(&change.vm()))
    };
    let shown = with_lines.iter().take_while(|change| page.line(&block(change))).count();
    if shown < with_lines.len() {
        page.cut.push(format!("the lines of {} of {} VMs", with_lines.len() - shown, with_lines.len()));
    }
}

/// A line inside a fence of four backticks: it cannot end it.
fn fenced(line: &str) -> String {
    line.replace("````", "'```")
}

/// Text that means nothing to Markdown, HTML, or a forge that looks for mentions and numbers of issues.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for sign in text.chars() {
        match sign {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' if !out.ends_with('-') => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(sign);
            }
            sign if sign.is_control() => out.extend(sign.escape_default()),
            sign => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_means_nothing_to_a_forge() {
        assert_eq!(
            escaped("a|b <img> @team #1 [x](y) `c`\n*d* a -> b"),
            "a\\|b &lt;img&gt; &#64;team &#35;1 \\[x\\](y) \\`c\\` \\*d\\* a -> b"
        );
        assert_eq!(fenced("x `````` y"), "x '````` y");
    }
}
