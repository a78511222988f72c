//! What a test may take as an argument.

use crate::{Database, Error};
use std::future::Future;

/// An argument of a test: a connection, or what connects, to the test's database.
pub trait FromDatabase: Sized {
    fn from_database(database: &Database) -> impl Future<Output = Result<Self, Error>>;
}

impl FromDatabase for Database {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        Ok(database.clone())
    }
}

#[cfg(feature = "sqlx")]
impl FromDatabase for sqlx::PgPool {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        sqlx::PgPool::connect(database.url()).await.map_err(Error::new)
    }
}

#[cfg(feature = "sqlx")]
impl FromDatabase for sqlx::postgres::PgConnectOptions {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        database.url().parse().map_err(Error::new)
    }
}

#[cfg(feature = "sqlx")]
impl FromDatabase for sqlx::postgres::PgPoolOptions {
    async fn from_database(_: &Database) -> Result<Self, Error> {
        Ok(Self::new())
    }
}

#[cfg(feature = "sqlx")]
impl FromDatabase for sqlx::PgConnection {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        <Self as sqlx::Connection>::connect(database.url()).await.map_err(Error::new)
    }
}

#[cfg(feature = "tokio-postgres")]
impl FromDatabase for tokio_postgres::Config {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        database.url().parse().map_err(Error::new)
    }
}

#[cfg(feature = "tokio-postgres")]
impl FromDatabase for tokio_postgres::Client {
    async fn from_database(database: &Database) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls).await.map_err(Error::new)?;
        tokio::spawn(connection);
        Ok(client)
    }
}
