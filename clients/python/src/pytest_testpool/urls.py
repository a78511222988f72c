"""Connection URIs: where the home database is, and the same server with another database."""

import os
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit


def home_url(environ=os.environ):
    """TESTPOOL_URL, else libpq's variables."""
    if url := environ.get("TESTPOOL_URL"):
        return url if urlsplit(url).path.strip("/") else with_database(url, "postgres")
    user = quote(environ.get("PGUSER") or environ.get("USER") or "postgres", safe="")
    if password := environ.get("PGPASSWORD"):
        user += ":" + quote(password, safe="")
    host, port = environ.get("PGHOST") or "localhost", environ.get("PGPORT") or "5432"
    database = quote(environ.get("PGDATABASE") or "postgres", safe="")
    if host.startswith("/"):
        return f"postgresql://{user}@/{database}?{urlencode({'host': host, 'port': port})}"
    return f"postgresql://{user}@{netloc(host, port)}/{database}"


def netloc(hosts, ports):
    """Several hosts have a port each, or one for all, as in libpq."""
    hosts, ports = hosts.split(","), ports.split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in zip(hosts, ports))


def with_database(url, database, **parameters):
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    query.pop("dbname", None)
    return urlunsplit((parts.scheme, parts.netloc, "/" + quote(database, safe="~"), urlencode(query, quote_via=quote), ""))


def database_of(url):
    return unquote(urlsplit(url).path[1:])


def without_password(url):
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + hosts))


def for_sqlalchemy(url, driver):
    """The same for create_engine(): several hosts stand in the query there."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    query = parts.query
    if "," in hosts:
        query = "&".join(filter(None, [*(f"host={host}" for host in hosts.split(",")), query]))
        hosts = ""
    return urlunsplit((f"postgresql+{driver}", user + at + hosts, parts.path, query, ""))
