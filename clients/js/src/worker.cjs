// A test process as the server sees it: its template, its own database, and what becomes of that.

const { randomBytes } = require('node:crypto');
const { Client } = require('pg');
const { load, hashOf } = require('./config.cjs');
const urls = require('./urls.cjs');

/** Where a test finds the worker of its process. */
const CURRENT = Symbol.for('testpool.worker');

class Worker {
  /** Nothing is asked of the server yet: the URL is known without it. */
  static async of(id, folder = process.cwd()) {
    const worker = new Worker();
    worker.config = await load(folder);
    worker.hash = hashOf(worker.config);
    const label = worker.config.project.toLowerCase().replace(/[^a-z0-9_]+/g, '_').replace(/^_+|_+$/g, '').slice(0, 20) || 'tests';
    worker.template = `${label}-${worker.hash.slice(0, 12)}`;
    worker.name = `${worker.template}~${id}-${randomBytes(4).toString('hex')}`;
    worker.homeUrl = urls.homeUrl();
    worker.url = urls.withDatabase(worker.homeUrl, worker.name);
    worker.run = process.env.TESTPOOL_RUN || randomBytes(4).toString('hex');
    worker.clones = [];
    return worker;
  }

  /** Tests that run concurrently ask one after the other. */
  ask(sql, ...values) {
    const answer = (this.asked ?? Promise.resolve()).then(() => this.home.query(sql, values)).then(({ rows }) => rows[0]);
    this.asked = answer.catch(() => {});
    return answer;
  }

  session() {
    return new Client({ connectionString: this.homeUrl, application_name: 'testpool' });
  }

  async connect() {
    this.home = this.session();
    const where = urls.withoutPassword(this.homeUrl);
    try {
      await this.home.connect();
    } catch (error) {
      throw new Error(`testpool: no PostgreSQL server at ${where}: ${error.message || error.code}\n` +
        'Set TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool.', { cause: error });
    }
    this.home.on('error', () => {}); // the next question tells
    const { there } = await this.ask("SELECT to_regprocedure('testpool.keep_failed(text, text, text, integer)') IS NOT NULL AS there");
    if (!there) {
      await this.home.end();
      throw new Error(`testpool is not in the database ${where}: ` +
        "load it with shared_preload_libraries = 'testpool', then CREATE EXTENSION testpool there.");
    }
  }

  /** Sees that the template is there: of all processes that come, one builds. */
  async build() {
    await this.ask("SELECT set_config('testpool.template_timeout', '10min', false)");
    const { database } = await this.ask('SELECT testpool.init_template($1, name => $2) AS database', this.hash, this.template);
    if (!database) return;
    try {
      await this.config.apply(urls.withDatabase(this.homeUrl, database));
    } catch (error) {
      await this.ask('SELECT testpool.discard($1, $2)', this.hash, error.message.slice(0, 900));
      throw error;
    }
    await this.ask('SELECT testpool.finalize($1)', this.hash);
  }

  async start() {
    await this.connect();
    await this.build();
    await this.enter();
  }

  /** Leases the clone of our name for the home session: the lease lasts as long as that. */
  async enter() {
    const visitor = new Client({ connectionString: this.url });
    await visitor.connect();
    await this.ask('SELECT testpool.renew($1)', this.name);
    await visitor.end();
  }

  /** One more database, as { name, url }. It waits in a session of its own: another test may have to release first. */
  async acquire() {
    const session = this.session();
    await session.connect();
    try {
      const { rows: [{ name }] } = await session.query('SELECT testpool.acquire($1) AS name', [this.hash]);
      return { name, url: urls.withDatabase(this.homeUrl, name), session };
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  /** The same, until the test ends. */
  async acquireForTest() {
    const clone = await this.acquire();
    this.clones.push(clone);
    return clone;
  }

  async release(clone) {
    if (!clone.kept) await clone.session.query('SELECT testpool.release($1)', [clone.name]);
    await clone.session.end();
  }

  /** Keeps a failed test's database; returns what the report says, or '' if enough are kept. */
  async keep(test, clone = this) {
    if (clone.kept) return '';
    try {
      const { url, changes } = await this.ask('SELECT url, changes FROM testpool.keep_failed($1, $2, $3, $4)',
        clone.name, test, this.run, Number(process.env.TESTPOOL_KEEP || 3));
      clone.kept = url;
      return url ? `testpool: kept: ${url}\nthe test's changes:\n  ${changes.replaceAll('\n', '\n  ')}` : '';
    } catch (error) {
      return `testpool: not kept: ${error.message}`;
    }
  }

  async rewind() {
    await this.ask('SELECT testpool.rewind($1)', this.name);
  }

  /** Our database is as the template for the next test, and its connections stay, but those to what is kept. */
  async renew() {
    for (const clone of this.clones.splice(0)) await this.release(clone);
    if (!this.kept) {
      await this.rewind();
      return;
    }
    await this.ask('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', urls.databaseOf(this.kept));
    this.kept = null;
    await this.enter();
  }

  async end() {
    if (!this.home) return;
    for (const clone of this.clones.splice(0)) await this.release(clone);
    if (!this.kept) await this.ask('SELECT testpool.release($1)', this.name);
    await this.home.end();
  }
}

module.exports = { Worker, CURRENT };
