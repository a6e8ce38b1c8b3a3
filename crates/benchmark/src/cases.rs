//! The tests that have a name: redis-benchmark's, with its requests and titles.

/// Where a value of `-d` bytes goes.
pub(crate) const DATA: &str = "__data__";
/// Where a key's 12 digits go.
pub(crate) const RAND: &str = "__rand_int__";

/// A test that has a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// The names by which `-t` chooses it.
    pub(crate) names: &'static [&'static str],
    pub(crate) title: &'static str,
    pub(crate) words: &'static [&'static str],
    /// It is sent as a line, not as an array.
    pub(crate) is_inline: bool,
    /// It belongs to the tests that run when none is chosen.
    pub(crate) is_default: bool,
}

const fn case(
    names: &'static [&'static str],
    title: &'static str,
    words: &'static [&'static str],
) -> Case {
    Case {
        names,
        title,
        words,
        is_inline: false,
        is_default: true,
    }
}

/// All of them, in the order in which they run.
pub(crate) const CASES: &[Case] = &[
    Case {
        is_inline: true,
        ..case(&["ping_inline", "ping"], "PING_INLINE", &["PING"])
    },
    case(&["ping_mbulk", "ping"], "PING_MBULK", &["PING"]),
    case(&["set"], "SET", &["SET", "key:__rand_int__", DATA]),
    case(&["get"], "GET", &["GET", "key:__rand_int__"]),
    case(&["incr"], "INCR", &["INCR", "counter:__rand_int__"]),
    case(&["lpush"], "LPUSH", &["LPUSH", "mylist", DATA]),
    case(&["rpush"], "RPUSH", &["RPUSH", "mylist", DATA]),
    case(&["lpop"], "LPOP", &["LPOP", "mylist"]),
    case(&["rpop"], "RPOP", &["RPOP", "mylist"]),
    case(
        &["sadd"],
        "SADD",
        &["SADD", "myset", "element:__rand_int__"],
    ),
    case(
        &["hset"],
        "HSET",
        &["HSET", "myhash", "element:__rand_int__", DATA],
    ),
    case(&["spop"], "SPOP", &["SPOP", "myset"]),
    case(
        &["zadd"],
        "ZADD",
        &["ZADD", "myzset", "__rand_score__", "element:__rand_int__"],
    ),
    case(&["zpopmin"], "ZPOPMIN", &["ZPOPMIN", "myzset"]),
    case(
        &[
            "lrange",
            "lrange_100",
            "lrange_300",
            "lrange_500",
            "lrange_600",
        ],
        "LPUSH (needed to benchmark LRANGE)",
        &["LPUSH", "mylist", DATA],
    ),
    case(
        &["lrange", "lrange_100"],
        "LRANGE_100 (first 100 elements)",
        &["LRANGE", "mylist", "0", "99"],
    ),
    case(
        &["lrange", "lrange_300"],
        "LRANGE_300 (first 300 elements)",
        &["LRANGE", "mylist", "0", "299"],
    ),
    case(
        &["lrange", "lrange_500"],
        "LRANGE_500 (first 500 elements)",
        &["LRANGE", "mylist", "0", "499"],
    ),
    case(
        &["lrange", "lrange_600"],
        "LRANGE_600 (first 600 elements)",
        &["LRANGE", "mylist", "0", "599"],
    ),
    case(
        &["mset"],
        "MSET (10 keys)",
        &[
            "MSET",
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
            "key:__rand_int__",
            DATA,
        ],
    ),
    // redis-benchmark 7.0 does not have it, so that it runs only when it is asked for.
    Case {
        is_default: false,
        ..case(
            &["xadd"],
            "XADD",
            &["XADD", "mystream", "*", "myfield", DATA],
        )
    },
];

/// The tests that `names` choose; those of the default if there are none.
///
/// # Errors
/// The name that chooses none.
pub(crate) fn chosen(names: Option<&[String]>) -> Result<Vec<&'static Case>, String> {
    let Some(names) = names else {
        return Ok(CASES.iter().filter(|c| c.is_default).collect());
    };
    let has = |case: &Case, name: &String| case.names.contains(&name.as_str());
    if let Some(unknown) = names.iter().find(|n| !CASES.iter().any(|c| has(c, n))) {
        return Err(unknown.clone());
    }
    let is_chosen = |case: &&Case| names.iter().any(|n| has(case, n));
    Ok(CASES.iter().filter(is_chosen).collect())
}

/// The test of that one name, for mixtures: the last that has it, which is the test proper.
pub(crate) fn named(name: &str) -> Option<&'static Case> {
    CASES.iter().rev().find(|c| c.names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
        let cases = chosen(Some(&names)).expect("known names");
        cases.iter().map(|c| c.title).collect()
    }

    #[test]
    fn names_choose_in_the_order_of_the_table() {
        assert_eq!(titles(&["get", "set"]), ["SET", "GET"]);
        assert_eq!(titles(&["ping"]), ["PING_INLINE", "PING_MBULK"]);
        assert_eq!(titles(&["lrange"]).len(), 5);
        assert_eq!(titles(&["lrange_300"]).len(), 2);
        assert_eq!(titles(&["xadd"]), ["XADD"]);
    }

    #[test]
    fn the_default_is_what_redis_benchmark_runs() {
        assert_eq!(chosen(None).expect("the default").len(), 20);
    }

    #[test]
    fn unknown_names_are_told() {
        let names = ["get".to_owned(), "nosuch".to_owned()];
        assert_eq!(chosen(Some(&names)), Err("nosuch".to_owned()));
    }

    #[test]
    fn mixtures_name_one_test() {
        assert_eq!(named("set").map(|c| c.title), Some("SET"));
        let lrange = named("lrange_100").map(|c| c.title);
        assert_eq!(lrange, Some("LRANGE_100 (first 100 elements)"));
        assert_eq!(named("nosuch"), None);
    }
}
