//! What a statement brings to the database.

/// A value in a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// An integer or NULL.
    Integer(Option<i64>),
    /// A text or NULL.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl Value<'_> {
    /// Bytes that this value brings to the database.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Integer(None) | Self::Text(None) => 0,
            Self::Integer(Some(_)) => size_of::<i64>(),
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}
