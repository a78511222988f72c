// Pools of node-postgres and knex that stay open over fifty rewinds each. Neither has a listener for
// errors: a lost connection would end the program.
import assert from 'node:assert';
import knex from 'knex';
import pg from 'pg';

const url = process.env.DATABASE_URL;
const ddl = ["ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'", 'CREATE TABLE other (a int)',
  'TRUNCATE item', 'DROP TABLE item'];

const pool = new pg.Pool({ connectionString: url, max: 4 });
for (let round = 0; round < 50; round++) {
  await Promise.all(Array.from({ length: 20 }, (_, i) =>
    pool.query({ name: 'insert', text: 'INSERT INTO item (name) VALUES ($1)', values: [`item ${i}`] })));
  const { rows } = await pool.query({ name: 'count', text: 'SELECT count(*)::int AS n FROM item WHERE m = $1', values: ['sad'] });
  assert.equal(rows[0].n, 120);
  await pool.query(ddl[round % ddl.length]);
  await pool.query('SET testpool.rewind = now');
  assert.equal((await pool.query({ name: 'max', text: 'SELECT max(id) AS n FROM item' })).rows[0].n, 100);
}
await pool.end();
console.log('node-postgres: 50 tests on one pool');

const db = knex({ client: 'pg', connection: url, pool: { min: 2, max: 4 } });
for (let round = 0; round < 50; round++) {
  await Promise.all(Array.from({ length: 20 }, (_, i) => db('item').insert({ name: `item ${i}` })));
  assert.equal(Number((await db('item').count('* as n'))[0].n), 120);
  await db.raw(ddl[round % ddl.length]);
  await db.raw('SET testpool.rewind = now');
  assert.equal(Number((await db('item').count('* as n'))[0].n), 100);
}
await db.destroy();
console.log('knex: 50 tests on one pool');
