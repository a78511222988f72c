// Connection URIs: where the home database is, and the same server with another database.

/** TESTPOOL_URL, else libpq's variables. */
exports.homeUrl = function (environment = process.env) {
  if (environment.TESTPOOL_URL) {
    const { database } = parts(environment.TESTPOOL_URL);
    return database ? environment.TESTPOOL_URL : exports.withDatabase(environment.TESTPOOL_URL, 'postgres');
  }
  const { PGHOST: host = 'localhost', PGPORT: port = '5432', PGPASSWORD: password } = environment;
  const user = encodeURIComponent(environment.PGUSER || environment.USER || 'postgres');
  const login = password ? `${user}:${encodeURIComponent(password)}` : user;
  const database = encodeURIComponent(environment.PGDATABASE || 'postgres');
  if (host.startsWith('/')) {
    return `postgresql://${login}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`;
  }
  return `postgresql://${login}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
};

exports.withDatabase = function (url, database) {
  const { authority, query } = parts(url);
  return `postgresql://${authority}/${encodeURIComponent(database)}${query}`;
};

exports.databaseOf = (url) => decodeURIComponent(parts(url).database);

exports.withoutPassword = function (url) {
  const { authority, database, query } = parts(url);
  return `postgresql://${authority.replace(/:[^@:]*@/, '@')}/${database}${query}`;
};

function parts(url) {
  const match = /^postgres(?:ql)?:\/\/([^/?]*)(?:\/([^?]*))?(\?.*)?$/.exec(url);
  if (!match) throw new Error('TESTPOOL_URL is no postgresql:// URI');
  return { authority: match[1], database: match[2] ?? '', query: match[3] ?? '' };
}
