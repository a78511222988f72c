use postgres::{Client, Config, Error, NoTls};

fn connect(database: &str) -> Result<Client, Error> {
    let server: Config = std::env::var("TEST_SERVER").expect("TEST_SERVER").parse()?;
    server.clone().dbname(database).connect(NoTls)
}

/// A database of its own; the lease ends when it is dropped.
pub struct TestDatabase {
    home: Client,
    name: String,
    pub db: Client,
}

impl TestDatabase {
    pub fn acquire() -> Result<Self, Error> {
        let hash = std::env::var("SCHEMA_HASH").expect("SCHEMA_HASH");
        let mut home = connect("postgres")?;
        let name: String = home.query_one("SELECT testpool.acquire($1)", &[&hash])?.get(0);
        let db = connect(&name)?;
        Ok(Self { home, name, db })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.home.execute("SELECT testpool.release($1)", &[&self.name]) {
            eprintln!("release of {}: {error}", self.name);
        }
    }
}
