//! One run of the program: servers found, loads put on them, results written.

use crate::compare;
use crate::failure::Failure;
use crate::keys::Distribution;
use crate::limits;
use crate::load::{Load, Shared};
use crate::options::{Format, Options};
use crate::output::progress::Line;
use crate::output::{Results, Tested, csv, html, human, json};
use crate::request::{Making, data};
use crate::run::{self, Progress};
use crate::target::{Facts, Target};
use crate::workload::{self, Workload};
use std::io::Write as _;
use std::path::Path;

/// Why the exit code is not 0: a text, or error replies that were counted and told.
pub(crate) enum Unwell {
    Failed(Failure),
    Errors,
}

impl From<Failure> for Unwell {
    fn from(failure: Failure) -> Unwell {
        Unwell::Failed(failure)
    }
}

struct Session<'a> {
    options: &'a Options,
    targets: Vec<Target>,
    making: Making<'a>,
    load: Load,
    line: Line,
    results: Results,
}

/// Does what the options say, and writes what comes of it.
///
/// # Errors
/// When something fails, or error replies were counted.
pub(crate) fn run(options: &Options) -> Result<(), Unwell> {
    let length = match workload::has_data(options) {
        true => options.sizes.most,
        false => options.sizes.least,
    };
    let data = data(length);
    let making = Making {
        has_keys: options.keyspace.is_some(),
        sizes: options.sizes,
        data: &data,
    };
    let workloads = workload::chosen(options, &making).map_err(Failure::Other)?;
    let load = Load::new(options, options.seed.unwrap_or_else(seed_of_time));
    limits::check_batches(&workloads, &load)?;
    limits::allow_connections(&load)?;
    for file in options.json_file.iter().chain(&options.html_file) {
        may_write(file)?;
    }
    let mut session = Session::new(options, making, load)?;
    let mut outcome = session.run_all(&workloads);
    session.line.clear();
    if let Err(failure) = &outcome {
        session.results.failure = Some(failure.to_string());
    }
    let written = session.write_files();
    if outcome.is_ok() {
        outcome = written;
    }
    outcome?;
    match session.has_errors() {
        true => Err(Unwell::Errors),
        false => Ok(()),
    }
}

impl<'a> Session<'a> {
    fn new(options: &'a Options, making: Making<'a>, load: Load) -> Result<Session<'a>, Failure> {
        let mut targets = Vec::new();
        let mut servers = Vec::new();
        for place in std::iter::once(&options.place).chain(&options.compare) {
            let target = Target::find(place, options)?;
            let facts = if tells_facts(options) {
                target.facts(options)
            } else {
                None
            };
            if facts.is_none() && options.format == Format::Human {
                eprintln!("WARNING: Could not fetch server CONFIG");
            }
            servers.push((place.to_string(), facts));
            targets.push(target);
        }
        Ok(Session {
            targets,
            making,
            line: Line::new(),
            results: Results {
                servers,
                rate: options.rate,
                load: in_words(options, &load),
                ..Results::default()
            },
            load,
            options,
        })
    }

    fn run_all(&mut self, workloads: &[Workload]) -> Result<(), Failure> {
        let options = self.options;
        if !options.keep_alive {
            eprintln!(
                "WARNING: Keepalive disabled. Every request takes a port, which the system keeps for a while: see net.ipv4.tcp_tw_reuse."
            );
        }
        if options.is_idle {
            return self.idle();
        }
        match options.format {
            Format::Csv | Format::CsvFull if options.compare.is_some() => {
                print(&csv::comparison_header())?;
            }
            Format::Csv => print(&csv::header(false))?,
            Format::CsvFull => print(&csv::header(true))?,
            _ => {}
        }
        loop {
            for workload in workloads {
                match self.targets.len() {
                    1 => self.test(workload)?,
                    _ => self.compare(workload)?,
                }
            }
            // compat: an empty line after tests that have names.
            let is_text = matches!(options.format, Format::Human | Format::Quiet);
            if is_text && options.command.is_empty() {
                print("\n")?;
            }
            if !options.is_endless {
                return Ok(());
            }
            // Without an end they would fill the memory.
            self.results.tested.clear();
        }
    }

    fn test(&mut self, workload: &Workload) -> Result<(), Failure> {
        let shared = Shared::new(&self.targets[0], &workload.kinds, self.making, &self.load);
        let pid = self.options.server_pids.first().copied();
        let line = &mut self.line;
        let mut watch = |progress: &Progress<'_>| line.show(&workload.title, progress);
        let outcome = run::run(&shared, pid, &mut watch)?;
        let tested = Tested {
            title: workload.title.clone(),
            kinds: workload.kinds.iter().map(|k| k.name.clone()).collect(),
            outcome,
        };
        self.line.clear();
        let options = self.options;
        let facts: Option<&Facts> = self.results.servers[0].1.as_ref();
        match options.format {
            Format::Human => print(&human::report(&tested, options, facts))?,
            Format::Quiet => print(&human::quiet(&tested, options.decimals))?,
            Format::Csv => print(&csv::row(&tested, options.decimals, false))?,
            Format::CsvFull => print(&csv::row(&tested, options.decimals, true))?,
            Format::Json => {}
        }
        let counts = &tested.outcome.counts;
        if let Some(text) = &counts.first_error {
            eprintln!(
                "{}: {} error replies, the first: {text}",
                tested.title, counts.errors
            );
        }
        if counts.unanswered > 0 {
            eprintln!(
                "{}: {} requests had no reply in time; they count with their age",
                tested.title, counts.unanswered
            );
        }
        self.results.tested.push(tested);
        Ok(())
    }

    fn compare(&mut self, workload: &Workload) -> Result<(), Failure> {
        let pids = match self.options.server_pids[..] {
            [first, second] => [Some(first), Some(second)],
            _ => [None, None],
        };
        let line = &mut self.line;
        let compared = compare::compare(
            [&self.targets[0], &self.targets[1]],
            workload,
            self.making,
            &self.load,
            self.options.rounds,
            pids,
            &mut |place, progress| line.show(&format!("{place} {}", workload.title), progress),
        )?;
        self.line.clear();
        match self.options.format {
            Format::Human => print(&human::comparison(&compared))?,
            Format::Quiet => print(&human::quiet_comparison(&compared))?,
            Format::Csv | Format::CsvFull => print(&csv::comparison_row(&compared))?,
            Format::Json => {}
        }
        if compared.errors() > 0 {
            let outcomes = compared.sides.iter().flat_map(|s| &s.outcomes);
            let first = outcomes
                .filter_map(|o| o.counts.first_error.as_ref())
                .next();
            let text = first.map_or("", String::as_str);
            eprintln!(
                "{}: {} error replies, the first: {text}",
                compared.title,
                compared.errors()
            );
        }
        self.results.compared.push(compared);
        Ok(())
    }

    /// Opens connections and waits.
    fn idle(&mut self) -> Result<(), Failure> {
        let clients = self.options.clients;
        let until = match self.options.duration {
            None => "forever (Ctrl+C when done)".to_owned(),
            Some(duration) => format!("for {} seconds", duration.as_secs_f64()),
        };
        print(&format!(
            "Creating {clients} idle connections and waiting {until}\n"
        ))?;
        let shared = Shared::new(&self.targets[0], &[], self.making, &self.load);
        let line = &mut self.line;
        let text = format!("clients: {clients}");
        run::run(&shared, None, &mut |_| line.write(&text)).map(drop)
    }

    fn has_errors(&self) -> bool {
        let tested = self.results.tested.iter().map(|t| t.outcome.counts.errors);
        let compared = self
            .results
            .compared
            .iter()
            .map(compare::Comparison::errors);
        tested.chain(compared).any(|errors| errors > 0)
    }

    /// What is written when all is over, or as much as there was.
    fn write_files(&self) -> Result<(), Failure> {
        let options = self.options;
        if options.format == Format::Json {
            print(&json::document(&self.results))?;
        }
        if let Some(file) = &options.json_file {
            write(file, &json::document(&self.results))?;
        }
        if let Some(file) = &options.html_file {
            write(file, &html::page(&self.results))?;
        }
        Ok(())
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| Failure::Other(format!("Error writing results: {e}")))
}

