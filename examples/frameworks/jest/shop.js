const { Pool } = require('pg');

const pool = new Pool({ connectionString: process.env.DATABASE_URL });
pool.on('error', () => {});

exports.add = (name) => pool.query('INSERT INTO item (name) VALUES ($1)', [name]);
exports.names = async () => (await pool.query('SELECT name FROM item ORDER BY id')).rows.map((row) => row.name);
exports.close = () => pool.end();
