#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::string_slice,
    reason = "numbers and text of these tests are small and fixed"
)]

use proptest::prelude::*;

use super::*;

/// The eight inputs of the RFC 6962 reference tree, in hexadecimal.
const REFERENCE_INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

/// The roots of its first 1 to 8 leaves.
const REFERENCE_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn leaves(n: usize) -> Vec<Digest> {
    (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// The definition, word for word: RFC 9162 section 2.1.1.
fn by_definition(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::from_bytes(Sha256::digest(b"").into()),
        [one] => *one,
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            node_hash(&by_definition(&many[..k]), &by_definition(&many[k..]))
        }
    }
}

#[test]
fn the_tree_is_the_one_of_the_reference_vectors() {
    let mut tree = Frontier::default();
    assert_eq!(tree.root().to_hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (input, root) in REFERENCE_INPUTS.iter().zip(REFERENCE_ROOTS) {
        tree.push(leaf_hash(&bytes(input)));
        assert_eq!(tree.root().to_hex(), root, "{input}");
    }
}

#[test]
fn the_leaf_bytes_are_the_documented_ones() {
    let body = Sha256::digest(b"{}");
    let data = leaf_data(Timestamp::from_micros(1), b"{}");
    assert_eq!(data, [b"countersign/leaf/v1\n\0\0\0\0\0\0\0\x01".as_slice(), &body].concat());
    assert_eq!(entry_hash(Timestamp::from_micros(1), b"{}"), leaf_hash(&data));
    // Computed with Python's hashlib.
    let expect = "422267fdc48e0369b5eed04611ae9e96ce3b545d98460bc818c432098b9c335a";
    assert_eq!(entry_hash(Timestamp::from_micros(1_763_900_000_000_000), br#"{"v":1}"#).to_hex(), expect);
}

#[test]
fn a_frontier_grows_to_the_root_of_the_definition_and_survives_its_parts() {
    let all = leaves(200);
    let mut tree = Frontier::default();
    for n in 0..=all.len() {
        assert_eq!(tree.root(), by_definition(&all[..n]), "{n}");
        let stored = Frontier::from_parts(tree.size(), tree.roots().to_vec());
        assert_eq!(stored, Some(tree.clone()), "{n}");
        if let Some(leaf) = all.get(n) {
            tree.push(*leaf);
        }
    }
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let root = leaf_hash(b"");
    for (size, roots, fits) in
        [(0, 0, true), (1, 1, true), (3, 2, true), (3, 1, false), (0, 1, false), (4, 2, false)]
    {
        assert_eq!(Frontier::from_parts(size, vec![root; roots]).is_some(), fits, "{size} with {roots}");
    }
}

#[test]
fn every_inclusion_proof_of_every_small_tree_verifies_and_nothing_else_does() {
    let all = leaves(65);
    for n in 1_usize..=64 {
        let root = root_of(&all[..n]);
        for index in 0..n {
            let proof = inclusion_proof(&all[..n], index).unwrap();
            let check = |leaf: &Digest, index: usize, proof: &[Digest]| {
                verify_inclusion(leaf, index as u64, (n as u64, &root), proof)
            };
            assert!(check(&all[index], index, &proof), "{index} of {n}");
            assert!(!check(&all[64], index, &proof));
            for other in (0..n + 2).filter(|o| *o != index) {
                assert!(!check(&all[index], other, &proof), "{index} as {other} of {n}");
            }
            for damaged in damage(&proof) {
                assert!(!check(&all[index], index, &damaged), "{index} of {n}");
            }
        }
        assert_eq!(inclusion_proof(&all[..n], n), None);
    }
    assert_eq!(inclusion_proof(&[], 0), None);
}

#[test]
fn every_consistency_proof_of_every_small_tree_verifies_and_nothing_else_does() {
    let all = leaves(64);
    for n in 0_usize..=64 {
        let new = root_of(&all[..n]);
        for m in 0..=n {
            let old = root_of(&all[..m]);
            let proof = consistency_proof(&all[..n], m).unwrap();
            let check = |m: usize, old: &Digest, new: &Digest, proof: &[Digest]| {
                verify_consistency((m as u64, old), (n as u64, new), proof)
            };
            assert!(check(m, &old, &new, &proof), "{m} in {n}");
            assert!(!check(m, &leaf_hash(b"other"), &new, &proof), "{m} in {n}");
            if m > 0 {
                assert!(!check(m, &old, &leaf_hash(b"other"), &proof), "{m} in {n}");
            }
            for other in (0..=n + 1).filter(|o| *o != m) {
                assert!(!check(other, &old, &new, &proof), "{m} as {other} in {n}");
            }
            for damaged in damage(&proof) {
                assert!(!check(m, &old, &new, &damaged), "{m} in {n}");
            }
        }
        assert_eq!(consistency_proof(&all[..n], n + 1), None);
    }
}

/// Every proof with one element changed, removed or added.
fn damage(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let other = leaf_hash(b"damage");
    let mut all = vec![[proof, &[other]].concat(), [&[other], proof].concat()];
    for i in 0..proof.len() {
        let (mut changed, mut removed) = (proof.to_vec(), proof.to_vec());
        changed[i] = other;
        removed.remove(i);
        all.extend([changed, removed]);
    }
    all
}

proptest! {
    #[test]
    fn no_tree_forgets_its_past_t118(n in 1_usize..600, a: prop::sample::Index, b: prop::sample::Index) {
        let all = leaves(n);
        let (index, m) = (a.index(n), b.index(n + 1));
        let (root, old) = (root_of(&all), root_of(&all[..m]));
        let proof = inclusion_proof(&all, index).unwrap();
        prop_assert!(verify_inclusion(&all[index], index as u64, (n as u64, &root), &proof));
        let proof = consistency_proof(&all, m).unwrap();
        prop_assert!(verify_consistency((m as u64, &old), (n as u64, &root), &proof));
    }
}
