//! Texts of a document as texts of a manifest: names, titles, descriptions.

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 80;
/// Words that expressions do not take as a field's name.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// One paragraph without control characters and HTML tags, cut after so many characters.
pub(super) fn plain(text: &str, chars_max: usize) -> String {
    let words: Vec<String> = untagged(text)
        .split_whitespace()
        .map(|word| word.chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    let whole = words.join(" ");
    if whole.chars().count() <= chars_max {
        return whole;
    }
    let cut: String = whole.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// Without `<p>` and the like; what only looks like a tag stays.
fn untagged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let tag = after.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
        match after.split_once('>') {
            Some((_, behind)) if tag => rest = behind,
            Some(_) | None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out + rest
}

/// The first sentence of a summary or description.
pub(super) fn title(text: &str) -> String {
    let whole = plain(text, 1_000);
    let first = whole.split_once(". ").map_or(whole.as_str(), |(first, _)| first);
    plain(first.trim_end_matches('.'), TITLE_CHARS_MAX)
}

/// The words of an identifier, in lower case: `issues/listForRepo` has four.
pub(super) fn words(identifier: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in identifier.chars() {
        let starts = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if starts || !c.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// An action's name of an operation's id: `issues/create-comment` is `issues.create_comment`.
pub(super) fn action_name(identifier: &str) -> Option<String> {
    let parts =
        identifier.split(['/', '.', ':']).map(|part| words(part).join("_")).filter(|part| !part.is_empty());
    let named =
        |part: String| if part.starts_with(|c: char| c.is_ascii_digit()) { format!("n{part}") } else { part };
    let name = parts.map(named).collect::<Vec<_>>().join(".");
    (!name.is_empty()).then_some(name)
}

/// A field's name that expressions can use.
pub(super) fn field_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    let plain = plain.trim_end_matches('_');
    let starts_well = plain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = if starts_well { plain.to_owned() } else { format!("field_{plain}") };
    if RESERVED.contains(&plain.as_str()) { format!("{plain}_") } else { plain }
}

/// The type of what a path leads to: `Issue` of `/repos/{repo}/issues/{number}`.
pub(super) fn resource_type(path: &str) -> String {
    let last =
        path.split('/').rfind(|segment| !segment.is_empty() && !segment.contains('{')).unwrap_or("Item");
    let name: String = words(last).iter().map(|word| capitalised(word)).collect();
    let single = match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => match name.strip_suffix('s') {
            Some(stem) if !stem.ends_with('s') && stem.len() > 2 => stem.to_owned(),
            Some(_) | None => name,
        },
    };
    let starts_well = single.starts_with(|c: char| c.is_ascii_uppercase());
    let single = if starts_well { single } else { format!("Item{single}") };
    single.chars().take(48).collect()
}

pub(super) fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// A text as TOML, on one line: the escapes of JSON are among those of a basic string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_names_and_titles() {
        for (from, to) in [
            ("issues/list-for-repo", "issues.list_for_repo"),
            ("GetCustomersCustomer", "get_customers_customer"),
            ("PATCH /issues/{number}", "patch.issues.number"),
            ("2fa.enable", "n2fa.enable"),
        ] {
            assert_eq!(action_name(from).as_deref(), Some(to));
        }
        assert_eq!(action_name("/{}"), None);
        for (from, to) in
            [("filter[name]", "filter_name"), ("in", "in_"), ("2nd", "field_2nd"), ("X-Id", "X_Id")]
        {
            assert_eq!(field_name(from), to);
        }
        for (path, to) in [
            ("/repos/{o}/issues/{n}", "Issue"),
            ("/policies", "Policy"),
            ("/address", "Address"),
            ("/{a}", "Item"),
            ("/v1", "V1"),
            ("/2fa", "Item2fa"),
        ] {
            assert_eq!(resource_type(path), to, "{path}");
        }
        assert_eq!(title("<p>Create a refund.</p> It is <b>not</b> undone."), "Create a refund");
        assert_eq!(plain("a < b\n\u{7}c", 20), "a < b c");
        assert_eq!(plain("abcdef", 4), "abc…");
        assert_eq!(quoted("a \"b\"\n"), "\"a \\\"b\\\"\\n\"");
    }
}
