const { useDatabase } = require('./database');

const own = useDatabase();

test.each(['pear', 'plum', 'fig', 'date'])('finds the template and its own rows: %s', async (name) => {
  await own.db.query("INSERT INTO item (name) VALUES ($1), ('shared')", [name]);
  const { rows } = await own.db.query('SELECT name FROM item ORDER BY id');
  expect(rows.map((row) => row.name)).toEqual(['apple', name, 'shared']);
});
