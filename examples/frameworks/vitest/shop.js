import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
pool.on('error', () => {});

export const add = (name) => pool.query('INSERT INTO item (name) VALUES ($1)', [name]);
export const names = async () => (await pool.query('SELECT name FROM item ORDER BY id')).rows.map((row) => row.name);
export const close = () => pool.end();
