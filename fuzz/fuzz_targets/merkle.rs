//! Trees and proofs beside `ct-merkle`: the same roots and proofs, and both verifiers say the same of every proof,
//! honest or not.
#![no_main]

use countersign_core::audit::{
    Frontier, consistency_proof, inclusion_proof, leaf_hash, root_of, verify_consistency, verify_inclusion,
};
use countersign_core::digest::Digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

/// What is done to an honest proof.
#[derive(Debug, Arbitrary)]
struct Input {
    leaves: Vec<u8>,
    index: u8,
    old_size: u8,
    /// Added to the sizes and the index that the verifiers are told.
    lie: (u8, u8, u8),
    /// Flips a bit of one hash of the proof.
    flip: Option<(u8, u8)>,
    /// Takes hashes off the end of the proof, or puts some there.
    cut: u8,
    more: Vec<[u8; 32]>,
}

fuzz_target!(|input: Input| {
    let data: Vec<[u8; 1]> = input.leaves.iter().map(|leaf| [*leaf]).collect();
    let leaves: Vec<Digest> = data.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut tree = MemoryBackedTree::<Sha256, [u8; 1]>::new();
    let mut frontier = Frontier::default();
    for (leaf, hash) in data.iter().zip(&leaves) {
        tree.push(*leaf);
        frontier.push(*hash);
    }
    let (root, size) = (root_of(&leaves), leaves.len() as u64);
    assert_eq!(frontier.root(), root);
    if leaves.is_empty() {
        return;
    }
    assert_eq!(root.as_bytes()[..], tree.root().as_bytes()[..], "another root");
    let told_size = size.saturating_add(u64::from(input.lie.0));
    let theirs = root_hash(&root, told_size);

    let index = usize::from(input.index) % leaves.len();
    let proof = inclusion_proof(&leaves, index).unwrap();
    assert_eq!(joined(&proof), tree.prove_inclusion(index).as_bytes(), "another proof of inclusion");
    let told = index as u64 + u64::from(input.lie.1);
    let proof = changed(proof, &input);
    let is_theirs = theirs.verify_inclusion(&data[index], told, &InclusionProof::from_bytes(joined(&proof)));
    let is_ours = verify_inclusion(&leaves[index], told, (told_size, &root), &proof);
    assert_eq!(is_ours, is_theirs.is_ok(), "inclusion");

    let old_size = usize::from(input.old_size) % leaves.len() + 1;
    let old_root = root_of(&leaves[..old_size]);
    let proof = consistency_proof(&leaves, old_size).unwrap();
    let honest = tree.prove_consistency(leaves.len() - old_size);
    assert_eq!(joined(&proof), honest.as_bytes(), "another proof of consistency");
    let told_old = (old_size as u64).saturating_add(u64::from(input.lie.2));
    let proof = changed(proof, &input);
    let Ok(bytes) = ConsistencyProof::try_from_bytes(joined(&proof)) else { return };
    let is_theirs = theirs.verify_consistency(&root_hash(&old_root, told_old), &bytes);
    let is_ours = verify_consistency((told_old, &old_root), (told_size, &root), &proof);
    assert_eq!(is_ours, is_theirs.is_ok(), "consistency");
});

fn root_hash(root: &Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), size)
}

fn joined(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn changed(mut proof: Vec<Digest>, input: &Input) -> Vec<Digest> {
    proof.truncate(proof.len().saturating_sub(usize::from(input.cut)));
    proof.extend(input.more.iter().map(|hash| Digest::from_bytes(*hash)));
    if let Some((at, bit)) = input.flip
        && !proof.is_empty()
    {
        let at = usize::from(at) % proof.len();
        let mut hash = *proof[at].as_bytes();
        hash[usize::from(bit) / 8] ^= 1 << (bit % 8);
        proof[at] = Digest::from_bytes(hash);
    }
    proof
}
