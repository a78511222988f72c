// What builds the template: testpool.config.{js,mjs,cjs}, else the key "testpool" of package.json.
//
//   migrations   a folder of .sql files, or a file
//   migrate      instead: a shell command that is run with DATABASE_URL, or async (url) => …
//   files        what `migrate` reads: files and folders; the template is built again when they change
//   project      what the template's name begins with; default: the package's name
//   env          the variable that the application reads; default: DATABASE_URL

const { createHash } = require('node:crypto');
const { exec } = require('node:child_process');
const { existsSync, readFileSync, readdirSync, statSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { promisify } = require('node:util');

exports.load = async function (folder) {
  folder = rootOf(folder);
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  let config = manifest.testpool;
  for (const name of ['testpool.config.js', 'testpool.config.mjs', 'testpool.config.cjs']) {
    const file = path.join(folder, name);
    if (existsSync(file)) {
      config = name.endsWith('.mjs') || (name.endsWith('.js') && manifest.type === 'module')
        ? (await import(pathToFileURL(file))).default : require(file);
      config = { ...config, files: [...(config.files ?? []), name] };
    }
  }
  if (!config) throw new Error(`testpool: say what builds the template: "testpool": {"migrations": "migrations"} in ${folder}/package.json`);
  return { env: 'DATABASE_URL', project: manifest.name ?? path.basename(folder), ...config, ...recipe(folder, config) };
};

function rootOf(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at;
    if (at === path.dirname(at)) throw new Error(`testpool: there is no package.json above ${folder}`);
  }
}

/** The files that the hash is made of, and how they are applied. */
function recipe(folder, { migrations, migrate, files = [] }) {
  const more = files.flatMap((each) => filesOf(path.join(folder, each), each));
  if (migrate) {
    if (!more.length) throw new Error('testpool: "files" must name what "migrate" reads: the template is built again when it changes');
    return typeof migrate === 'function'
      ? { tool: `function ${migrate}`, ingredients: more, apply: migrate }
      : { tool: migrate, ingredients: more, apply: (url) => command(migrate, folder, url) };
  }
  if (!migrations) throw new Error('testpool: neither "migrations" nor "migrate" is set');
  const scripts = filesOf(path.join(folder, migrations), '.').filter(([name]) => name.endsWith('.sql'));
  if (!scripts.length) throw new Error(`testpool: there is no .sql file in ${path.join(folder, migrations)}`);
  return { tool: 'sql', ingredients: [...scripts, ...more], apply: (url) => runScripts(scripts, url) };
}

function filesOf(place, name) {
  if (!existsSync(place)) throw new Error(`testpool: there is no ${place}`);
  if (!statSync(place).isDirectory()) return [[name === '.' ? path.basename(place) : name, place]];
  return readdirSync(place).sort().filter((each) => each !== 'node_modules')
    .flatMap((each) => filesOf(path.join(place, each), path.posix.join(name, each)));
}

async function runScripts(scripts, url) {
  const { Client } = require('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const [name, place] of scripts) {
      await client.query(readFileSync(place, 'utf8')).catch((error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    await client.end();
  }
}

async function command(text, folder, url) {
  const { databaseOf } = require('./urls.cjs');
  const env = { ...process.env, DATABASE_URL: url, PGDATABASE: databaseOf(url) };
  delete env.NODE_OPTIONS;
  await promisify(exec)(text, { cwd: folder, env }).catch((error) => {
    throw new Error(`${text}: exit status ${error.code}\n${error.stdout ?? ''}${error.stderr ?? ''}`.trim());
  });
}

exports.hashOf = function ({ project, tool, ingredients }) {
  const digest = createHash('sha256').update(`${project}\0${tool}`);
  for (const [name, place] of ingredients) {
    const contents = readFileSync(place);
    digest.update(`\0${name}\0${contents.length}\0`).update(contents);
  }
  return digest.digest('hex');
};
