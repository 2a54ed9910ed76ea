//! Values: what JavaScript gets, before it is JavaScript's.

use bytes::Bytes;

use crate::math::crypto::Node;
use crate::replicate::PeerId;

/// One value.
#[derive(Clone, Debug)]
pub enum Value {
    /// null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number: below 2^53, or an id.
    Number(u64),
    /// A difference.
    Signed(i32),
    /// A string.
    Text(String),
    /// A Buffer.
    Bytes(Bytes),
    /// An array of strings.
    Names(Vec<String>),
    /// An array.
    List(Vec<Value>),
}

/// Values as an array.
pub fn list<T: Into<Value>>(values: Vec<T>) -> Value {
    Value::List(values.into_iter().map(Into::into).collect())
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<PeerId> for Value {
    fn from(peer: PeerId) -> Self {
        Self::Number(peer.0)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(&bytes))
    }
}

impl From<Node> for Value {
    fn from(node: Node) -> Self {
        Self::List(vec![node.index.0.into(), node.hash.into(), node.size.into()])
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
