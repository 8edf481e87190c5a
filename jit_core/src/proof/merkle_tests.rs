//! The tree against the vectors of certificate transparency, against the definitions of the RFC written down once more,
//! and against proofs in which something has been changed.

use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

/// The leaves of the reference tree of certificate transparency
/// (github.com/google/certificate-transparency, `merkletree/merkle_tree_test.cc`).
const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];

/// Its roots, over the first one to all eight.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Digest {
    text.parse().unwrap()
}

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|number| leaf(format!("record {number}").as_bytes())).collect()
}

/// RFC 6962 §2.1, as it is written there: MTH(D[n]) over the hashed leaves.
fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest(Sha256::digest([]).into()),
        [one] => *one,
        _ => {
            let k = largest_power_below(leaves.len());
            let mut bytes = vec![1];
            bytes.extend(mth(&leaves[..k]).0);
            bytes.extend(mth(&leaves[k..]).0);
            Digest(Sha256::digest(bytes).into())
        }
    }
}

/// §2.1.1: PATH(m, D[n]).
fn path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = largest_power_below(leaves.len());
    if m < k {
        [path(m, &leaves[..k]), vec![mth(&leaves[k..])]].concat()
    } else {
        [path(m - k, &leaves[k..]), vec![mth(&leaves[..k])]].concat()
    }
}

/// §2.1.2: SUBPROOF(m, D[n], b).
fn subproof(m: usize, leaves: &[Digest], b: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if b { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = largest_power_below(leaves.len());
    if m <= k {
        [subproof(m, &leaves[..k], b), vec![mth(&leaves[k..])]].concat()
    } else {
        [subproof(m - k, &leaves[k..], false), vec![mth(&leaves[..k])]].concat()
    }
}

fn largest_power_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

#[test]
fn roots_are_those_of_the_reference_tree() {
    let leaves: Vec<_> = LEAVES.iter().map(|bytes| leaf(bytes)).collect();
    for (count, expected) in (1..).zip(ROOTS) {
        assert_eq!(root(&leaves[..count]), hex(expected), "{count}");
        assert_eq!(mth(&leaves[..count]), hex(expected), "{count}, by the definition");
    }
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(root(&[]), hex(nothing));
}

#[test]
fn proofs_are_those_of_the_reference_tree() {
    let leaves: Vec<_> = LEAVES.iter().map(|bytes| leaf(bytes)).collect();
    // From the same place: of the sixth of eight leaves, and from six of them to eight.
    let sixth = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion(&leaves, 5).unwrap(), sixth.map(hex));
    let from_six = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency(&leaves, 6).unwrap(), from_six.map(hex));
    let from_one = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(consistency(&leaves, 1).unwrap(), from_one.map(hex));
}

#[test]
fn every_proof_of_every_small_tree_is_that_of_the_definition_and_holds() {
    let all = leaves(40);
    for size in 1..=all.len() {
        let tree = &all[..size];
        assert_eq!(root(tree), mth(tree), "{size}");
        for index in 0..size {
            let proof = inclusion(tree, index).unwrap();
            assert_eq!(proof, path(index, tree), "{index} of {size}");
            let holds = verify_inclusion(tree[index], index as u64, size as u64, root(tree), &proof);
            assert_eq!(holds, Ok(()), "{index} of {size}");
        }
        assert_eq!(inclusion(tree, size), None);
        for old in 1..=size {
            let proof = consistency(tree, old).unwrap();
            assert_eq!(proof, subproof(old, tree, true), "{old} to {size}");
            let (before, after) = ((old as u64, root(&tree[..old])), (size as u64, root(tree)));
            assert_eq!(verify_consistency(before, after, &proof), Ok(()), "{old} to {size}");
        }
        assert_eq!((consistency(tree, 0), consistency(tree, size + 1)), (None, None));
    }
}

