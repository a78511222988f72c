//! Tests that fail on purpose, as programs of their own; what is said of them, and what is left. They use a
//! driver that the package does not know, in functions that are not async.

use postgres::{Client, NoTls};
use std::process::Command;
use testpool::Database;

fn ask(url: &str, sql: &str) -> String {
    Client::connect(url, NoTls).unwrap().query_one(sql, &[]).unwrap().get(0)
}

fn home() -> String {
    let set = |name: &str| std::env::var(name).unwrap();
    let host = set("PGHOST").replace('/', "%2F");
    format!("postgresql://{}@{host}:{}/postgres", set("PGUSER"), set("PGPORT"))
}

fn add(database: &Database) {
    assert_eq!(ask(database.url(), "INSERT INTO item (name) VALUES ('evidence') RETURNING id::text"), "2");
}

/// Runs ignored tests of this file; they fail.
fn again(tests: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact"]).args(tests).env_remove("NEXTEST_RUN_ID").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    said
}

/// The URLs of what a report says is kept.
fn kept(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.strip_prefix("testpool: kept: ")).map(str::to_string).collect()
}

fn look_at_and_release(url: &str) {
    assert_eq!(ask(url, "SELECT name FROM item WHERE id = 2"), "evidence");
    let name = url.split(['/', '?']).nth(3).unwrap();
    ask(&home(), &format!("SELECT testpool.release('{name}')::text"));
}

#[testpool::test(sql = "tests/sql")]
#[ignore = "fails on purpose"]
fn panics(database: Database) {
    add(&database);
    panic!("on purpose");
}

#[testpool::test(sql = "tests/sql")]
#[ignore = "fails on purpose"]
fn returns_an_error(database: Database) -> Result<(), &'static str> {
    add(&database);
    Err("on purpose")
}

#[testpool::test(sql = "tests/sql")]
#[ignore = "fails on purpose"]
async fn panics_asynchronously(one: Database) {
    let another = one.acquire().await.unwrap();
    std::thread::spawn(move || [one, another].iter().for_each(add)).join().unwrap();
    panic!("on purpose");
}

#[testpool::test(sql = "tests/sql")]
#[ignore = "for another test"]
#[should_panic]
fn does_not_panic(database: Database) {
    add(&database);
}

const ALL: [&str; 4] = ["panics", "returns_an_error", "panics_asynchronously", "does_not_panic"];

#[test]
fn a_failed_tests_database_is_kept_and_told() {
    let said = again(&ALL, &[("TESTPOOL_RUN", "rust-kept")]);
    assert_eq!(kept(&said).len(), 3, "{said}");
    assert!(said.contains("the test's changes:\n") && said.contains("changed table public.item: "), "{said}");
    kept(&said).iter().for_each(|url| look_at_and_release(url));
    assert!(kept(&again(&ALL, &[("TESTPOOL_KEEP", "0")])).is_empty());
}

#[test]
fn processes_of_nextest_are_one_run() {
    let run = [("NEXTEST_RUN_ID", "5f4b6f2e")];
    let all: Vec<_> = ALL.map(|test| std::thread::spawn(move || again(&[test], &run))).into_iter().collect();
    let said: String = all.into_iter().map(|each| each.join().unwrap()).collect();
    assert_eq!(kept(&said).len(), 3, "{said}");
    kept(&said).iter().for_each(|url| look_at_and_release(url));
}

#[testpool::test(sql = "tests/sql")]
#[should_panic(expected = "as it should")]
fn a_test_that_should_panic_may(database: Database) {
    add(&database);
    panic!("as it should");
}

#[testpool::test(migrations = "tests/broken")]
#[ignore = "fails on purpose"]
fn cannot_begin() {}

#[test]
fn a_failed_migration_is_told() {
    let said = again(&["cannot_begin"], &[]);
    assert!(said.contains("division by zero"), "{said}");
    let sql = "SELECT bool_or(reason LIKE '%division by zero%')::text FROM testpool.templates WHERE state = 'discarded'";
    assert_eq!(ask(&home(), sql), "true");
}

#[test]
fn what_is_missing_is_told() {
    let said = again(&["panics"], &[("TESTPOOL_URL", "postgresql://somebody:secret@127.0.0.1:1/postgres")]);
    assert!(
        said.contains("no PostgreSQL server at postgresql://somebody@127.0.0.1:1/postgres") && !said.contains("secret"),
        "{said}"
    );
    assert!(again(&["panics"], &[("PGDATABASE", "template1")]).contains("CREATE EXTENSION testpool"));
}

fn create(url: &str) -> Result<(), postgres::Error> {
    Client::connect(url, NoTls)?
        .batch_execute("CREATE TABLE item (id serial, name text); INSERT INTO item (name) VALUES ('apple')")
}

#[testpool::test(migrate = create, files = ["tests/failures.rs"])]
fn a_function_builds(database: Database) {
    add(&database);
}
