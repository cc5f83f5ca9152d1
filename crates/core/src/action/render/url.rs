//! URLs from templates. The host comes from the system, never from input; each value is exactly one segment
//! or one query value; the finished URL is parsed again and must be the one that was built (T68, R24).

use std::collections::BTreeSet;

use url::Url;

use crate::action::RenderError;
use crate::action::expr::{Expression, Piece, Scope, Text, Vocabulary, as_text, split};

/// A checked base URL: scheme, host, port, and a path prefix without a slash at its end.
#[derive(Debug, Clone)]
pub(in crate::action) struct Base {
    url: Url,
    /// Scheme, host and port as text.
    origin: String,
    prefix: String,
}

impl Base {
    /// Checks a `base_url`. The error is a fragment, the second text a remedy.
    pub(in crate::action) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        const REMEDY: &str = "Write it like `https://api.example.com` or `https://api.example.com/v2`.";
        let url = Url::parse(text).map_err(|e| (format!("`{text}` is not a URL: {e}"), REMEDY))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err((format!("`{text}` is not an http or https URL with a host"), REMEDY));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let remedy = "Remove the user name and password; name a credential instead.";
            return Err(("the base URL contains a user name or password".to_owned(), remedy));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(("the base URL has a query or a fragment".to_owned(), REMEDY));
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        prefix.split('/').skip(1).try_for_each(check_literal).map_err(|e| (e, REMEDY))?;
        // What the parser had to repair (`0x7f.1`, `HTTPS:/x`, `/a/../b`) is not what a reviewer read.
        let written = text.trim_end_matches('/');
        if url.as_str().trim_end_matches('/') != written {
            let message = format!("`{text}` means `{}`", url.as_str().trim_end_matches('/'));
            return Err((message, "Write the second form."));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            let remedy = "Use https; plain http is for loopback addresses only.";
            return Err(("the connection would not be encrypted".to_owned(), remedy));
        }
        let origin = written.strip_suffix(prefix.as_str()).unwrap_or(written).to_owned();
        Ok(Self { url, origin, prefix })
    }

    /// Whether the connection is not encrypted.
    pub(in crate::action) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Scheme, host, port and prefix, without a slash at the end.
    pub(in crate::action) fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// One path segment: at most one value between two literals.
#[derive(Debug)]
struct Segment {
    before: String,
    value: Option<Expression>,
    after: String,
}

impl Segment {
    /// Appends the segment. A value is percent-encoded and must not be able to change the path.
    fn render(&self, scope: &mut Scope<'_>, path: &mut String) -> Result<(), RenderError> {
        path.push_str(&self.before);
        if let Some(expression) = &self.value {
            let value = expression.require(scope)?;
            let text =
                as_text(&value).ok_or_else(|| expression.error("it is not text, a number or a boolean"))?;
            let whole = format!("{}{text}{}", self.before, self.after);
            // A server that decodes `%2F` or `\` before it routes must not find dot segments either.
            let dots = |part: &str| part == "." || part == "..";
            if text.is_empty() || dots(&whole) || text.split(['/', '\\']).any(dots) {
                return Err(expression.error("it is empty or has a `.` or `..` segment, refused in a path"));
            }
            if text.chars().any(char::is_control) {
                return Err(expression.error("it has a control character, refused in a path"));
            }
            encode(&text, path);
        }
        path.push_str(&self.after);
        Ok(())
    }
}

/// A compiled URL.
#[derive(Debug)]
pub(in crate::action) struct UrlTemplate {
    place: String,
    base: Base,
    segments: Vec<Segment>,
    query: Vec<(String, Text)>,
    /// The whole URL, when nothing in it depends on the input.
    fixed: Option<String>,
}

impl UrlTemplate {
    /// Compiles a path such as `/v1/charges/${input.charge}`.
    pub(in crate::action) fn compile(
        place: &str,
        base: &Base,
        path: &str,
        query: Vec<(String, Text)>,
        words: &Vocabulary<'_>,
    ) -> Result<Self, String> {
        let segments = segments(place, path, words)?;
        let mut template = Self { place: place.to_owned(), base: base.clone(), segments, query, fixed: None };
        if template.query.is_empty() && template.segments.iter().all(|s| s.value.is_none()) {
            let nothing = serde_json::Value::Null;
            let mut scope = Scope::new(&nothing, None, None);
            template.fixed = Some(template.render(&mut scope).map_err(|e| e.detail)?);
        }
        Ok(template)
    }