#[test]
fn a_proof_with_one_bit_changed_or_a_hash_more_or_less_proves_nothing() {
    let all = leaves(13);
    let whole = root(&all);
    for index in 0..all.len() {
        let proof = inclusion(&all, index).unwrap();
        let holds = |proof: &[Digest]| verify_inclusion(all[index], index as u64, 13, whole, proof);
        for changed in changed(&proof) {
            assert!(holds(&changed).is_err(), "{index}: {changed:?}");
        }
        for at in (0..all.len()).filter(|at| *at != index) {
            assert!(verify_inclusion(all[index], at as u64, 13, whole, &proof).is_err(), "{index} at {at}");
            assert!(verify_inclusion(all[at], index as u64, 13, whole, &proof).is_err(), "{at} as {index}");
        }
        for size in (0..20).filter(|size| *size != 13) {
            // A path may fit other sizes too, and must not come to their roots.
            let other = if size == 0 { whole } else { root(&leaves(size)) };
            assert!(verify_inclusion(all[index], index as u64, size as u64, other, &proof).is_err());
        }
    }
    for old in 1..all.len() {
        let proof = consistency(&all, old).unwrap();
        let before = (old as u64, root(&all[..old]));
        for changed in changed(&proof) {
            assert!(verify_consistency(before, (13, whole), &changed).is_err(), "{old}: {changed:?}");
        }
        let forked: Vec<_> = all.iter().map(|hash| leaf(&hash.0)).collect();
        let fork = (old as u64, root(&forked[..old]));
        assert!(verify_consistency(fork, (13, whole), &proof).is_err(), "a fork of {old}");
        assert!(verify_consistency(before, (13, root(&forked)), &proof).is_err(), "a fork at 13");
    }
    assert_eq!(verify_consistency((0, root(&[])), (13, whole), &[]), Err(NotProven::Sizes));
    assert_eq!(verify_consistency((14, whole), (13, whole), &[]), Err(NotProven::Sizes));
    assert_eq!(verify_consistency((13, root(&all[..12])), (13, whole), &[]), Err(NotProven::Root));
}

/// The proof with each of its bits flipped, each hash left out, said twice or put in another place.
fn changed(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let mut all = vec![[proof, &[leaf(b"more")]].concat()];
    for place in 0..proof.len() {
        for bit in [0, 100, 255] {
            let mut flipped = proof.to_vec();
            flipped[place].0[bit / 8] ^= 1 << (bit % 8);
            all.push(flipped);
        }
        let mut shorter = proof.to_vec();
        let hash = shorter.remove(place);
        all.push(shorter.clone());
        let mut doubled = proof.to_vec();
        doubled.insert(place, hash);
        all.push(doubled);
        if place > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(place, place - 1);
            all.push(swapped);
        }
    }
    all
}

#[test]
fn a_frontier_is_read_back_and_another_size_or_length_is_not_one() {
    let mut frontier = Frontier::default();
    for leaf in leaves(100) {
        frontier.append(leaf);
        let bytes = frontier.to_bytes();
        assert_eq!(Frontier::from_bytes(frontier.size(), &bytes), Ok(frontier.clone()));
        assert!(Frontier::from_bytes(frontier.size(), &bytes[1..]).is_err());
        assert!(Frontier::from_bytes(frontier.size() * 2 + 1, &bytes).is_err());
    }
    assert_eq!(Frontier::from_bytes(0, &[]), Ok(Frontier::default()));
}

proptest! {
    #[test]
    fn appended_one_by_one_they_come_to_the_root_of_the_definition(records in vec(vec(any::<u8>(), 0..8), 0..200)) {
        let leaves: Vec<_> = records.iter().map(|bytes| leaf(bytes)).collect();
        let mut frontier = Frontier::default();
        for (count, leaf) in (1..).zip(&leaves) {
            frontier.append(*leaf);
            prop_assert_eq!(frontier.size(), count);
        }
        prop_assert_eq!(frontier.root(), mth(&leaves));
    }

    #[test]
    fn a_flipped_bit_a_dropped_swapped_or_inserted_record_or_another_order_is_another_root(
        mut records in vec(vec(any::<u8>(), 1..8), 2..60),
        place in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
        how in 0..4,
    ) {
        let roots = |records: &[Vec<u8>]| root(&records.iter().map(|bytes| leaf(bytes)).collect::<Vec<_>>());
        let (before, whole) = (records.clone(), roots(&records));
        let at = place.index(records.len());
        match how {
            0 => {
                let bit = bit.index(records[at].len() * 8);
                records[at][bit / 8] ^= 1 << (bit % 8);
            }
            1 => drop(records.remove(at)),
            2 => records.swap(at, 0),
            _ => records.insert(at, vec![0]),
        }
        if records != before {
            prop_assert_ne!(roots(&records), whole);
        }
    }
}

#[test]
fn roots_and_proofs_are_those_of_another_implementation() {
    let mut theirs = ct_merkle::mem_backed_tree::MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut ours = Vec::new();
    for number in 0..70_usize {
        let record = format!("record {number}").into_bytes();
        ours.push(leaf(&record));
        theirs.push(record);
        assert_eq!(theirs.root().as_bytes().as_slice(), root(&ours).0, "{number}");
        let bytes = |proof: Vec<Digest>| proof.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
        for index in 0..=number {
            let expected = theirs.prove_inclusion(index);
            assert_eq!(bytes(inclusion(&ours, index).unwrap()), expected.as_bytes(), "{index} of {number}");
            let expected = theirs.prove_consistency(number - index);
            let found = bytes(consistency(&ours, index + 1).unwrap());
            assert_eq!(found, expected.as_bytes(), "{index} to {number}");
        }
    }
}
