//! The differential test with a small budget: every command group against Redis 7.0, and against 8.2 if it is there.
//!
//! `OCHRE_SEED` sets another seed, `OCHRE_COMMANDS` another budget. The long runs are made with `ochre-differential`.

use ochre_testkit::differential::{Config, groups, permissions, run};
use ochre_testkit::reference::{Reference, Release};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

fn compare(release: Release) {
    let Some(reference) = Reference::start(release, &[]).expect("a reference server") else {
        eprintln!("skipped: no redis-server for {release:?}");
        return;
    };
    for group in groups() {
        let config = Config {
            group: Some(group.to_owned()),
            // Two protocols share the budget.
            commands: number("OCHRE_COMMANDS").unwrap_or(20_000) / 2,
            seed: number("OCHRE_SEED").unwrap_or(20_260_101),
            ..Config::default()
        };
        let report = run(&reference, &config).expect("a reference that answers");
        eprintln!("{group}, seed {}: {report}", config.seed);
        assert!(report.failures.is_empty(), "{group}: see above");
    }
}

#[test]
fn the_same_answers_as_redis_7_0() {
    compare(Release::V70);
}

#[test]
fn the_same_answers_as_redis_8_2() {
    compare(Release::V82);
}

/// Access control: the same users may do the same things.
fn compare_permissions(release: Release) {
    let Some(reference) = Reference::start(release, &[]).expect("a reference server") else {
        eprintln!("skipped: no redis-server for {release:?}");
        return;
    };
    let seed = number("OCHRE_SEED").unwrap_or(20_260_101);
    let users = number("OCHRE_COMMANDS").unwrap_or(20_000) / 100;
    let found = permissions::run(&reference, seed, users, 1).expect("a reference that answers");
    eprintln!("permissions, seed {seed}: {found}");
    assert!(found.failures.is_empty(), "see above");
    assert!(found.refused > 0 && found.refused < found.asked);
}

#[test]
fn the_same_permissions_as_redis_7_0() {
    compare_permissions(Release::V70);
}

#[test]
fn the_same_permissions_as_redis_8_2() {
    compare_permissions(Release::V82);
}
