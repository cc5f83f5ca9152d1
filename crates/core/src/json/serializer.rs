//! Writes anything that serialises to JSON as canonical bytes, in one pass.
//!
//! An object's members are written one after another as they come; only when they come in another order than
//! the canonical one are they put in order, in place, once the object is whole.

use std::borrow::Cow;

use serde::ser::{self, Serialize};
use serde_json::Value;

/// What cannot be written as canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Error(String);

impl ser::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

type Result<T> = std::result::Result<T, Error>;

/// Appends the canonical bytes of values.
#[derive(Debug)]
pub(super) struct Canonical<'a>(pub(super) &'a mut Vec<u8>);

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
    type Error = Error;
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
        serialize_f64: f64, serialize_char: char, serialize_str: &str,
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
        value.serialize(Canonical(&mut *self.0))?;
        self.0.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>> {
        Ok(Items::begin(self.0, b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>> {
        Ok(Items::begin(self.0, b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>> {
        Ok(Items::begin(self.0, b"]"))
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
        Ok(Items::begin(self.0, b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>> {
        Ok(Members::begin(self.0, b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>> {
        Ok(Members::begin(self.0, b"}"))
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
        Ok(Members::begin(self.0, b"}}"))
    }
}

/// An array that is being written.
#[derive(Debug)]
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    end: &'static [u8],
}

impl<'a> Items<'a> {
    fn begin(out: &'a mut Vec<u8>, end: &'static [u8]) -> Self {
        out.push(b'[');
        Self { out, first: true, end }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Canonical(&mut *self.out))
    }

    fn finish(self) {
        self.out.extend_from_slice(self.end);
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = Error;
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

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    written: Vec<Member>,
    end: &'static [u8],
}

impl<'a> Members<'a> {
    fn begin(out: &'a mut Vec<u8>, end: &'static [u8]) -> Self {
        out.push(b'{');
        Self { out, written: Vec::with_capacity(8), end }
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
        value.serialize(Canonical(&mut *self.out))?;
        let end = self.out.len();
        let last = self.written.last_mut().ok_or_else(|| Error("a value without a key".to_owned()))?;
        last.end = end;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        // UTF-8 sorts like code points, so comparing texts is comparing code points.
        if !self.written.is_sorted_by(|a, b| a.key < b.key) {
            self.sort()?;
        }
        self.out.extend_from_slice(self.end);
        Ok(())
    }

    fn sort(&mut self) -> Result<()> {
        let Some(start) = self.written.first().map(|m| m.start) else { return Ok(()) };
        self.written.sort_by(|a, b| a.key.cmp(&b.key));
        if self.written.windows(2).any(|pair| matches!(pair, [a, b] if a.key == b.key)) {
            return Err(Error("a member stands there twice".to_owned()));
        }
        let mut sorted = Vec::with_capacity(self.out.len().saturating_sub(start));
        for member in &self.written {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            let bytes = self.out.get(member.start..member.end);
            sorted.extend_from_slice(bytes.ok_or_else(|| Error("a member is not where it was".to_owned()))?);
        }
        self.out.truncate(start);
        self.out.append(&mut sorted);
        Ok(())
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        match serde_json::to_value(key)? {
            Value::String(key) => self.key(key.into()),
            Value::Number(key) => self.key(key.to_string().into()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                Err(Error("a key is no text".to_owned()))
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
            type Error = Error;
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
