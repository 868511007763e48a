//! What was measured, as a table for people and as JSON for programs.

use std::path::Path;

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::machine;

/// One thing that was measured, once or several times.
struct Figure {
    section: &'static str,
    name: String,
    unit: &'static str,
    aim: Option<&'static str>,
    samples: Vec<f64>,
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a figure; one without a sample is left out.
    pub fn add(
        &mut self,
        section: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        aim: Option<&'static str>,
        mut samples: Vec<f64>,
    ) {
        samples.sort_by(f64::total_cmp);
        let figure = Figure { section, name: name.into(), unit, aim, samples };
        eprintln!("  {}: {} {}", figure.name, shown(figure.median()), figure.unit);
        self.figures.push(figure);
    }

    /// The table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["", "measured", "median", "least", "most", "runs", "unit", "aim"]);
        let mut last = "";
        for figure in &self.figures {
            let section = if figure.section == last { "" } else { figure.section };
            last = figure.section;
            table.add_row([
                section.to_owned(),
                figure.name.clone(),
                shown(figure.median()),
                shown(figure.samples.first().copied().unwrap_or(f64::NAN)),
                shown(figure.samples.last().copied().unwrap_or(f64::NAN)),
                figure.samples.len().to_string(),
                figure.unit.to_owned(),
                figure.aim.unwrap_or_default().to_owned(),
            ]);
        }
        table
    }

    /// Writes the figures and the machine as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "machine": machine::described(), "figures": figures }))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl Figure {
    fn median(&self) -> f64 {
        self.samples.get(self.samples.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn json(&self) -> Value {
        let Self { section, name, unit, aim, samples } = self;
        json!({ "section": section, "name": name, "unit": unit, "aim": aim, "median": self.median(), "samples": samples })
    }
}

/// Three digits that count.
fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 || large.fract() == 0.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A duration in milliseconds.
pub fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
