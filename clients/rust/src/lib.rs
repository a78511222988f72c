//! Gives every test a real PostgreSQL database that is as the migrations made it, from the pool of a server
//! that has the extension testpool.
//!
//! ```ignore
//! #[testpool::test]
//! async fn refunds(pool: sqlx::PgPool) -> sqlx::Result<()> { … }
//! ```
//!
//! | argument | |
//! | --- | --- |
//! | `migrations = "migrations"` | a folder of sqlx's migrations, with feature `sqlx`; else as `sql`. The default |
//! | `sql = "schema"` | a folder whose `.sql` files run by name, each in a transaction; or a file |
//! | `migrate = path::to::function, files = ["…"]` | `fn(url: &str) -> Result<(), impl Display>`; the template is built again when one of the files changes |

#[cfg(not(any(feature = "sqlx", feature = "tokio-postgres")))]
compile_error!("testpool needs a driver: its feature \"sqlx\" or \"tokio-postgres\"");

mod arguments;
mod database;
mod run;
mod sources;
mod template;
mod urls;

#[cfg(feature = "tokio-postgres")]
#[path = "session_tokio_postgres.rs"]
mod session;
#[cfg(all(feature = "sqlx", not(feature = "tokio-postgres")))]
#[path = "session_sqlx.rs"]
mod session;

pub use arguments::FromDatabase;
pub use database::Database;
pub use testpool_macros::test;

/// What went wrong, in words.
#[derive(Debug, Clone)]
pub struct Error(String);

impl Error {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// For the attribute.
#[doc(hidden)]
pub mod __private {
    pub use crate::run::{run, run_async, Spec};
    pub use crate::template::Build;
}
