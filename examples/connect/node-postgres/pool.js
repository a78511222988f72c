// A node-postgres pool of four connections to DATABASE_URL, with twenty statements at once.
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

await Promise.all(
  Array.from({ length: 20 }, (_, i) => pool.query('INSERT INTO item (name) VALUES ($1)', [`item ${i}`])),
);

const { rows } = await pool.query('SELECT count(*), current_database() AS database FROM item');
console.log(`${rows[0].count} items in ${rows[0].database}`);
await pool.end();
