//! stub
use crate::digest::Digest;
use crate::time::Timestamp;

/// The bytes that a leaf commits to.
pub fn leaf_data(_at: Timestamp, _body: &[u8]) -> Vec<u8> {
    todo!()
}
/// RFC 6962 leaf hash.
pub fn leaf_hash(_data: &[u8]) -> Digest {
    todo!()
}
/// RFC 6962 node hash.
pub fn node_hash(_left: &Digest, _right: &Digest) -> Digest {
    todo!()
}
/// The right edge of a growing tree: the roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}
impl Frontier {
    /// From stored parts.
    pub fn from_parts(size: u64, roots: Vec<Digest>) -> Option<Self> {
        Some(Self { size, roots })
    }
    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// The subtree roots, largest first.
    pub fn roots(&self) -> &[Digest] {
        &self.roots
    }
    /// Appends one leaf hash.
    pub fn push(&mut self, _leaf: Digest) {
        todo!()
    }
    /// The root hash.
    pub fn root(&self) -> Digest {
        todo!()
    }
}
