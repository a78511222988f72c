//! A leased database, which ends with its test.

use crate::session::Session;
use crate::{urls, Error};
use std::sync::{Arc, Mutex};

/// A database that is as its template. It is the test's until that has ended.
#[derive(Clone)]
pub struct Database(Arc<Lease>);

struct Lease {
    name: String,
    url: String,
    hash: String,
    home_url: String,
    home: Session, // the lease lasts as long as it
    more: Mutex<Vec<Database>>,
}

impl Database {
    pub(crate) async fn lease(home: Session, home_url: &str, hash: &str) -> Result<Self, Error> {
        let name = home.ask("SELECT testpool.acquire($1)::text", &[hash]).await?.remove(0).unwrap_or_default();
        let url = urls::with_database(home_url, &name)?;
        let (hash, home_url) = (hash.to_string(), home_url.to_string());
        Ok(Self(Arc::new(Lease { name, url, hash, home_url, home, more: Mutex::default() })))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its connection URI.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Makes it as the template again in the middle of a test. Connections to it stay.
    pub async fn rewind(&self) -> Result<(), Error> {
        self.0.home.ask("SELECT testpool.rewind($1)::text", &[self.name()]).await.map(drop)
    }

    /// One more database of the same template.
    pub async fn acquire(&self) -> Result<Database, Error> {
        let home = Session::connect(&self.0.home_url).await?;
        let another = Self::lease(home, &self.0.home_url, &self.0.hash).await?;
        self.0.more.lock().unwrap().push(another.clone());
        Ok(another)
    }

    pub(crate) fn with_more(&self) -> Vec<Database> {
        let mut all = vec![self.clone()];
        for each in self.0.more.lock().unwrap().iter() {
            all.extend(each.with_more());
        }
        all
    }

    pub(crate) async fn release(&self) -> Result<(), Error> {
        self.0.home.ask("SELECT testpool.release($1)::text", &[self.name()]).await.map(drop)
    }

    /// Leaves it for a person; returns the lines of a report, or none if enough are kept of the run.
    pub(crate) async fn keep(&self, test: &str, run: &str, at_most: u32) -> Result<Option<String>, Error> {
        let sql = "SELECT url, changes FROM testpool.keep_failed($1, $2, $3, $4::text::integer)";
        let row = self.0.home.ask(sql, &[self.name(), test, run, &at_most.to_string()]).await?;
        let [Some(url), Some(changes)] = row.as_slice() else { return Ok(None) };
        Ok(Some(format!("testpool: kept: {url}\nthe test's changes:\n  {}", changes.replace('\n', "\n  "))))
    }
}
