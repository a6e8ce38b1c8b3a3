//! What the command line asks to be run: a list of loads with a title each.

use crate::cases::{self, Case, DATA};
use crate::options::Options;
use crate::request::{Kind, Making, Template};

/// What is run at once, under one title.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) title: String,
    pub(crate) kinds: Vec<Kind>,
}

/// Everything that `options` asks for, in order.
///
/// # Errors
/// When a test is not known, or its requests cannot be built.
pub(crate) fn chosen(options: &Options, making: &Making<'_>) -> Result<Vec<Workload>, String> {
    if !options.command.is_empty() {
        return Ok(vec![command(options, making)?]);
    }
    if !options.mixture.is_empty() {
        return Ok(vec![mixture(options, making)?]);
    }
    let cases = cases::chosen(options.tests.as_deref());
    let cases = cases.map_err(|name| format!("Unknown test '{name}' in -t"))?;
    let workload = |case: &&'static Case| {
        Ok(Workload {
            title: case.title.to_owned(),
            kinds: vec![kind(case, 1, making)?],
        })
    };
    cases.iter().map(workload).collect()
}

fn kind(case: &Case, weight: u64, making: &Making<'_>) -> Result<Kind, String> {
    let words: Vec<Vec<u8>> = case.words.iter().map(|w| w.as_bytes().to_vec()).collect();
    let template = match case.is_inline {
        true => Template::inline(&words),
        false => Template::array(&words, making)?,
    };
    Ok(Kind {
        name: case.title.to_owned(),
        template,
        weight,
    })
}

fn command(options: &Options, making: &Making<'_>) -> Result<Workload, String> {
    let words = &options.command;
    // What came from the standard input may be anything, and long.
    let shown = words.len() - usize::from(options.last_from_stdin);
    let title = String::from_utf8_lossy(&words[..shown].join(&b' ')).into_owned();
    Ok(Workload {
        kinds: vec![Kind {
            name: title.clone(),
            template: Template::array(words, making)?,
            weight: 1,
        }],
        title,
    })
}

fn mixture(options: &Options, making: &Making<'_>) -> Result<Workload, String> {
    let mut kinds = Vec::new();
    for part in &options.mixture {
        let case = cases::named(&part.name)
            .ok_or_else(|| format!("Unknown test '{}' in --ratio", part.name))?;
        kinds.push(kind(case, part.weight, making)?);
    }
    let names: Vec<&str> = kinds.iter().map(|k| k.name.as_str()).collect();
    let weights: Vec<String> = kinds.iter().map(|k| k.weight.to_string()).collect();
    Ok(Workload {
        title: format!("{}={}", names.join(":"), weights.join(":")),
        kinds,
    })
}

/// Whether any request holds a value of `-d` bytes.
pub(crate) fn has_data(options: &Options) -> bool {
    let is_data = |word: &Vec<u8>| memchr::memmem::find(word, DATA.as_bytes()).is_some();
    options.command.is_empty() || options.command.iter().any(is_data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Sizes, data};
    use std::ffi::OsString;

    fn titles(args: &[&str]) -> Result<Vec<String>, String> {
        let options = Options::parse(args.iter().map(OsString::from)).expect("good options");
        let data = data(3);
        let making = Making {
            has_keys: true,
            sizes: Sizes { least: 3, most: 3 },
            data: &data,
        };
        let workloads = chosen(&options, &making)?;
        Ok(workloads.into_iter().map(|w| w.title).collect())
    }

    #[test]
    fn titles_are_those_of_redis_benchmark() {
        assert_eq!(
            titles(&["-t", "get,SET"]),
            Ok(vec!["SET".into(), "GET".into()])
        );
        assert_eq!(
            titles(&["lpush", "l", "__rand_int__"]),
            Ok(vec!["lpush l __rand_int__".into()])
        );
    }

    #[test]
    fn mixtures_are_one_load() {
        let title = titles(&["--ratio", "set:get=1:10"]);
        assert_eq!(title, Ok(vec!["SET:GET=1:10".into()]));
        assert!(titles(&["--ratio", "set:nosuch=1:1"]).is_err());
    }

    #[test]
    fn unknown_tests_are_refused() {
        assert!(titles(&["-t", "get,nosuch"]).is_err());
    }
}
