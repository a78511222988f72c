"""IntegreSQL's clients, unmodified, from their registries: a client finds the gateway where it looked for
IntegreSQL. Three rounds each. What a machine has no tools for is skipped."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway import Gateway, run

pytestmark = pytest.mark.usefixtures("clean")
ROUNDS = 3
CACHE = Path(os.environ["GATEWAY"]).parent.parent / "gateway" / "clients"


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not there")


def call(command, folder, **variables):
    """Runs a command, and returns what it printed; fails with that."""
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@needs("go")
def test_the_go_client_passes_its_own_tests():
    # Its connection string has no place for an empty password.
    gateway = Gateway(INTEGRESQL_PGPASSWORD="secret")
    folder = CACHE / "go"
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "go.mod").write_text("module probe\n")
    module = call(["go", "mod", "download", "-json", "github.com/allaboutapps/integresql-client-go@v1.0.0"], folder)
    source = json.loads(module)["Dir"]
    shutil.copytree(source, folder / "source", dirs_exist_ok=True, copy_function=shutil.copyfile)
    said = call(["go", "test", f"-count={ROUNDS}", "-v", "."], folder / "source",
                INTEGRESQL_CLIENT_BASE_URL=f"{gateway.root}/api", GOFLAGS="-mod=mod")
    assert said.count("--- PASS") == 7 * ROUNDS and "--- FAIL" not in said and "--- SKIP" not in said
    gateway.stop()


JAVASCRIPT = """
const { IntegreSQLClient } = require('@devoxa/integresql-client')
const { Client } = require('pg')
const run = async (config, sql) => {
  const client = new Client({ connectionString: integre.databaseConfigToConnectionUrl(config) })
  await client.connect()
  const result = await client.query(sql)
  await client.end()
  return result.rows
}
const integre = new IntegreSQLClient({ url: process.argv[2] })
const hash = 'a'.repeat(36) + process.argv[3]
let builds = 0
const worker = async (who) => {
  await integre.initializeTemplate(hash, async (config) => {
    builds++
    await run(config, 'CREATE TABLE t (who text)')
  })
  for (let i = 0; i < 3; i++) {
    const config = await integre.getTestDatabase(hash)
    const rows = await run(config, `INSERT INTO t VALUES ('${who}'); SELECT * FROM t`)
    const found = (await run(config, 'SELECT * FROM t')).map((row) => row.who)
    if (found.join() !== who) throw new Error(`${who} found ${found}`)
  }
}
Promise.all(Array.from({ length: 11 }, (_, i) => worker('w' + i)))
  .then(() => console.log('builds', builds), (error) => { console.error(error); process.exit(1) })
"""


@needs("npm")
def test_the_javascript_client_runs_eleven_workers(gateway):
    folder = CACHE / "javascript"
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        call(["npm", "install", "-s", "@devoxa/integresql-client@2.1.1", "pg@8.13.1"], folder)
    (folder / "probe.js").write_text(JAVASCRIPT)
    for number in range(ROUNDS):
        for builds in (1, 0):  # cold, warm
            assert call(["node", "probe.js", gateway.root, f"{number:04}"], folder).strip() == f"builds {builds}"


def test_the_python_client_does_a_round(gateway, tmp_path):
    client = pytest.importorskip("integresql_client_python")
    (tmp_path / "migrations").mkdir()
    for number in range(ROUNDS):
        (tmp_path / "migrations" / "1.sql").write_text(f"CREATE TABLE t (v int) -- {number}")
        integresql = client.IntegreSQL(tmp_path / "migrations", base_url=f"{gateway.root}/api")
        with integresql.get_template().initialize() as template:
            run(answer_of(template), "CREATE TABLE t (v int)")
        with integresql.get_template().get_database() as first, integresql.get_template().get_database() as second:
            assert first.name != second.name
            run(answer_of(first), "INSERT INTO t VALUES (1)")
            assert run(answer_of(second), "SELECT count(*) FROM t") == [(0,)]
        integresql.get_template().get_database().mark_unmodified(second)
        integresql.discard_template(integresql.tpl_hash)


def answer_of(info):
    """What the Python client knows of a database, as the API's answer."""
    return {"database": {"config": {"host": info.host, "port": info.port, "username": info.user,
                                    "password": info.password, "database": info.name}}}


def fetched(command, folder, what):
    """Has a registry's own tool bring what is asked for; where it has none of it that is told, as a skip."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        pytest.skip(f"{what} cannot be had: {(done.stdout + done.stderr)[-300:]}")


# Its own tests want IntegreSQL's names for databases, a host and a database of its own, and wait for fixed times.
RUST = """
use integresql::{ConnectionSettings, DbManager};
use std::process::Command;

