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


@needs("cargo")
@pytest.mark.skipif(not os.environ.get("GATEWAY_ALL_CLIENTS"), reason="GATEWAY_ALL_CLIENTS is not set")
def test_the_rust_client_passes_its_own_tests(gateway):
    folder = CACHE / "rust"
    if not folder.exists():
        call(["cargo", "init", "-q", "--name", "probe", folder], ".")
        call(["cargo", "add", "-q", "integresql@0.2.0"], folder)
        call(["cargo", "fetch", "-q"], folder)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    source = next(home.glob("registry/src/*/integresql-0.2.0"))
    shutil.copytree(source, folder / "source", dirs_exist_ok=True)
    for _ in range(ROUNDS):
        said = call(["cargo", "test", "-q", "--test", "db_manager_tests"], folder / "source",
                    INTEGRESQL_BASE_URL=f"{gateway.root}/api", CARGO_TARGET_DIR=str(folder / "target"))
        assert "test result: ok" in said