    /// Whether the URL depends on the record that is read; `lets` are the names that do.
    pub(in crate::action) fn reads_record(&self, lets: &BTreeSet<String>) -> bool {
        self.segments.iter().any(|s| s.value.as_ref().is_some_and(|value| value.reads_record(lets)))
            || self.query.iter().any(|(_, value)| value.reads_record(lets))
    }

    /// The exact URL, as the URL parser writes it.
    pub(in crate::action) fn render(&self, scope: &mut Scope<'_>) -> Result<String, RenderError> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        let mut path = self.base.prefix.clone();
        for segment in &self.segments {
            path.push('/');
            segment.render(scope, &mut path)?;
        }
        let mut query = String::new();
        for (name, text) in &self.query {
            let Some(value) = text.render(scope)? else { continue };
            query.push_str(if query.is_empty() { "" } else { "&" });
            encode(name, &mut query);
            query.push('=');
            encode(&value, &mut query);
        }
        self.assemble(&path, &query)
    }

    /// INVARIANT: the URL that is returned has the template's scheme, host and port, and exactly the path and
    /// query that were built, so also the template's number of segments.
    fn assemble(&self, path: &str, query: &str) -> Result<String, RenderError> {
        let mut text = String::with_capacity(self.base.origin.len().saturating_add(path.len()));
        text.push_str(&self.base.origin);
        text.push_str(path);
        if !query.is_empty() {
            text.push('?');
            text.push_str(query);
        }
        let parsed = Url::parse(&text).map_err(|e| RenderError::new(&self.place, e.to_string()))?;
        let base = &self.base.url;
        let same = parsed.scheme() == base.scheme()
            && parsed.host() == base.host()
            && parsed.port() == base.port()
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.fragment().is_none()
            && parsed.path() == path
            && parsed.query().unwrap_or_default() == query;
        if !same {
            return Err(RenderError::new(&self.place, "the URL does not survive parsing unchanged"));
        }
        Ok(parsed.into())
    }
}

fn segments(place: &str, path: &str, words: &Vocabulary<'_>) -> Result<Vec<Segment>, String> {
    if !path.starts_with('/') {
        return Err("a path starts with `/`; the host comes from the system".to_owned());
    }
    let mut segments = Vec::new();
    let mut current = Segment { before: String::new(), value: None, after: String::new() };
    // The first literal begins with the slash before the first segment.
    let mut first = true;
    for piece in split(path)? {
        match piece {
            Piece::Code(code) => {
                if current.value.is_some() {
                    return Err("a path segment holds at most one `${…}`".to_owned());
                }
                current.value = Some(Expression::compile(place, code, words)?.must_be_text()?);
            }
            Piece::Literal(text) => {
                for (at, part) in text.split('/').enumerate() {
                    if at > 0 && !first {
                        segments.push(std::mem::replace(
                            &mut current,
                            Segment { before: String::new(), value: None, after: String::new() },
                        ));
                    }
                    first = first && at == 0;
                    let side = if current.value.is_some() { &mut current.after } else { &mut current.before };
                    side.push_str(part);
                }
            }
        }
    }
    segments.push(current);
    let last = segments.len().saturating_sub(1);
    for (at, segment) in segments.iter().enumerate() {
        if segment.value.is_some() {
            check_characters(&segment.before)?;
            check_characters(&segment.after)?;
        } else if !(at == last && segment.before.is_empty()) {
            check_literal(&segment.before)?;
        }
    }
    Ok(segments)
}

/// A segment that stands in the manifest.
fn check_literal(segment: &str) -> Result<(), String> {
    if matches!(segment, "" | "." | "..") {
        return Err("the path has an empty, `.` or `..` segment".to_owned());
    }
    check_characters(segment)
}

fn check_characters(text: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b);
    match text.bytes().find(|b| !allowed(*b)) {
        None => Ok(()),
        Some(_) => Err(format!("`{text}` has a character that a path cannot hold as it is")),
    }
}

/// Percent-encodes everything that is not unreserved (RFC 3986 section 2.3).
fn encode(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}
