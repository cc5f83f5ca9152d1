//! Reference tokens of JSON pointers (RFC 6901, section 3).

/// A member's name as a token: `~` is `~0`, `/` is `~1`.
pub fn escape_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The member's name that a token stands for.
pub fn unescape_token(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_for_one_name() {
        for (name, token) in
            [("a", "a"), ("a/b", "a~1b"), ("m~n", "m~0n"), ("~1", "~01"), ("/~", "~1~0"), ("", "")]
        {
            assert_eq!(escape_token(name), token);
            assert_eq!(unescape_token(token), name);
        }
    }
}
