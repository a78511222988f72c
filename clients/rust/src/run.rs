//! A test: it gets its database, runs, and if it fails the database is kept and told of.

use crate::session::Session;
use crate::template::{self, Build, Template};
use crate::{urls, Database, Error};
use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// What the attribute knows of a test.
pub struct Spec {
    pub name: &'static str,
    pub project: &'static str,
    pub folder: &'static str,
    pub build: Build,
    pub should_panic: bool,
}

/// What a test may return.
pub trait Outcome {
    fn failed(&self) -> bool;
}

impl Outcome for () {
    fn failed(&self) -> bool {
        false
    }
}

impl<T, E> Outcome for Result<T, E> {
    fn failed(&self) -> bool {
        self.is_err()
    }
}

/// A test that is an async function runs on a runtime of its own.
pub fn run_async<Arguments, Getting, Test, Testing>(
    spec: Spec,
    arguments: impl FnOnce(Database) -> Getting,
    test: Test,
) -> Testing::Output
where
    Getting: Future<Output = Result<Arguments, Error>>,
    Test: FnOnce(Arguments) -> Testing,
    Testing: Future,
    Testing::Output: Outcome,
{
    with_database(spec, arguments, |runtime, arguments| runtime.block_on(test(arguments)))
}

/// One that is none runs outside of any.
pub fn run<Arguments, Getting, Output: Outcome>(
    spec: Spec,
    arguments: impl FnOnce(Database) -> Getting,
    test: impl FnOnce(Arguments) -> Output,
) -> Output
where
    Getting: Future<Output = Result<Arguments, Error>>,
{
    with_database(spec, arguments, |_, arguments| test(arguments))
}

fn with_database<Arguments, Getting, Output: Outcome>(
    spec: Spec,
    arguments: impl FnOnce(Database) -> Getting,
    test: impl FnOnce(&Runtime, Arguments) -> Output,
) -> Output
where
    Getting: Future<Output = Result<Arguments, Error>>,
{
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime of tokio");
    let database = runtime.block_on(lease(&spec)).unwrap_or_else(|error| panic!("testpool: {error}"));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let arguments = runtime.block_on(arguments(database.clone())).unwrap_or_else(|error| panic!("testpool: {error}"));
        test(&runtime, arguments)
    }));
    let failed = match &ended {
        Ok(output) => output.failed() || spec.should_panic,
        Err(_) => !spec.should_panic,
    };
    let given_back = runtime.block_on(give_back(&database, &spec, failed));
    runtime.shutdown_background();
    match ended {
        Ok(output) => given_back.map(|()| output).unwrap_or_else(|error| panic!("testpool: {error}")),
        Err(panic) => resume_unwind(panic),
    }
}

async fn lease(spec: &Spec) -> Result<Database, Error> {
    let home_url = urls::home(|name| std::env::var(name).ok())?;
    let home = Session::connect(&home_url).await?;
    let there = home.ask("SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)')::text", &[]).await?;
    if there[0].is_none() {
        return Err(Error(format!(
            "testpool is not in the database {}: load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there.",
            urls::without_password(&home_url)
        )));
    }
    // The place may be another one now than when it was compiled.
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| spec.folder.to_string()));
    let template = Template::of(spec.project, &folder, &spec.build)?;
    template::see(&template, &spec.build, &folder, &home, &home_url).await?;
    Database::lease(home, &home_url, &template.hash).await
}

async fn give_back(database: &Database, spec: &Spec, failed: bool) -> Result<(), Error> {
    for each in database.with_more() {
        let kept = if failed { each.keep(spec.name, run_id(), keep_at_most()).await } else { Ok(None) };
        match kept {
            Ok(Some(lines)) => println!("{lines}"),
            Ok(None) => each.release().await?,
            Err(error) => println!("testpool: not kept: {error}"),
        }
    }
    Ok(())
}

fn keep_at_most() -> u32 {
    std::env::var("TESTPOOL_KEEP").ok().and_then(|most| most.parse().ok()).unwrap_or(3)
}

/// What all processes of one run have in common: nextest's name for it, or the cargo that has started them.
fn run_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        set("TESTPOOL_RUN").or_else(|| set("NEXTEST_RUN_ID")).or_else(cargo).unwrap_or_else(|| format!("rust-{:08x}", random()))
    })
}

fn cargo() -> Option<String> {
    std::env::var_os("CARGO")?;
    let parent = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).ok()?;
    let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_string();
    Some(format!("rust-{parent}-{started}"))
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
