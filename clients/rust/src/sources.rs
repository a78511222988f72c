//! The files that a template is made of, in the order of their names, which are paths below their folder.

use crate::Error;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct Sources(pub BTreeMap<String, PathBuf>);

impl Sources {
    pub fn of<'a>(places: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let mut sources = Self::default();
        for place in places {
            let name = if place.is_dir() { String::new() } else { name_of(place) };
            sources.add(place, &name).map_err(|error| Error(format!("{}: {error}", place.display())))?;
        }
        Ok(sources)
    }

    fn add(&mut self, place: &Path, name: &str) -> std::io::Result<()> {
        if !place.is_dir() {
            place.metadata()?;
            self.0.insert(name.to_string(), place.to_path_buf());
            return Ok(());
        }
        for entry in place.read_dir()? {
            let path = entry?.path();
            let below = if name.is_empty() { name_of(&path) } else { format!("{name}/{}", name_of(&path)) };
            self.add(&path, &below)?;
        }
        Ok(())
    }

    pub fn ending(mut self, suffix: &str) -> Self {
        self.0.retain(|name, _| name.ends_with(suffix));
        self
    }

    /// Over the tool, names, sizes and contents, and not over the place where they lie.
    pub fn hash(&self, tool: &str) -> Result<String, Error> {
        let mut digest = Sha256::new();
        digest.update(tool);
        for (name, path) in &self.0 {
            let contents = std::fs::read(path).map_err(|error| Error(format!("{}: {error}", path.display())))?;
            digest.update(format!("\0{name}\0{}\0", contents.len()));
            digest.update(contents);
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(files: &[(&str, &str)]) -> String {
        let id = std::process::id();
        let thread = format!("{:?}", std::thread::current().id());
        let folder = std::env::temp_dir().join(format!("testpool-{id}-{thread}"));
        for (name, contents) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        let hash = Sources::of([folder.as_path()]).unwrap().hash("sql").unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        hash
    }

    #[test]
    fn the_hash_is_of_names_and_contents() {
        let first = hash(&[("a", "1"), ("x/b", "2")]);
        assert_eq!(first, hash(&[("x/b", "2"), ("a", "1")]));
        assert_ne!(first, hash(&[("a", "12"), ("x/b", "")]));
        assert_ne!(first, hash(&[("a", "1"), ("x/c", "2")]));
        assert!(Sources::of([Path::new("/nowhere")]).is_err());
    }
}
