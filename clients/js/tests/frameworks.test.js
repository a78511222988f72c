// What Vitest's and Jest's tests find, and what is said and left when they fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCHEMA, jest, keptIn, project, query, releaseAll, run, vitest } from './project.js';

const VITEST = {
  ...SCHEMA,
  'package.json': { name: 'shop', type: 'module', testpool: { migrations: 'migrations' } },
  'vitest.config.js': `export default { test: {
    globalSetup: 'testpool/vitest/run', setupFiles: ['testpool/vitest'], globals: true } };`,
  'app.js': `import pg from 'pg';
    export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
    pool.on('error', () => {});
    export const add = async (name) => (await pool.query('INSERT INTO item (name) VALUES ($1) RETURNING id', [name])).rows[0].id;`,
};

const JEST = {
  ...SCHEMA,
  'package.json': { name: 'shop', testpool: { migrations: 'migrations' },
    jest: { globalSetup: 'testpool/jest/run', testEnvironment: 'testpool/jest' } },
  'app.js': `const pg = require('pg');
    exports.pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
    exports.pool.on('error', () => {});
    exports.add = async (name) => (await exports.pool.query('INSERT INTO item (name) VALUES ($1) RETURNING id', [name])).rows[0].id;`,
};

const ITS_OWN = `
  afterAll(() => app.pool.end());
  test.each(['pear', 'plum', 'fig', 'date'])('its own rows: %s', async (name) => {
    await app.pool.query('CREATE TABLE more (a int)');
    expect(await app.add(name)).toBe(2);
  });`;
const FAILING = ITS_OWN.replace('toBe(2)', "toBe(name === 'pear' ? 2 : 9)");

const frameworks = [
  ['Vitest in processes', vitest, VITEST, "import * as app from './app.js';"],
  ['Vitest in threads', [...vitest, '--pool=threads'], VITEST, "import * as app from './app.js';"],
  ['Jest', [...jest, '--workers=2'], JEST, "const app = require('./app.js');"],
];

for (const [name, command, files, head] of frameworks) {
  test(`${name}: tests of several workers find the template, on the application's pool`, async (t) => {
    const folder = project(t, { ...files, 'a.test.js': head + ITS_OWN, 'b.test.js': head + ITS_OWN });
    const { status, output } = await run(folder, command);
    assert.equal(status, 0, output);
    assert.match(output, /8 passed/);
    assert.deepEqual(await query(null, "SELECT database FROM testpool.databases WHERE state IN ('leased', 'kept')"), []);
  });

  test(`${name}: a failed test's database is kept and told, and the next test has another`, async (t) => {
    const folder = project(t, { ...files, 'a.test.js': head + FAILING, 'b.test.js': head + FAILING });
    const { status, output } = await run(folder, command);
    assert.equal(status, 1, output);
    assert.match(output, /2 passed/);
    assert.equal(keptIn(output).length, 3, output);
    assert.match(output, /changed table public\.item: 1 /);
    for (const url of keptIn(output)) {
      assert.match((await query(url, 'SELECT name FROM item WHERE id = 2'))[0].name, /plum|fig|date/);
    }
    await releaseAll();
    const without = await run(folder, command, { TESTPOOL_KEEP: '0' });
    assert.deepEqual(keptIn(without.output), []);
  });
}

test('a test may have more databases, and concurrent ones have one each', async (t) => {
  const folder = project(t, {
    ...VITEST,
    'more.test.js': `
      import pg from 'pg';
      import { acquire, rewind, url } from 'testpool';
      import { test as own } from 'testpool/vitest/test';
      async function add(url) {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        const { rows } = await client.query("INSERT INTO item (name) VALUES ('x') RETURNING id");
        await client.end();
        return rows[0].id;
      }
      test('several', async () => {
        expect(url()).toBe(process.env.DATABASE_URL);
        expect(await add(url())).toBe(2);
        expect(await add((await acquire()).url)).toBe(2);
        await rewind();
        expect(await add(url())).toBe(2);
      });
      for (let i = 0; i < 4; i++) own.concurrent('clone ' + i, async ({ database }) => expect(await add(database.url)).toBe(2));
      own('fails', async ({ database }) => { await add(database.url); expect(1).toBe(2); });`,
  });
  const { output } = await run(folder, vitest);
  assert.match(output, /1 failed \| 5 passed/);
  assert.equal(keptIn(output).length, 2, output);
  await releaseAll();
});

test('Jest: a test may have more databases', async (t) => {
  const folder = project(t, {
    ...JEST,
    'more.test.js': `
      test('several', async () => {
        const worker = globalThis[Symbol.for('testpool.worker')];
        expect((await worker.acquireForTest()).url).not.toBe(process.env.DATABASE_URL);
      });`,
  });
  const { status, output } = await run(folder, jest);
  assert.equal(status, 0, output);
});
