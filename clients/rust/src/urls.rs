//! Connection URIs: where the home database is, and the same server with another database.

use crate::Error;

/// `TESTPOOL_URL`, else libpq's variables.
pub fn home(variable: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(url) = set("TESTPOOL_URL") {
        let parts = Parts::of(&url)?;
        return Ok(if parts.database.is_empty() { with_database(&url, "postgres")? } else { url });
    }
    let or = |name, otherwise: &str| set(name).unwrap_or_else(|| otherwise.to_string());
    let user = set("PGUSER").or_else(|| set("USER")).unwrap_or_else(|| "postgres".to_string());
    let password = set("PGPASSWORD").map(|password| format!(":{}", encoded(&password))).unwrap_or_default();
    let login = encoded(&user) + &password;
    let (hosts, ports, database) = (or("PGHOST", "localhost"), or("PGPORT", "5432"), encoded(&or("PGDATABASE", "postgres")));
    if hosts.starts_with('/') {
        return Ok(format!("postgresql://{login}@localhost/{database}?host={}&port={ports}", encoded(&hosts)));
    }
    Ok(format!("postgresql://{login}@{}/{database}", with_ports(&hosts, &ports)))
}

/// Several hosts have a port each, or one for all, as in libpq.
fn with_ports(hosts: &str, ports: &str) -> String {
    let ports: Vec<_> = ports.split(',').collect();
    let each = hosts.split(',').enumerate().map(|(i, host)| {
        let port = ports.get(i).unwrap_or(&ports[0]);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    });
    each.collect::<Vec<_>>().join(",")
}

pub fn with_database(url: &str, database: &str) -> Result<String, Error> {
    let Parts { authority, query, .. } = Parts::of(url)?;
    Ok(format!("postgresql://{authority}/{}{query}", encoded(database)))
}

pub fn without_password(url: &str) -> String {
    let Ok(Parts { authority, database, query }) = Parts::of(url) else { return String::new() };
    let login = authority.rsplit_once('@').map(|(login, hosts)| (login.split(':').next().unwrap_or(login), hosts));
    let authority = login.map_or(authority.to_string(), |(user, hosts)| format!("{user}@{hosts}"));
    format!("postgresql://{authority}/{database}{query}")
}

pub fn no_server(url: &str, why: &str) -> Error {
    Error(format!(
        "no PostgreSQL server at {}: {why}\nSet TESTPOOL_URL, or PGHOST, PGPORT and PGUSER, to a server that has testpool.",
        without_password(url)
    ))
}

struct Parts<'a> {
    authority: &'a str,
    database: &'a str,
    query: &'a str, // with its question mark
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, Error> {
        let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"));
        let rest = rest.ok_or_else(|| Error("TESTPOOL_URL is no postgresql:// URI".to_string()))?;
        let (address, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, database) = address.split_once('/').unwrap_or((address, ""));
        Ok(Self { authority, database, query })
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_of(set: &[(&str, &str)]) -> String {
        home(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())).unwrap()
    }

    #[test]
    fn connection_uris() {
        assert_eq!(home_of(&[("TESTPOOL_URL", "postgres://a@h1:1,h2:2")]), "postgresql://a@h1:1,h2:2/postgres");
        assert_eq!(
            home_of(&[("PGHOST", "::1"), ("PGUSER", "a b"), ("PGPASSWORD", "p@")]),
            "postgresql://a%20b:p%40@[::1]:5432/postgres"
        );
        assert_eq!(
            home_of(&[("PGHOST", "h1,h2"), ("PGPORT", "5433"), ("PGUSER", "a")]),
            "postgresql://a@h1:5433,h2:5433/postgres"
        );
        assert_eq!(with_database("postgresql://a@h/x?sslmode=require", "s~1").unwrap(), "postgresql://a@h/s~1?sslmode=require");
        assert_eq!(without_password("postgresql://a:b@h/x"), "postgresql://a@h/x");
        assert!(home(|_| Some("host=x".to_string())).is_err());
    }
}
