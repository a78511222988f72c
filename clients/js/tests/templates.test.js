// What builds a template, what its hash is made of, and what is said when something is missing.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { SCHEMA, project, query, run, vitest } from './project.js';

const require = createRequire(import.meta.url);
const { load, hashOf } = require('../src/config.cjs');
const urls = require('../src/urls.cjs');

const RUNNER = {
  'vitest.config.js': "export default { test: { globalSetup: 'testpool/vitest/run', setupFiles: ['testpool/vitest'], globals: true } };",
  'x.test.js': `import pg from 'pg';
    test('x', async () => {
      const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
      await client.connect();
      expect((await client.query('SELECT name FROM item')).rows).toEqual([]);
      await client.end();
    });`,
};

async function passes(t, files) {
  const { status, output } = await run(project(t, { ...RUNNER, ...files }), vitest);
  assert.equal(status, 0, output);
}

async function says(t, files, words, environment) {
  const { status, output } = await run(project(t, { ...RUNNER, ...files }), vitest, environment);
  assert.equal(status, 1, output);
  assert.match(output, words);
  return output;
}

const manifest = (testpool) => ({ 'package.json': { name: 'shop', type: 'module', ...(testpool && { testpool }) } });

test('Knex builds', (t) => passes(t, {
  ...manifest({ migrate: 'node node_modules/knex/bin/cli.js --knexfile knexfile.cjs migrate:latest', files: ['migrations', 'knexfile.cjs'] }),
  'knexfile.cjs': "module.exports = { client: 'pg', connection: process.env.DATABASE_URL };",
  'migrations/1_item.cjs': "exports.up = (knex) => knex.schema.createTable('item', (t) => t.text('name')); exports.down = () => {};",
}));

test('a function builds', (t) => passes(t, {
  ...manifest(),
  'testpool.config.js': `import pg from 'pg';
    export default { files: ['schema.sql'], migrate: async (url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('CREATE TABLE item (name text)');
      await client.end();
    } };`,
  'schema.sql': 'x',
}));

test("Prisma's and Drizzle's files build", (t) => passes(t, {
  ...manifest({ migrations: 'prisma/migrations' }),
  'prisma/migrations/20240101_init/migration.sql': '-- CreateTable\nCREATE TABLE item (id int);\n--> statement-breakpoint\nDROP TABLE item;',
  'prisma/migrations/20240102_name/migration.sql': 'CREATE TABLE item (name text);',
  'prisma/migrations/migration_lock.toml': 'provider = "postgresql"',
}));

test('a failed migration is told, and its template discarded with the reason', async (t) => {
  await says(t, { ...manifest({ migrations: 'migrations' }), ...SCHEMA, 'migrations/3.sql': 'CREATE TABLE item ()' },
    /3\.sql: relation "item" already exists/);
  const [{ told }] = await query(null, `SELECT bool_or(reason LIKE '3.sql: relation "item"%') AS told FROM testpool.templates`);
  assert.equal(told, true);
});

test('what is missing is told', async (t) => {
  const files = { ...manifest({ migrations: 'migrations' }), ...SCHEMA };
  const output = await says(t, files, /no PostgreSQL server at postgresql:\/\/a@127\.0\.0\.1:1\/postgres/,
    { TESTPOOL_URL: 'postgresql://a:secret@127.0.0.1:1/postgres' });
  assert.doesNotMatch(output, /secret/);
  await says(t, files, /CREATE EXTENSION testpool/, { PGDATABASE: 'template1' });
  await says(t, manifest(), /say what builds the template/);
  await says(t, manifest({ migrate: 'true' }), /"files" must name/);
  await says(t, { ...manifest({ migrate: 'echo no way; exit 3', files: ['package.json'] }) }, /exit status 3\s+no way/);
});

test('the hash is of names and contents and not of the place', async (t) => {
  const hash = async (files) => hashOf(await load(project(t, { ...manifest({ migrations: 'm' }), ...files })));
  const first = await hash({ 'm/a.sql': '1', 'm/b.sql': '2' });
  assert.equal(await hash({ 'm/a.sql': '1', 'm/b.sql': '2', 'm/c.txt': '3' }), first);
  assert.notEqual(await hash({ 'm/a.sql': '12', 'm/b.sql': '' }), first);
  assert.notEqual(await hash({ 'm/a.sql': '1', 'm/c.sql': '2' }), first);
});

test('connection URIs', () => {
  assert.equal(urls.homeUrl({ TESTPOOL_URL: 'postgres://a@h' }), 'postgresql://a@h/postgres');
  assert.equal(urls.homeUrl({ PGHOST: '::1', PGUSER: 'a b', PGPASSWORD: 'p@' }), 'postgresql://a%20b:p%40@[::1]:5432/postgres');
  assert.equal(urls.withDatabase('postgresql://a@h/x?sslmode=require', 's~1'), 'postgresql://a@h/s~1?sslmode=require');
  assert.equal(urls.withoutPassword('postgresql://a:b@h/x'), 'postgresql://a@h/x');
  assert.equal(urls.databaseOf('postgresql://a@h/s~%C3%A4'), 's~ä');
});

test('the types are those of the code', () => {
  const ts = require('typescript');
  const file = path.join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'types.ts');
  const program = ts.createProgram([file], { strict: true, noEmit: true, module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022, skipLibCheck: true, types: [] });
  const wrong = ts.getPreEmitDiagnostics(program).map((each) => ts.flattenDiagnosticMessageText(each.messageText, '\n'));
  assert.deepEqual(wrong, []);
});
