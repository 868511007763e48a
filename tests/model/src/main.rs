//! Searches the protocol within the bounds that its words name, and prints how large the search was, or what it found.
//!
//! Reading a clock and printing are all that is done here.

use reef_model::{Model, Numbers, Options, Outcome, search};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    #[allow(clippy::disallowed_methods, reason = "how long a search takes is what is measured")]
    let began = std::time::Instant::now();
    let mut model = Model::new(options.bounds);
    let outcome = search(&mut model, &options.tempers, options.most);
    match &outcome {
        Outcome::Exhausted(numbers) => print(numbers, began.elapsed()),
        Outcome::TooMany(numbers) => {
            println!("there are more states than allowed; what was seen:");
            print(numbers, began.elapsed());
        }
        Outcome::Found(trace) => {
            println!("{} moves, after {:.1} s\n{trace}", trace.len(), began.elapsed().as_secs_f64())
        }
    }
    if matches!(outcome, Outcome::Exhausted(_)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(numbers: &Numbers, took: Duration) {
    let [statuses, reports, controller, daemon] = numbers.tables;
    let seconds = took.as_secs_f64();
    let peak = peak_memory().unwrap_or_default();
    println!("states      {}", numbers.states);
    println!("steps       {}", numbers.steps);
    println!("depth       {}", numbers.depth);
    println!("widest      {}", numbers.widest);
    println!("seconds     {seconds:.1}");
    let cpu = cpu_seconds().unwrap_or(seconds);
    println!("cpu seconds {cpu:.1}");
    println!("per second  {:.0} of CPU", numbers.states as f64 / cpu.max(0.01));
    println!("remembered  {} MiB, at most {peak} in all", numbers.bytes >> 20);
    println!(
        "decisions   {controller} of the controller, {daemon} of the daemon; {statuses} statuses, {reports} reports"
    );
    for (temper, states) in &numbers.calm {
        println!("calmed down {states:>9} states, {temper:?}");
    }
}

/// The time that this process has had a CPU, by the kernel's word: hundredths of seconds in the fourteenth field.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat.rsplit(')').next()?.split_whitespace().nth(11)?.parse().ok()?;
    Some(ticks / 100.0)
}

/// The most memory that this process had, by the kernel's word.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{} MiB", kib >> 10))
}