fn sql(db: &ConnectionSettings, text: &str) -> Result<String, Box<dyn std::error::Error>> {
    let done = Command::new("psql").args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &db.to_libpq_url(), "-c", text]).output()?;
    if !done.status.success() { return Err(String::from_utf8_lossy(&done.stderr).into()); }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_string())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = DbManager::from_env();
    for round in 0..3 {
        let key = format!("round {round} {}", std::process::id());
        let workers: Vec<_> = (0..8).map(|who| {
            let (manager, key) = (manager.clone(), key.clone());
            std::thread::spawn(move || {
                let template = manager.get_template_db_sync(&key, |db: ConnectionSettings| {
                    sql(&db, "CREATE TABLE t (who int)").map(|_| ())
                }).expect("the template");
                for _ in 0..3 {
                    let test = template.get_writable_test_db().expect("a database");
                    let found = sql(&test, &format!("INSERT INTO t VALUES ({who}); SELECT string_agg(who::text, ',') FROM t"));
                    assert_eq!(found.expect("rows"), who.to_string());
                }
            })
        }).collect();
        for worker in workers { worker.join().expect("a worker"); }

        let template = manager.get_template_db_sync(&key, |_: ConnectionSettings| -> Result<(), Box<dyn std::error::Error>> {
            panic!("it is built twice")
        })?;
        let first = template.get_readonly_test_db()?.id;
        assert_eq!(template.get_readonly_test_db()?.id, first, "what is unlocked comes back");
        manager.discard_template(&key)?;
        manager.discard_template(&key)?;
        assert!(template.get_readonly_test_db().is_err());
    }
    manager.clear_db_tracking()?;
    println!("all is well");
    Ok(())
}
"""


@needs("cargo")
def test_the_rust_client_runs_eight_workers(gateway):
    folder = CACHE / "rust"
    if not (folder / "Cargo.toml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        call(["cargo", "init", "-q", "--vcs", "none", "--name", "probe"], folder)
    fetched(["cargo", "add", "-q", "integresql@=0.2.0"], folder, "the crate integresql")
    (folder / "src" / "main.rs").write_text(RUST)
    fetched(["cargo", "fetch", "-q"], folder, "a crate of the Rust client")
    said = call(["cargo", "run", "-q"], folder, INTEGRESQL_BASE_URL=f"{gateway.root}/api")
    assert "all is well" in said


# After 423 it cannot read {"message": …}, which is IntegreSQL's answer as well: so each round builds its own.
JAVA = """
import at.allaboutapps.integresql.client.IntegresqlJavaClient;
import at.allaboutapps.integresql.client.dto.TestDatabase;
import at.allaboutapps.integresql.config.IntegresqlClientConfig;
import at.allaboutapps.integresql.exception.*;
import java.sql.*;
import java.util.Optional;

public class Probe {
    static void run(TestDatabase test, String sql) throws SQLException {
        var config = test.database.config;
        try (Connection session = DriverManager.getConnection(config.connectionString(), config.username, config.password);
             Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    public static void main(String[] arguments) throws Exception {
        var config = IntegresqlClientConfig.customConfig(arguments[0], "v1", false, Optional.empty(), Optional.empty());
        try (var client = new IntegresqlJavaClient(config)) {
            for (int round = 0; round < 3; round++) {
                String hash = "java" + round;
                client.resetAllTracking();
                client.setupTemplateWithDBClient(hash, session -> {
                    try (Statement statement = session.createStatement()) {
                        statement.execute("CREATE TABLE t (v int PRIMARY KEY)");
                    } catch (SQLException error) {
                        throw new RuntimeException(error);
                    }
                });
                client.finalizeTemplate(hash);
                TestDatabase first = client.getTestDatabase(hash);
                TestDatabase second = client.getTestDatabase(hash);
                check(!first.id.equals(second.id) && first.database.templateHash.equals(hash), "a database each");
                run(first, "INSERT INTO t VALUES (1)");
                run(second, "INSERT INTO t VALUES (1)");
                client.returnTestDatabase(hash, first.id);
                check(client.getTestDatabase(hash).id.equals(first.id), "what is returned comes back");
                client.discardTemplate(hash);
                try {
                    client.discardTemplate(hash);
                    check(false, "a template is discarded twice");
                } catch (TemplateNotFoundException expected) {
                }
            }
        }
        System.out.println("all is well");
    }
}
"""

JAVA_POM = """<project><modelVersion>4.0.0</modelVersion><groupId>probe</groupId><artifactId>probe</artifactId><version>1</version>
<dependencies>
  <dependency><groupId>at.allaboutapps.integresql</groupId><artifactId>integresql-java-client</artifactId><version>1.0.2</version></dependency>
  <dependency><groupId>org.postgresql</groupId><artifactId>postgresql</artifactId><version>42.7.4</version></dependency>
</dependencies></project>
"""


@needs("mvn")
@needs("java")
def test_the_java_client_does_its_rounds():
    gateway = Gateway(INTEGRESQL_PGPASSWORD="secret")
    folder = CACHE / "java"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(JAVA_POM)
    (folder / "Probe.java").write_text(JAVA)
    fetched(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], folder, "the Java client")
    said = call(["java", "-cp", "lib/*", "Probe.java", f"{gateway.root}/api"], folder)
    assert "all is well" in said
    gateway.stop()
