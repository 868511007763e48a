//! What is in Reef's own image: the program, the libraries that it is linked to, the authorities that it trusts, and a user who is not root.
//!
//! Nothing to log in with and nothing to run beside it: no shell, no package manager.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::layer::Layer;

/// Where the program is, and what the image runs.
pub const PROGRAM: &str = "/usr/bin/reef";
/// Who runs it where nobody says otherwise: the number that images without a shell have made usual for this.
pub const USER: u64 = 65_532;
/// The certificates that Debian keeps, and where OpenSSL and rustls look for them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The files of the image around a program.
///
/// # Errors
/// What is missing on this machine.
pub fn reef(program: &Path) -> Result<Layer> {
    ensure!(Path::new(AUTHORITIES).is_file(), "{AUTHORITIES} is missing: on Debian, apt-get install ca-certificates");
    let mut layer = Layer::default();
    layer.program(Path::new(PROGRAM), program);
    for library in libraries(&[program])? {
        // The loader is a program too.
        layer.program(&library, &library);
    }
    layer
        .file(Path::new(AUTHORITIES), Path::new(AUTHORITIES))
        .text("/etc/passwd", &format!("root:x:0:0:root:/:/\nreef:x:{USER}:{USER}:reef:/:/\n"))
        .text("/etc/group", &format!("root:x:0:\nreef:x:{USER}:\n"))
        // Where the controller keeps clones, unless it is told another place.
        .folder("/var/cache/reef", USER);
    Ok(layer)
}

/// The shared libraries of programs, by the dynamic linker's own word.
///
/// # Errors
/// A program cannot be read, or a library is missing.
pub fn libraries(programs: &[&Path]) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").args(programs).stdin(Stdio::null()).output().context("ldd cannot be run")?;
    ensure!(output.status.success(), "ldd: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(!text.contains("not found"), "a library is missing: {text}");
    let words = text.lines().filter(|line| line.starts_with('\t')).flat_map(str::split_whitespace);
    Ok(words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_brings_its_loader_and_its_libraries() {
        let libraries = libraries(&[Path::new("/bin/ls")]).unwrap();
        let named = |part: &str| libraries.iter().any(|library| library.display().to_string().contains(part));
        assert!(named("libc.so") && named("ld-linux"), "{libraries:?}");
    }

    #[test]
    fn a_file_that_is_no_program_is_told() {
        assert!(libraries(&[Path::new("/etc/passwd")]).is_err());
    }
}
