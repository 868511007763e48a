//! An error in words, with its causes: why a connection cannot be made is said by the last of them alone.

use std::error::Error;

/// The words of an error and of each cause that they do not hold already: the client's errors repeat theirs, those below it do not.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        next = cause.source();
    }
    told
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
        assert_eq!(told(&Failed(Connect(Bad))), "failed: cannot connect: the certificate is bad");
    }
}
