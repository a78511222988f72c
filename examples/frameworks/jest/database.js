// `useDatabase()` in a test file gives each of its tests a database of its own.
const { Client } = require('pg');

const hash = process.env.SCHEMA_HASH;

exports.useDatabase = function () {
  const test = {};
  let home, name;

  beforeAll(async () => {
    home = new Client({ database: 'postgres' });
    await home.connect();
  });

  beforeEach(async () => {
    const answer = await home.query('SELECT testpool.acquire($1) AS name', [hash]);
    name = answer.rows[0].name;
    test.db = new Client({ database: name });
    await test.db.connect();
  });

  afterEach(async () => {
    await test.db.end();
    await home.query('SELECT testpool.release($1)', [name]);
  });

  afterAll(() => home.end());
  return test;
};
