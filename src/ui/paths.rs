//! Paths as people type them, on their way to the node.
//!
//! The node may be another process with another working directory, so every path goes to it absolute; and no shell has
//! seen what was typed, so `~/` is ours to read.

use std::path::{Path, PathBuf};

use crate::node::api::Request;

/// The request with its paths made absolute.
pub fn resolved(request: Request) -> Request {
    match request {
        Request::CardAdd { paths, at } => {
            Request::CardAdd { paths: paths.iter().map(|path| absolute(path)).collect(), at }
        }
        Request::CardExport { path } => Request::CardExport { path: absolute(&path) },
        Request::PacsListen(mut listen) => {
            if let Some(tls) = &mut listen.tls {
                for path in [&mut tls.certificates, &mut tls.key].into_iter().chain(&mut tls.authorities) {
                    *path = absolute(path);
                }
            }
            Request::PacsListen(listen)
        }
        other => other,
    }
}

fn absolute(typed: &Path) -> PathBuf {
    let home = directories::UserDirs::new().map(|user| user.home_dir().to_owned());
    let path = from_home(typed, home.as_deref());
    // What cannot be made absolute is refused by the node with the words the person typed.
    std::path::absolute(&path).unwrap_or(path)
}

fn from_home(typed: &Path, home: Option<&Path>) -> PathBuf {
    match (typed.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_alone_is_the_home_and_no_part_of_a_name() {
        let home = Some(Path::new("/home/weber"));
        for (typed, expected) in [
            ("~/my.card", "/home/weber/my.card"),
            ("~", "/home/weber/"),
            ("~weber/my.card", "~weber/my.card"),
            ("cards/~/x", "cards/~/x"),
            ("/tmp/my.card", "/tmp/my.card"),
        ] {
            assert_eq!(from_home(Path::new(typed), home), Path::new(expected), "{typed}");
        }
        assert_eq!(from_home(Path::new("~/my.card"), None), Path::new("~/my.card"));
    }
}
