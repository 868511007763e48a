//! What people can be shown.

/// Whether nothing in a text moves a terminal.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_control() && letter != '\n')
}
