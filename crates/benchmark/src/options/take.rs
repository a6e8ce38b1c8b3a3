//! Takes the words of a command line apart.

use super::values::{self, Limit};
use super::{CLIENTS_LIMIT, Format, Options, PIPELINE_LIMIT, Place, SIZE_LIMIT, Stop, Tls, wrong};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// The words that are left.
struct Words(std::iter::Peekable<std::vec::IntoIter<Vec<u8>>>);

impl Words {
    fn text(&mut self, option: &str) -> Result<String, Stop> {
        let missing = || {
            wrong(format!(
                "Invalid option \"{option}\" or option argument missing"
            ))
        };
        let bytes = self.0.next().ok_or_else(missing)?;
        String::from_utf8(bytes).map_err(|_| wrong(format!("{option} takes UTF-8")))
    }

    fn path(&mut self, option: &str) -> Result<PathBuf, Stop> {
        Ok(PathBuf::from(self.text(option)?))
    }

    fn number(&mut self, option: &str, limit: Limit) -> Result<u64, Stop> {
        values::number(option, &self.text(option)?, limit)
    }

    fn size(&mut self, option: &str, limit: Limit) -> Result<usize, Stop> {
        let number = self.number(option, limit)?;
        usize::try_from(number).map_err(|_| wrong(format!("{option} is out of range")))
    }
}

