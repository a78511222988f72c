//! A session, by tokio-postgres.

use crate::{urls, Error};
use tokio_postgres::{Client, NoTls};

pub struct Session(Client);

impl Session {
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.map_err(|error| urls::no_server(url, &told(&error)))?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    /// The first row of the answer, as text.
    pub async fn ask(&self, sql: &str, values: &[&str]) -> Result<Vec<Option<String>>, Error> {
        let values: Vec<_> = values.iter().map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
        let row = self.0.query_one(sql, &values).await.map_err(|error| Error(told(&error)))?;
        (0..row.len()).map(|i| row.try_get(i).map_err(Error::new)).collect()
    }

    pub async fn script(&self, sql: &str) -> Result<(), Error> {
        self.0.batch_execute(sql).await.map_err(|error| Error(told(&error)))
    }
}

/// The server's own words, or what kept us from it.
fn told(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(server), _) => server.to_string(),
        (_, Some(source)) => source.to_string(),
        _ => error.to_string(),
    }
}
