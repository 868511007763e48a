//! An error in words, with its causes: why a connection cannot be made is said by the last of them alone.

use std::error::Error;
use std::fmt;

/// Displays an error, and each cause whose words it does not hold already: the client's errors repeat theirs, those below it do not.
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        let mut next = self.0.source();
        while let Some(cause) = next {
            let words = cause.to_string();
            if !told.contains(&words) {
                told = format!("{told}: {words}");
            }
            next = cause.source();
        }
        f.write_str(&told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the certificate is bad")]
    struct Bad;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot connect")]
    struct Connect(#[source] Bad);

    #[derive(Debug, thiserror::Error)]
    #[error("failed: {0}")]
    struct Failed(#[source] Connect);

    #[test]
    fn each_cause_is_told_once() {
        assert_eq!(Chain(&Failed(Connect(Bad))).to_string(), "failed: cannot connect: the certificate is bad");
    }
}
