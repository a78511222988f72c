// A project of a user in a folder of its own, with this package installed, and what its test runner says.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const own = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

export const SCHEMA = {
  'migrations/1.sql': 'CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);',
  'migrations/2.sql': "INSERT INTO item (name) VALUES ('apple'); SELECT 1;",
};

export function project(t, files) {
  const folder = mkdtempSync(path.join(tmpdir(), 'testpool-js-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const modules = path.join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(path.join(own, 'node_modules'))) {
    symlinkSync(path.join(own, 'node_modules', name), path.join(modules, name));
  }
  for (const each of ['src', 'package.json']) {
    cpSync(path.join(own, each), path.join(modules, 'testpool', each), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), typeof text === 'string' ? text : JSON.stringify(text));
  }
  return folder;
}

/** Runs a program of node_modules/.bin; resolves to { status, output }. */
export function run(folder, [program, ...args], environment = {}) {
  const env = { ...process.env, CI: '1', NO_COLOR: '1', FORCE_COLOR: '0', ...environment };
  delete env.NODE_TEST_CONTEXT;
  return new Promise((resolve) => {
    execFile(process.execPath, [path.join('node_modules', program), ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, output: stdout + stderr }));
  });
}

export const vitest = ['vitest/vitest.mjs', 'run'];
export const jest = ['jest/bin/jest.js'];

export async function query(url, sql, values) {
  const client = new pg.Client(url ? { connectionString: url } : {});
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** The URLs of what a report says is kept. */
export const keptIn = (output) => [...new Set([...output.matchAll(/kept: (postgresql:\S+)/g)].map((match) => match[1]))];

export const releaseAll = () =>
  query(null, "SELECT testpool.release(database) FROM testpool.databases WHERE state = 'kept'");
