//! Searches the protocol: all of the full plans, the quick ones (`quick`), or within the bounds that its words name. Prints how large each search was,
//! or what it found.
//!
//! Reading a clock and printing are all that is done here.

use reef_model::plans::{self, Plan};
use reef_model::{Model, Numbers, Options, Outcome, search};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let plans = match words.first().map(String::as_str) {
        None => plans::full(),
        Some("quick") => plans::quick(),
        Some(_) => match Options::read(words) {
            Ok(options) => vec![Plan { name: "as asked for", options }],
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        },
    };
    let found = plans.iter().filter(|plan| !run(plan)).count();
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a search came to its end without finding anything.
fn run(plan: &Plan) -> bool {
    println!("{}", plan.name);
    let before = Taken::now();
    let mut model = Model::new(plan.options.bounds);
    let outcome = search(&mut model, &plan.options.tempers, plan.options.most);
    let took = before.until(&Taken::now());
    match &outcome {
        Outcome::Exhausted(numbers) => print(numbers, &took),
        Outcome::TooMany(numbers) => {
            println!("  there are more states than allowed; what was seen:");
            print(numbers, &took);
        }
        Outcome::Found(trace) => println!("  found: {} moves\n\n{trace}", trace.len()),
    }
    matches!(outcome, Outcome::Exhausted(_))
}

fn print(numbers: &Numbers, took: &Taken) {
    let [statuses, reports, controller, daemon] = numbers.tables;
    println!(
        "  states      {} ({} steps, depth {}, widest {})",
        numbers.states, numbers.steps, numbers.depth, numbers.widest
    );
    println!("  seconds     {:.1}, {:.1} of CPU", took.wall.as_secs_f64(), took.cpu);
    println!("  per second  {:.0} of CPU", numbers.states as f64 / took.cpu.max(0.01));
    println!(
        "  memory      {} MiB remembered, {} MiB at most so far",
        numbers.bytes >> 20,
        peak_mib().unwrap_or_default()
    );
    println!(
        "  decisions   {controller} of the controller, {daemon} of the daemon; {statuses} statuses, {reports} reports"
    );
    for (temper, states) in &numbers.calm {
        println!("  calmed down {states} ({temper:?})");
    }
}

/// Time that was taken, by the clock and of a CPU.
struct Taken {
    wall: Duration,
    cpu: f64,
}

impl Taken {
    fn now() -> Self {
        let wall = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self { wall, cpu: cpu_seconds().unwrap_or_default() }
    }

    fn until(&self, later: &Self) -> Self {
        Self { wall: later.wall.saturating_sub(self.wall), cpu: later.cpu - self.cpu }
    }
}

/// The time that this process has had a CPU, by the kernel's word: hundredths of seconds in the fourteenth and fifteenth field.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

/// The most memory that this process had, by the kernel's word.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib >> 10)
}
