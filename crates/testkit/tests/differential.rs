//! The differential test with a small budget: every command group against Redis 7.0, and against 8.2 if it is there.
//!
//! `OCHRE_SEED` sets another seed, `OCHRE_COMMANDS` another budget. The long runs are made with `ochre-differential`.

use ochre_testkit::differential::crowd::{self, blocking, scripts, transactions};
use ochre_testkit::differential::{Config, groups, permissions, run};
use ochre_testkit::reference::{Reference, Release};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// The seed of everything.
fn seed() -> u64 {
    number("OCHRE_SEED").unwrap_or(20_260_101)
}

/// The server to compare with; says so when there is none.
fn reference(release: Release) -> Option<Reference> {
    let reference = Reference::start(release, &[]).expect("a reference server");
    if reference.is_none() {
        eprintln!("skipped: no redis-server for {release:?}");
    }
    reference
}

fn compare(release: Release) {
    let Some(reference) = reference(release) else {
        return;
    };
    for group in groups() {
        let config = Config {
            group: Some(group.to_owned()),
            // Two protocols share the budget.
            commands: number("OCHRE_COMMANDS").unwrap_or(20_000) / 2,
            seed: seed(),
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
    let Some(reference) = reference(release) else {
        return;
    };
    let seed = seed();
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

/// Events of keys: the same ones in the same order.
fn compare_events(release: Release) {
    let Some(reference) = reference(release) else {
        return;
    };
    for group in groups() {
        let config = Config {
            group: Some(group.to_owned()),
            commands: number("OCHRE_COMMANDS").unwrap_or(1_200) / 2,
            seed: seed(),
            length: 500,
            notifications: true,
            ..Config::default()
        };
        let report = run(&reference, &config).expect("a reference that answers");
        eprintln!("{group} with events, seed {}: {report}", config.seed);
        assert!(report.failures.is_empty(), "{group}: see above");
    }
}

#[test]
fn the_same_events_as_redis_7_0() {
    compare_events(Release::V70);
}

#[test]
fn the_same_events_as_redis_8_2() {
    compare_events(Release::V82);
}

/// Clients that wait for keys: the same ones are served, in the same order.
fn compare_waits(release: Release) {
    let Some(reference) = reference(release) else {
        return;
    };
    let extent = (seed(), number("OCHRE_COMMANDS").unwrap_or(4_000), 1);
    let found = crowd::run(&reference, extent, |seed| blocking::sequence(seed, release))
        .expect("a reference that answers");
    eprintln!("waits, seed {}: {found}", extent.0);
    assert!(found.failures.is_empty(), "see above");
    assert!(found.served > 0 && found.ran > 0);
}

#[test]
fn the_same_clients_served_as_by_redis_7_0() {
    compare_waits(Release::V70);
}

#[test]
fn the_same_clients_served_as_by_redis_8_2() {
    compare_waits(Release::V82);
}

/// Transactions of all commands: the same replies, and the same ones fail.
fn compare_transactions(release: Release) {
    let Some(reference) = reference(release) else {
        return;
    };
    let maker = transactions::Maker::new(&reference).expect("a reference that answers");
    let extent = (seed(), number("OCHRE_COMMANDS").unwrap_or(4_000), 1);
    let found = crowd::run(&reference, extent, |seed| maker.sequence(seed))
        .expect("a reference that answers");
    eprintln!("transactions, seed {}: {found}", extent.0);
    assert!(found.failures.is_empty(), "see above");
    assert!(found.ran > 0 && found.broken > 0);
}

#[test]
fn the_same_transactions_as_redis_7_0() {
    compare_transactions(Release::V70);
}

#[test]
fn the_same_transactions_as_redis_8_2() {
    compare_transactions(Release::V82);
}

/// Lua programs: the same replies, events and data.
fn compare_scripts(release: Release) {
    let Some(reference) = reference(release) else {
        return;
    };
    let maker = scripts::Maker::new(&reference).expect("a reference that answers");
    let extent = (seed(), number("OCHRE_COMMANDS").unwrap_or(4_000), 1);
    let found = crowd::run(&reference, extent, |seed| maker.sequence(seed))
        .expect("a reference that answers");
    eprintln!("scripts, seed {}: {found}", extent.0);
    assert!(found.failures.is_empty(), "see above");
    assert!(found.events > 0 && found.ran > 0);
}

#[test]
fn the_same_scripts_as_redis_7_0() {
    compare_scripts(Release::V70);
}

#[test]
fn the_same_scripts_as_redis_8_2() {
    compare_scripts(Release::V82);
}
