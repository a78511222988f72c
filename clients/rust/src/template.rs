//! Templates: what builds them, and that of all threads and processes that come one does.

use crate::session::Session;
use crate::sources::Sources;
use crate::{urls, Error};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// What the attribute says.
pub enum Build {
    Migrations(&'static str),
    Sql(&'static str),
    Function { name: &'static str, files: &'static [&'static str], migrate: fn(&str) -> Result<(), String> },
}

pub struct Template {
    pub hash: String,
    pub name: String,
}

impl Template {
    pub fn of(project: &str, folder: &Path, build: &Build) -> Result<Self, Error> {
        let label: String =
            project.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(20).collect();
        let (tool, sources) = build.sources(folder)?;
        let hash = sources.hash(&format!("{label}\0{tool}"))?;
        let name = format!("{label}-{}", &hash[..12]);
        Ok(Self { hash, name })
    }
}

impl Build {
    fn sources(&self, folder: &Path) -> Result<(String, Sources), Error> {
        match self {
            #[cfg(feature = "sqlx")]
            Build::Migrations(place) => Ok(("sqlx".to_string(), sql_files(&folder.join(place))?)),
            #[cfg(not(feature = "sqlx"))]
            Build::Migrations(place) => Build::Sql(place).sources(folder),
            Build::Sql(place) => Ok(("sql".to_string(), sql_files(&folder.join(place))?)),
            Build::Function { name, files, .. } => {
                let places: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
                Ok((format!("function {name}"), Sources::of(places.iter().map(PathBuf::as_path))?))
            }
        }
    }

    async fn fill(&self, folder: &Path, url: &str) -> Result<(), Error> {
        match self {
            #[cfg(feature = "sqlx")]
            Build::Migrations(place) => run_sqlx(&folder.join(place), url).await,
            #[cfg(not(feature = "sqlx"))]
            Build::Migrations(place) => run_scripts(&folder.join(place), url).await,
            Build::Sql(place) => run_scripts(&folder.join(place), url).await,
            Build::Function { migrate, .. } => {
                // It may well be one that waits for a runtime of its own.
                let (migrate, url) = (*migrate, url.to_string());
                let done = tokio::task::spawn_blocking(move || migrate(&url)).await;
                done.map_err(|error| Error(format!("the function that migrates has panicked: {error}")))?.map_err(Error)
            }
        }
    }
}

fn sql_files(place: &Path) -> Result<Sources, Error> {
    let sources = Sources::of([place])?.ending(".sql");
    if sources.0.is_empty() {
        return Err(Error(format!("there is no .sql file in {}", place.display())));
    }
    Ok(sources)
}

async fn run_scripts(place: &Path, url: &str) -> Result<(), Error> {
    let session = Session::connect(url).await?;
    for (name, path) in sql_files(place)?.0 {
        let text = std::fs::read_to_string(path).map_err(|error| Error(format!("{name}: {error}")))?;
        session.script(&text).await.map_err(|error| Error(format!("{name}: {error}")))?;
    }
    Ok(())
}

#[cfg(feature = "sqlx")]
async fn run_sqlx(folder: &Path, url: &str) -> Result<(), Error> {
    use sqlx::Connection;
    let migrator = sqlx::migrate::Migrator::new(folder).await.map_err(Error::new)?;
    let mut connection = sqlx::PgConnection::connect(url).await.map_err(Error::new)?;
    migrator.run(&mut connection).await.map_err(Error::new)?;
    connection.close().await.map_err(Error::new)
}

/// Of the threads of this process one asks; what it was told goes for all.
type Known = Mutex<HashMap<String, Arc<OnceCell<Result<(), Error>>>>>;
static KNOWN: std::sync::OnceLock<Known> = std::sync::OnceLock::new();

pub async fn see(template: &Template, build: &Build, folder: &Path, home: &Session, home_url: &str) -> Result<(), Error> {
    let known = KNOWN.get_or_init(Known::default).lock().unwrap().entry(template.hash.clone()).or_default().clone();
    known.get_or_init(|| claim(template, build, folder, home, home_url)).await.clone()
}

async fn claim(template: &Template, build: &Build, folder: &Path, home: &Session, home_url: &str) -> Result<(), Error> {
    home.ask("SELECT set_config('testpool.template_timeout', '10min', false)", &[]).await?;
    let claimed = home.ask("SELECT testpool.init_template($1, name => $2)::text", &[&template.hash, &template.name]).await?;
    let Some(Some(database)) = claimed.into_iter().next() else { return Ok(()) };
    if let Err(error) = build.fill(folder, &urls::with_database(home_url, &database)?).await {
        let reason: String = error.to_string().chars().take(900).collect();
        home.ask("SELECT testpool.discard($1, $2)::text", &[&template.hash, &reason]).await?;
        return Err(Error(format!("the template {} could not be built: {error}", template.name)));
    }
    home.ask("SELECT testpool.finalize($1)::text", &[&template.hash]).await?;
    Ok(())
}