impl Options {
    /// Takes the program's arguments apart, without its name. Warnings go to the standard error stream.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Stop> {
        let args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
        let mut options = Options::default();
        let mut words = Words(args.into_iter().peekable());
        let mut has_requests = false;
        while let Some(word) = words.0.next() {
            let option = std::str::from_utf8(&word)
                .ok()
                .filter(|w| w.starts_with('-'));
            let Some(option) = option else {
                options.command.push(word);
                options.command.extend(words.0.by_ref());
                break;
            };
            has_requests |= option == "-n";
            let known = options.connection(option, &mut words)?
                || options.load(option, &mut words)?
                || options.request(option, &mut words)?
                || options.output(option, &mut words)?
                || options.comparison(option, &mut words)?;
            if !known {
                return Err(wrong(format!(
                    "Invalid option \"{option}\" or option argument missing"
                )));
            }
        }
        options.settle(has_requests)?;
        Ok(options)
    }

    fn connection(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "-h" => {
                let host = words.text(option)?;
                self.place = Place::Tcp {
                    host,
                    port: self.port(),
                };
            }
            "-p" => {
                let port = values::port(option, &words.text(option)?)?;
                let host = match &self.place {
                    Place::Tcp { host, .. } => host.clone(),
                    // compat: a socket overrides host and port.
                    Place::Unix(_) => return Ok(true),
                };
                self.place = Place::Tcp { host, port };
            }
            "-s" => self.place = Place::Unix(words.path(option)?),
            "-a" => self.login.password = Some(words.text(option)?),
            "--user" => self.login.user = Some(words.text(option)?),
            "-u" => values::url(self, &words.text(option)?)?,
            "--dbnum" => {
                let limit = Limit::to(u64::from(u32::MAX));
                self.login.database =
                    u32::try_from(words.number(option, limit)?).unwrap_or(u32::MAX);
            }
            "-3" => self.login.resp3 = true,
            "--enable-tracking" => self.login.tracking = true,
            "--tls" => drop(self.tls()),
            "--sni" => self.tls().sni = Some(words.text(option)?),
            "--cacert" => self.tls().ca_file = Some(words.path(option)?),
            "--cacertdir" => self.tls().ca_folder = Some(words.path(option)?),
            "--cert" => self.tls().certificate = Some(words.path(option)?),
            "--key" => self.tls().key = Some(words.path(option)?),
            "--insecure" => self.tls().insecure = true,
            "--tls-ciphers" => self.tls().ciphers = Some(words.text(option)?),
            "--tls-ciphersuites" => self.tls().suites = Some(words.text(option)?),
            "--cluster" => {
                return Err(wrong(
                    "--cluster is not supported: there is no cluster mode yet",
                ));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn port(&self) -> u16 {
        match self.place {
            Place::Tcp { port, .. } => port,
            Place::Unix(_) => ochre_client::DEFAULT_PORT,
        }
    }

    pub(super) fn tls(&mut self) -> &mut Tls {
        self.tls.get_or_insert_with(Tls::default)
    }

    fn load(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        let limit = Limit::within(1, CLIENTS_LIMIT as u64);
        match option {
            "-c" => self.clients = words.size(option, limit)?,
            "--threads" => self.threads = Some(words.size(option, limit)?),
            "-n" => self.requests = Some(words.number(option, Limit::from(1))?),
            "-k" => {
                // compat: any number but 0 is yes.
                self.keep_alive = words.number(option, Limit::any())? != 0;
            }
            "-P" => {
                self.pipeline = words.size(option, Limit::within(1, PIPELINE_LIMIT as u64))?;
            }
            "--rate" => {
                let limit = Limit::within(1, 1_000_000_000);
                self.rate = Some(words.number(option, limit)?);
            }
            "--warmup" => self.warmup = values::seconds(option, &words.text(option)?)?,
            "--duration" => {
                let duration = values::seconds(option, &words.text(option)?)?;
                if duration.is_zero() {
                    return Err(wrong("--duration takes more than 0 seconds"));
                }
                self.duration = Some(duration);
            }
            "--timeout" => {
                self.timeout = values::seconds(option, &words.text(option)?)?;
                if self.timeout.is_zero() {
                    return Err(wrong("--timeout takes more than 0 seconds"));
                }
            }
            "--keep-going" => self.keep_going = true,
            // compat: redis-benchmark has it, and says the same.
            "-e" => eprintln!(
                "WARNING: -e has no effect: the first error reply ends the run, unless --keep-going is given."
            ),
            "-l" => self.is_endless = true,
            "-I" => self.is_idle = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn request(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "-d" => self.sizes = values::sizes(option, &words.text(option)?, SIZE_LIMIT)?,
            // compat: 0 is taken; all keys are then number 0.
            "-r" => self.keyspace = Some(words.number(option, Limit::any())?.max(1)),
            "--distribution" => self.distribution = values::distribution(&words.text(option)?)?,
            "--seed" => self.seed = Some(words.number(option, Limit::any())?),
            "-t" => {
                let names = words.text(option)?.to_ascii_lowercase();
                self.tests = Some(names.split(',').map(|n| n.trim().to_owned()).collect());
            }
            "--ratio" => self.mixture = values::mixture(&words.text(option)?)?,
            "-x" => self.last_from_stdin = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn output(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "-q" => self.set_format(Format::Quiet),
            "--csv" => self.set_format(Format::Csv),
            "--csv-full" => self.set_format(Format::CsvFull),
            "--json" => {
                // What follows may as well be the first word of a command.
                let is_file = |word: &mut Vec<u8>| word.ends_with(b".json");
                match words.0.next_if(|word| is_file(&mut word.clone())) {
                    None => self.set_format(Format::Json),
                    Some(file) => self.json_file = Some(PathBuf::from(OsString::from_vec(file))),
                }
            }
            "--html" => self.html_file = Some(words.path(option)?),
            "--precision" => {
                // compat: the default of redis-benchmark is 0, and it shows three.
                let digits = words.size(option, Limit::any())?;
                self.decimals = digits.clamp(3, 6);
            }
            "--help" => return Err(Stop::Help),
            "-v" | "--version" => return Err(Stop::Version),
            _ => match option.strip_prefix("--json=") {
                Some(file) if !file.is_empty() => self.json_file = Some(PathBuf::from(file)),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    /// The form that says most about how it is to be read wins: compat for `-q --csv`.
    fn set_format(&mut self, format: Format) {
        if self.format == Format::Human || self.format == Format::Quiet {
            self.format = format;
        }
    }

    fn comparison(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "--compare" => self.compare = Some(values::place(&words.text(option)?)?),
            "--rounds" => {
                let rounds = words.number(option, Limit::within(1, 10_000))?;
                self.rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
            }
            "--server-pid" => self.server_pids = values::pids(&words.text(option)?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
