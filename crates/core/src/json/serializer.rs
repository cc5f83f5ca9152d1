//! Writes anything that serialises to JSON as canonical bytes, in one pass.
//!
//! Own code and not a crate: ADR 0024. It refuses a member that stands twice, and writes an integer beyond 2^53 with
//! all its digits, where the crate for RFC 8785 silently drops the one and rounds the other.
//!
//! An object's members are written one after another as they come; only when they come in another order than
//! the canonical one are they put in order, in place, once the object is whole.

use std::borrow::Cow;

use serde::ser::{self, Serialize};
use serde_json::Value;

/// Why a value cannot be written as canonical JSON: its keys are no texts, a member stands there twice, or its own
/// `Serialize` fails. No value that was read as JSON is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCanonical(String);

impl ser::Error for NotCanonical {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<serde_json::Error> for NotCanonical {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

type Result<T> = std::result::Result<T, NotCanonical>;

/// Which canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The form of intents and records of version 1: keys by code point, decimals as `serde_json` prints them.
    V1,
    /// RFC 8785: keys by UTF-16 code units, numbers as ECMAScript prints them.
    Rfc8785,
}

/// Appends the canonical bytes of values.
#[derive(Debug)]
pub(super) struct Canonical<'a>(pub(super) &'a mut Vec<u8>, pub(super) Form);

/// A decimal as ECMAScript prints it (RFC 8785 section 3.2.2.3). Infinities and NaN are null, as for `serde_json`.
fn decimal(out: &mut Vec<u8>, value: f64) {
    let mut buffer = ryu_js::Buffer::new();
    let text = if value.is_finite() { buffer.format_finite(value) } else { "null" };
    out.extend_from_slice(text.as_bytes());
}

/// Writes a string, number, boolean or null as `serde_json` prints it.
fn scalar<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

macro_rules! scalars {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(self, value: $type) -> Result<()> {
            scalar(self.0, &value)
        })*
    };
}

impl<'a> ser::Serializer for Canonical<'a> {
    type Ok = ();
    type Error = NotCanonical;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_char: char, serialize_str: &str,
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        match self.1 {
            Form::V1 => scalar(self.0, &value),
            Form::Rfc8785 => {
                decimal(self.0, value);
                Ok(())
            }
        }
    }

    fn serialize_f32(self, value: f32) -> Result<()> {
        // A `Value` holds it in 64 bits, and the bytes are those of its value.
        self.serialize_f64(f64::from(value))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.0.push(b'{');
        scalar(self.0, variant)?;
        self.0.push(b':');
        value.serialize(Canonical(&mut *self.0, self.1))?;
        self.0.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>> {
        Ok(Items::begin(self, b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>> {
        Ok(Items::begin(self, b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>> {
        Ok(Items::begin(self, b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>> {
        self.0.push(b'{');
        scalar(self.0, variant)?;
        self.0.push(b':');
        Ok(Items::begin(self, b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>> {
        Ok(Members::begin(self, b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>> {
        Ok(Members::begin(self, b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'a>> {
        self.0.push(b'{');
        scalar(self.0, variant)?;
        self.0.push(b':');
        Ok(Members::begin(self, b"}}"))
    }
}

/// An array that is being written.
#[derive(Debug)]
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    first: bool,
    end: &'static [u8],
}

impl<'a> Items<'a> {
    fn begin(Canonical(out, form): Canonical<'a>, end: &'static [u8]) -> Self {
        out.push(b'[');
        Self { out, form, first: true, end }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Canonical(&mut *self.out, self.form))
    }

    fn finish(self) {
        self.out.extend_from_slice(self.end);
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = NotCanonical;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.item(value)
            }
            fn end(self) -> Result<()> {
                self.finish();
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field,
}

/// One member as it stands in the output.
#[derive(Debug)]
struct Member {
    key: Cow<'static, str>,
    /// From its key to behind its value.
    start: usize,
    end: usize,
}

/// The order of two keys. UTF-8 sorts like code points; UTF-16 differs from it only beyond U+FFFF.
fn order(form: Form, a: &str, b: &str) -> std::cmp::Ordering {
    match form {
        Form::V1 => a.cmp(b),
        Form::Rfc8785 if a.is_ascii() || b.is_ascii() => a.cmp(b),
        Form::Rfc8785 => a.encode_utf16().cmp(b.encode_utf16()),
    }
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    written: Vec<Member>,
    end: &'static [u8],
}

impl<'a> Members<'a> {
    fn begin(Canonical(out, form): Canonical<'a>, end: &'static [u8]) -> Self {
        out.push(b'{');
        Self { out, form, written: Vec::with_capacity(8), end }
    }

    fn key(&mut self, key: Cow<'static, str>) -> Result<()> {
        if !self.written.is_empty() {
            self.out.push(b',');
        }
        let start = self.out.len();
        scalar(self.out, &*key)?;
        self.out.push(b':');
        self.written.push(Member { key, start, end: start });
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Canonical(&mut *self.out, self.form))?;
        let end = self.out.len();
        let last = self.written.last_mut().ok_or_else(|| NotCanonical("a value without a key".to_owned()))?;
        last.end = end;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        let form = self.form;
        if !self.written.is_sorted_by(|a, b| order(form, &a.key, &b.key).is_lt()) {
            self.sort()?;
        }
        self.out.extend_from_slice(self.end);
        Ok(())
    }

    fn sort(&mut self) -> Result<()> {
        let Some(start) = self.written.first().map(|m| m.start) else { return Ok(()) };
        let form = self.form;
        self.written.sort_by(|a, b| order(form, &a.key, &b.key));
        if self.written.windows(2).any(|pair| matches!(pair, [a, b] if a.key == b.key)) {
            return Err(NotCanonical("a member stands there twice".to_owned()));
        }
        let mut sorted = Vec::with_capacity(self.out.len().saturating_sub(start));
        for member in &self.written {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            let bytes = self.out.get(member.start..member.end);
            sorted.extend_from_slice(
                bytes.ok_or_else(|| NotCanonical("a member is not where it was".to_owned()))?,
            );
        }
        self.out.truncate(start);
        self.out.append(&mut sorted);
        Ok(())
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = NotCanonical;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        match serde_json::to_value(key)? {
            Value::String(key) => self.key(key.into()),
            Value::Number(key) => self.key(key.to_string().into()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                Err(NotCanonical("a key is no text".to_owned()))
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.value(value)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

macro_rules! members {
    ($($trait:ident),* $(,)?) => {
        $(impl ser::$trait for Members<'_> {
            type Ok = ();
            type Error = NotCanonical;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
                self.key(key.into())?;
                self.value(value)
            }
            fn end(self) -> Result<()> {
                self.finish()
            }
        })*
    };
}

members! { SerializeStruct, SerializeStructVariant }
