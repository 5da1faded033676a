//! CBOR as plain data: what a test takes apart, changes in one place, and puts together again.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Uint(u64),
    Negative(i64),
    Float(f64),
    Bool(bool),
    Null,
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self::next(&mut Decoder::new(bytes))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut Encoder::new(&mut bytes));
        bytes
    }

    /// The value at the end of a path of map keys and array places.
    pub(super) fn at(&mut self, path: &[u64]) -> &mut Self {
        path.iter().fold(self, |value, step| match value {
            Self::Map(pairs) => {
                let pair = pairs.iter_mut().find(|(key, _)| *key == Self::Uint(*step));
                &mut pair.expect("a path names fields that are there").1
            }
            Self::Array(items) => &mut items[*step as usize],
            _ => panic!("a path ends at {step}"),
        })
    }

    pub(super) fn set(mut self, path: &[u64], value: Self) -> Self {
        *self.at(path) = value;
        self
    }

    /// Adds a field to a map, wherever its number belongs.
    pub(super) fn with_field(mut self, field: u64, value: Self) -> Self {
        if let Self::Map(pairs) = &mut self {
            pairs.push((Self::Uint(field), value));
        }
        self
    }

    fn next(d: &mut Decoder<'_>) -> Self {
        match d.datatype().unwrap() {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => Self::Uint(d.u64().unwrap()),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => Self::Negative(d.i64().unwrap()),
            Type::F64 => Self::Float(d.f64().unwrap()),
            Type::Bool => Self::Bool(d.bool().unwrap()),
            Type::Null => {
                d.null().unwrap();
                Self::Null
            }
            Type::Bytes => Self::Bytes(d.bytes().unwrap().to_vec()),
            Type::String => Self::Text(d.str().unwrap().to_owned()),
            Type::Array => {
                let items = d.array().unwrap().unwrap();
                Self::Array((0..items).map(|_| Self::next(d)).collect())
            }
            Type::Map => {
                let pairs = d.map().unwrap().unwrap();
                Self::Map((0..pairs).map(|_| (Self::next(d), Self::next(d))).collect())
            }
            other => panic!("the format holds no {other}"),
        }
    }

    fn write(&self, e: &mut Encoder<&mut Vec<u8>>) {
        match self {
            Self::Uint(value) => drop(e.u64(*value).unwrap()),
            Self::Negative(value) => drop(e.i64(*value).unwrap()),
            Self::Float(value) => drop(e.f64(*value).unwrap()),
            Self::Bool(value) => drop(e.bool(*value).unwrap()),
            Self::Null => drop(e.null().unwrap()),
            Self::Bytes(value) => drop(e.bytes(value).unwrap()),
            Self::Text(value) => drop(e.str(value).unwrap()),
            Self::Array(items) => {
                e.array(items.len() as u64).unwrap();
                items.iter().for_each(|item| item.write(e));
            }
            Self::Map(pairs) => {
                e.map(pairs.len() as u64).unwrap();
                pairs.iter().for_each(|(key, value)| {
                    key.write(e);
                    value.write(e);
                });
            }
        }
    }
}