/// Finds out before the load, and not when its figures would be lost. What the file holds stays until there are others.
fn may_write(file: &Path) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    opened.map(drop).map_err(|e| unwritable(file, &e))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|e| unwritable(file, &e))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Other(format!("{}: {error}", file.display()))
}

/// Whether anything that is written says what the server is.
fn tells_facts(options: &Options) -> bool {
    let has_file = options.json_file.is_some() || options.html_file.is_some();
    has_file || matches!(options.format, Format::Human | Format::Json)
}

/// A seed of its own for every run.
fn seed_of_time() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Nanoseconds: the low bits are what differs.
    now.map_or(0, |d| {
        d.as_secs().wrapping_mul(1_000_000_000) ^ u64::from(d.subsec_nanos())
    })
}

/// The load for readers of a report.
fn in_words(options: &Options, load: &Load) -> Vec<(&'static str, String)> {
    let seconds = |d: std::time::Duration| format!("{} s", d.as_secs_f64());
    let sizes = match options.sizes {
        sizes if sizes.least == sizes.most => sizes.most.to_string(),
        sizes => format!("{}-{}", sizes.least, sizes.most),
    };
    let mut words = vec![
        ("clients", load.clients.to_string()),
        ("threads", load.threads.to_string()),
        ("pipeline", load.pipeline.to_string()),
        ("keep_alive", u8::from(load.keep_alive).to_string()),
        ("size", sizes),
        ("seed", load.seed.to_string()),
        ("warmup", seconds(load.warmup)),
    ];
    let distribution = match load.distribution {
        Distribution::Uniform => "uniform".to_owned(),
        Distribution::Zipf(exponent) => format!("zipf:{exponent}"),
        Distribution::Sequential => "sequential".to_owned(),
    };
    let optional = [
        ("keyspace", options.keyspace.map(|n| n.to_string())),
        ("distribution", options.keyspace.map(|_| distribution)),
        ("requests", load.requests.map(|n| n.to_string())),
        ("duration", load.duration.map(seconds)),
        ("rate", load.rate.map(|n| n.to_string())),
        (
            "rounds",
            options.compare.as_ref().map(|_| options.rounds.to_string()),
        ),
    ];
    words.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    words
}
