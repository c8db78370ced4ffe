//! Patterns in tables and settings.

/// Whether a text matches a pattern in which `*` stands for any text; case is ignored.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let found = parts.try_fold(rest, |rest, part| rest.split_once(part).map(|(_, rest)| rest));
    found.is_some_and(|rest| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("partner", "Partner", true),
            ("partner", "partners", false),
            ("partner*", "partners", true),
            ("*-brand", "de-Brand", true),
            ("*-brand", "de-brand-2", false),
            ("*brand*", "de-brand-2", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
