//! The Merkle tree of RFC 6962 and RFC 9162 section 2.1: leaf and node hashes, a growing tree's right edge,
//! and proofs.
//!
//! The only module that hashes without the prefixes of `digest`: the byte layout is the standard's, so that
//! any transparency-log client can check it. Never add a field to a hash here; a new layout is a new leaf
//! domain.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::time::Timestamp;

/// First line of what a leaf commits to. A changed layout is a new version beside this one.
const LEAF_DOMAIN: &[u8] = b"countersign/leaf/v1\n";
const LEAF_PREFIX: [u8; 1] = [0];
const NODE_PREFIX: [u8; 1] = [1];

/// The bytes that a leaf commits to: the domain line, the time as eight big-endian bytes, SHA-256 of the body.
///
/// The body is hashed by itself so that bodies can be checked in parallel, and erased while the tree stays
/// whole.
pub fn leaf_data(at: Timestamp, body: &[u8]) -> Vec<u8> {
    let body: [u8; 32] = Sha256::digest(body).into();
    [LEAF_DOMAIN, &at.as_micros().to_be_bytes(), &body].concat()
}

/// RFC 6962 leaf hash: SHA-256 of a zero byte and the data.
pub fn leaf_hash(data: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update(LEAF_PREFIX).chain_update(data).finalize().into())
}

/// The leaf hash of one entry: its time and the bytes of its body.
pub fn entry_hash(at: Timestamp, body: &[u8]) -> Digest {
    leaf_hash(&leaf_data(at, body))
}

/// RFC 6962 node hash: SHA-256 of a one byte and both children.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hasher = Sha256::new().chain_update(NODE_PREFIX);
    Digest::from_bytes(hasher.chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize().into())
}

/// The right edge of a growing tree: the roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// From stored parts. None unless there is one root for every bit that is set in `size`.
    pub fn from_parts(size: u64, roots: Vec<Digest>) -> Option<Self> {
        let wanted = usize::try_from(size.count_ones()).ok()?;
        (roots.len() == wanted).then_some(Self { size, roots })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, largest first: one for every bit that is set in the size.
    pub fn roots(&self) -> &[Digest] {
        &self.roots
    }

    /// Appends one leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Every trailing one bit of the size is a perfect subtree that the new leaf completes to a larger one.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.roots.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The root hash; that of an empty tree is SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let mut smallest_first = self.roots.iter().rev();
        let Some(last) = smallest_first.next() else {
            return Digest::from_bytes(Sha256::digest(b"").into());
        };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }
}

impl Extend<Digest> for Frontier {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

/// The root of a tree with these leaf hashes.
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut tree = Frontier::default();
    tree.extend(leaves.iter().copied());
    tree.root()
}

/// Where RFC 9162 splits a tree of `n` leaves: the largest power of two below `n`. Only for `n` of 2 or more.
fn split(n: usize) -> usize {
    n.div_ceil(2).next_power_of_two()
}

/// Proof that leaf `index` is in the tree of these leaf hashes (RFC 9162 section 2.1.3.1).
///
/// None when there is no such leaf.
pub fn inclusion_proof(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    let (mut part, mut index) = (leaves, index);
    if index >= part.len() {
        return None;
    }
    let mut path = Vec::new();
    while part.len() > 1 {
        let (left, right) = part.split_at_checked(split(part.len()))?;
        let other = if index < left.len() {
            part = left;
            right
        } else {
            index = index.saturating_sub(left.len());
            part = right;
            left
        };
        path.push(root_of(other));
    }
    path.reverse();
    Some(path)
}

/// Proof that the tree of the first `old_size` of these leaf hashes is a prefix of the whole tree
/// (RFC 9162 section 2.1.4.1).
///
/// None when the tree is smaller than that. Empty when `old_size` is 0 or the whole tree.
pub fn consistency_proof(leaves: &[Digest], old_size: usize) -> Option<Vec<Digest>> {
    if old_size == 0 || old_size == leaves.len() {
        return Some(Vec::new());
    }
    if old_size > leaves.len() {
        return None;
    }
    let (mut part, mut old) = (leaves, old_size);
    let mut path = Vec::new();
    // The verifier knows the old root, so it is left out when it is a node of the new tree.
    let mut is_old_root = true;
    while old < part.len() {
        let (left, right) = part.split_at_checked(split(part.len()))?;
        let other = if old <= left.len() {
            part = left;
            right
        } else {
            old = old.saturating_sub(left.len());
            part = right;
            is_old_root = false;
            left
        };
        path.push(root_of(other));
    }
    if !is_old_root {
        path.push(root_of(part));
    }
    path.reverse();
    Some(path)
}

/// Whether `proof` shows that leaf `index` is in the tree with this size and root (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: &Digest, index: u64, tree: (u64, &Digest), proof: &[Digest]) -> bool {
    let (size, root) = tree;
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size.saturating_sub(1));
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A right edge without a sibling on these levels: its node is the same hash.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the old tree is a prefix of the new one (RFC 9162 section 2.1.4.2).
///
/// Both trees as size and root. An empty old tree is a prefix of every tree and takes an empty proof.
pub fn verify_consistency(old: (u64, &Digest), new: (u64, &Digest), proof: &[Digest]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == Frontier::default().root();
    }
    if old_size > new_size {
        return false;
    }
    // A perfect old tree is itself a node of the new one, so the proof leaves it out.
    let first = old_size.is_power_of_two().then_some(*old_root);
    let mut path = first.into_iter().chain(proof.iter().copied());
    let Some(seed) = path.next() else { return false };
    let (mut node, mut last) = (old_size.saturating_sub(1), new_size.saturating_sub(1));
    let skip = node.trailing_ones();
    node >>= skip;
    last >>= skip;
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(&sibling, &old_hash);
            new_hash = node_hash(&sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, &sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
