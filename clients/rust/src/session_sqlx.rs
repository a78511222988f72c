//! A session, by sqlx.

use crate::{urls, Error};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::sync::Mutex;

pub struct Session(Mutex<PgConnection>);

impl Session {
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let connection = PgConnection::connect(url).await.map_err(|error| urls::no_server(url, &told(error)))?;
        Ok(Self(Mutex::new(connection)))
    }

    /// The first row of the answer, as text.
    pub async fn ask(&self, sql: &str, values: &[&str]) -> Result<Vec<Option<String>>, Error> {
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind(*value);
        }
        let row = query.fetch_one(&mut *self.0.lock().await).await.map_err(|error| Error(told(error)))?;
        (0..row.len()).map(|i| row.try_get(i).map_err(Error::new)).collect()
    }

    pub async fn script(&self, sql: &str) -> Result<(), Error> {
        self.0.lock().await.execute(sqlx::raw_sql(sql)).await.map(drop).map_err(|error| Error(told(error)))
    }
}

/// The server's own words, or what kept us from it.
fn told(error: sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => format!("ERROR: {}", error.message()),
        sqlx::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
