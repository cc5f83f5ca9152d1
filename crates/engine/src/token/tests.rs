//! Tables of tokens against one key set, and the standards' own examples.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::time::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "https://gate.example";
const NOW: i64 = 1_700_000_000;

const EXPECTED: Expectations<'_> =
    Expectations { issuer: ISSUER, audience: AUDIENCE, algorithms: &Algorithm::ALL };

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.checked_mul(1_000_000).unwrap())
}

/// A key of an issuer.
struct Signer {
    pkcs8: Vec<u8>,
    jwk: Value,
}

impl Signer {
    fn new(kid: &str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pkcs8 = pkcs8.as_ref().to_vec();
        let mut signer = Self { pkcs8, jwk: Value::Null };
        let pair = signer.pair(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let point = pair.public_key().as_ref();
        signer.jwk = json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
            "x": b64(&point[1..33]), "y": b64(&point[33..]) });
        signer
    }

    fn pair(&self, algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(algorithm, &self.pkcs8, &SystemRandom::new()).unwrap()
    }

    fn sign(&self, header: &Value, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header.to_string()), b64(payload));
        let pair = self.pair(&ECDSA_P256_SHA256_FIXED_SIGNING);
        format!("{signed}.{}", b64(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()))
    }
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "a", "typ": "at+jwt" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "bot", "client_id": "bot", "iat": NOW, "exp": NOW + 300 })
}

/// A value with one member changed, or removed by null.
fn with(base: Value, member: &str, value: Value) -> Value {
    let mut base = base;
    let members = base.as_object_mut().unwrap();
    if value.is_null() {
        drop(members.remove(member));
    } else {
        drop(members.insert(member.to_owned(), value));
    }
    base
}

fn answer(token: &str, keys: &KeySet) -> Result<Claims, TokenError> {
    verify(SignedToken::read(token)?, keys, &EXPECTED, at(NOW))
}

#[test]
fn a_claim_that_is_not_as_it_must_be_refuses_the_token_t37_t38() {
    let signer = Signer::new("a");
    let keys = set(std::slice::from_ref(&signer.jwk));
    for (claim, value, expect) in [
        ("sub", json!("somebody else"), Ok(())),
        ("iss", json!("https://login.example/"), Err(TokenError::Issuer)),
        ("iss", json!("https://login.exampl"), Err(TokenError::Issuer)),
        ("iss", json!([ISSUER]), Err(TokenError::Issuer)),
        ("iss", Value::Null, Err(TokenError::Issuer)),
        ("aud", json!([AUDIENCE]), Ok(())),
        ("aud", json!("https://other.example"), Err(TokenError::Audience)),
        ("aud", json!("https://gate.exampl"), Err(TokenError::Audience)),
        ("aud", json!("https://gate.example.evil.example"), Err(TokenError::Audience)),
        ("aud", json!("https://gate.example/"), Err(TokenError::Audience)),
        ("aud", json!("HTTPS://gate.example"), Err(TokenError::Audience)),
        ("aud", json!([AUDIENCE, "https://other.example"]), Err(TokenError::Audience)),
        ("aud", json!([AUDIENCE, AUDIENCE]), Err(TokenError::Audience)),
        ("aud", json!([[AUDIENCE]]), Err(TokenError::Audience)),
        ("aud", json!({ "0": AUDIENCE }), Err(TokenError::Audience)),
        ("aud", json!([]), Err(TokenError::Audience)),
        ("aud", json!(""), Err(TokenError::Audience)),
        ("aud", Value::Null, Err(TokenError::Audience)),
        ("exp", json!(NOW + 1), Ok(())),
        ("exp", json!(NOW), Err(TokenError::Expired)),
        ("exp", json!(NOW - 30), Err(TokenError::Expired)),
        ("exp", json!(0), Err(TokenError::Expired)),
        ("exp", Value::Null, Err(TokenError::Claim("exp"))),
        ("exp", json!("1900000000"), Err(TokenError::Claim("exp"))),
        ("exp", json!(-1), Err(TokenError::Claim("exp"))),
        ("exp", json!(1.5), Err(TokenError::Claim("exp"))),
        ("exp", json!(9_007_199_254_740_991_u64), Err(TokenError::Claim("exp"))),
        ("exp", json!(NOW + 86_400), Ok(())),
        ("exp", json!(NOW + 86_401), Err(TokenError::LivesTooLong)),
        ("iat", json!(NOW + 60), Ok(())),
        ("iat", json!(NOW + 61), Err(TokenError::NotYetValid)),
        ("iat", json!(NOW - 86_200), Err(TokenError::LivesTooLong)),
        ("iat", Value::Null, Err(TokenError::Claim("iat"))),
        ("nbf", json!(NOW + 60), Ok(())),
        ("nbf", json!(NOW + 61), Err(TokenError::NotYetValid)),
        ("nbf", json!(true), Err(TokenError::Claim("nbf"))),
    ] {
        let token = signer.sign(&header(), &with(claims(), claim, value.clone()).to_string());
        let found = answer(&token, &keys).map(|claims| {
            assert_eq!(claims.text("client_id"), Some("bot"));
        });
        assert_eq!(found, expect, "{claim}: {value}");
    }
}

#[test]
fn a_header_that_is_not_as_it_must_be_refuses_the_token_t38() {
    let signer = Signer::new("a");
    let keys = set(std::slice::from_ref(&signer.jwk));
    let own_key = with(signer.jwk.clone(), "kid", json!("mine"));
    for (member, value, expect) in [
        ("typ", json!("JWT"), Ok(())),
        ("typ", json!("application/AT+JWT"), Ok(())),
        ("typ", json!("dpop+jwt"), Err(TokenError::Type)),
        ("typ", json!("application/application/jwt"), Err(TokenError::Type)),
        ("typ", Value::Null, Err(TokenError::Type)),
        ("alg", json!("none"), Err(TokenError::Algorithm)),
        ("alg", json!("NONE"), Err(TokenError::Algorithm)),
        ("alg", json!("HS256"), Err(TokenError::Algorithm)),
        ("alg", json!("es256"), Err(TokenError::Algorithm)),
        ("alg", json!("ES384"), Err(TokenError::Algorithm)),
        ("alg", json!(["ES256"]), Err(TokenError::Algorithm)),
        ("alg", Value::Null, Err(TokenError::Algorithm)),
        // The key is for another algorithm.
        ("alg", json!("RS256"), Err(TokenError::UnknownKey)),
        ("alg", json!("EdDSA"), Err(TokenError::UnknownKey)),
        ("kid", json!("b"), Err(TokenError::UnknownKey)),
        ("kid", json!(""), Err(TokenError::UnknownKey)),
        ("kid", json!(["a"]), Err(TokenError::UnknownKey)),
        ("kid", json!("a".repeat(256)), Err(TokenError::UnknownKey)),
        ("kid", Value::Null, Err(TokenError::UnknownKey)),
        ("crit", json!(["exp"]), Err(TokenError::Critical)),
        ("crit", json!([]), Err(TokenError::Critical)),
        ("b64", json!(true), Ok(())),
        // What a header says about where a key is does not matter.
        ("jku", json!("https://evil.example/keys"), Ok(())),
        ("jwk", own_key, Ok(())),
    ] {
        let token = signer.sign(&with(header(), member, value.clone()), &claims().to_string());
        assert_eq!(answer(&token, &keys).map(drop), expect, "{member}: {value}");
    }
    let sound = signer.sign(&header(), &claims().to_string());
    let only = |algorithms: &[Algorithm]| {
        let expected = Expectations { algorithms, ..EXPECTED };
        verify(SignedToken::read(&sound).unwrap(), &keys, &expected, at(NOW)).map(drop)
    };
    assert_eq!(only(&[Algorithm::Es256]), Ok(()));
    assert_eq!(only(&[Algorithm::Rs256, Algorithm::EdDsa]), Err(TokenError::Algorithm));
    assert_eq!(only(&[]), Err(TokenError::Algorithm));
}

#[test]
fn what_is_not_one_strict_token_is_malformed_t38() {
    let signer = Signer::new("a");
    let keys = set(std::slice::from_ref(&signer.jwk));
    let sound = signer.sign(&header(), &claims().to_string());
    let [head, body, signature] = sound.split('.').collect::<Vec<_>>()[..] else { panic!("{sound}") };
    // The same bytes with another last letter, whose spare bits are not zero.
    let spare = format!("{}B", signature.get(..85).unwrap());
    let twice = format!("{},\"aud\":\"https://other.example\"}}", claims().to_string().trim_end_matches('}'));
    let folded =
        format!("{},\"AUD\":\"https://other.example\"}}", claims().to_string().trim_end_matches('}'));
    for (name, token) in [
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
        ("words", "a.b.c".to_owned()),
        ("no signature", format!("{head}.{body}")),
        ("encrypted, with five parts", format!("{sound}.{body}.{signature}")),
        ("a blank before", format!(" {sound}")),
        ("a line after", format!("{sound}\n")),
        ("padding", format!("{head}.{body}.{signature}==")),
        ("spare bits", format!("{head}.{body}.{spare}")),
        (
            "another alphabet",
            format!("{head}.{}.{signature}", STANDARD.encode(claims().to_string() + "?>?>")),
        ),
        ("a header that is a list", format!("{}.{body}.{signature}", b64("[]"))),
        ("a payload that is a text", signer.sign(&header(), "\"x\"")),
        ("a payload that is no JSON", signer.sign(&header(), "x")),
        ("a claim twice", signer.sign(&header(), &twice)),
        ("a claim twice in another case", signer.sign(&header(), &folded)),
        ("a payload and more", signer.sign(&header(), &format!("{} {{}}", claims()))),
    ] {
        assert_eq!(answer(&token, &keys).map(drop), Err(TokenError::Malformed), "{name}");
    }
    let long = with(claims(), "groups", json!("x".repeat(12_300)));
    assert_eq!(answer(&signer.sign(&header(), &long.to_string()), &keys).map(drop), Err(TokenError::TooLong));
    let fits = with(claims(), "groups", json!("x".repeat(11_000)));
    assert_eq!(answer(&signer.sign(&header(), &fits.to_string()), &keys).map(drop), Ok(()));
}

#[test]
fn a_signature_is_believed_only_from_the_key_that_is_named_t38() {
    let (signer, other) = (Signer::new("a"), Signer::new("a"));
    let second = with(other.jwk.clone(), "kid", json!("b"));
    let keys = set(&[signer.jwk.clone(), second]);
    let sound = signer.sign(&header(), &claims().to_string());
    let [head, body, signature] = sound.split('.').collect::<Vec<_>>()[..] else { panic!("{sound}") };
    let signed = format!("{head}.{body}");
    // The form of TLS and X.509 is not the form of a JWS (RFC 7518 section 3.4).
    let der = signer.pair(&ECDSA_P256_SHA256_ASN1_SIGNING);
    let der = b64(der.sign(&SystemRandom::new(), signed.as_bytes()).unwrap());
    let more = with(claims(), "client_id", json!("admin")).to_string();
    for (name, token) in [
        ("another key of the name", other.sign(&header(), &claims().to_string())),
        ("another key of the issuer", signer.sign(&with(header(), "kid", json!("b")), &claims().to_string())),
        ("no bytes", format!("{signed}.")),
        ("zeros, which a broken verifier takes", format!("{signed}.{}", b64([0; 64]))),
        ("half of it", format!("{signed}.{}", signature.get(..40).unwrap())),
        ("another form", format!("{signed}.{der}")),
        ("another payload", format!("{head}.{}.{signature}", b64(more))),
        ("another header", format!("{}.{body}.{signature}", b64(with(header(), "x", json!(1)).to_string()))),
    ] {
        assert_eq!(answer(&token, &keys).map(drop), Err(TokenError::Signature), "{name}");
    }
    for byte in 0..64 {
        let mut changed = URL_SAFE_NO_PAD.decode(signature).unwrap();
        changed[byte] ^= 1;
        let token = format!("{signed}.{}", b64(changed));
        assert_eq!(answer(&token, &keys).map(drop), Err(TokenError::Signature), "byte {byte}");
    }
    assert_eq!(answer(&sound, &keys).map(drop), Ok(()));
    // One name for two keys of one kind is nobody's name.
    let both = set(&[signer.jwk.clone(), other.jwk.clone()]);
    assert_eq!(answer(&sound, &both).map(drop), Err(TokenError::UnknownKey));
}

#[test]
fn a_token_with_any_character_changed_added_or_left_out_is_refused_t38() {
    let signer = Signer::new("a");
    let keys = set(std::slice::from_ref(&signer.jwk));
    let sound = signer.sign(&header(), &claims().to_string());
    let letters: Vec<char> = sound.chars().collect();
    let mut tried = 0;
    for at in 0..letters.len() {
        let (before, rest) = letters.split_at(at);
        let after = &rest[1..];
        let mut others = vec![[before, after].concat(), before.to_vec()];
        for new in ['A', 'Q', '_', '-', '.', '=', '+', ' ', '\0', 'é'] {
            others.push([before, &[new], after].concat());
            others.push([before, &[new], rest].concat());
        }
        for other in others.iter().filter(|other| **other != letters) {
            let text: String = other.iter().collect();
            assert!(answer(&text, &keys).is_err(), "{text}");
            tried = usize::saturating_add(tried, 1);
        }
    }
    assert!(tried > 5_000, "{tried}");
    assert!(answer(&sound, &keys).is_ok());
}

#[test]
fn a_public_key_is_no_shared_secret_and_a_missing_signature_is_none_t38() {
    let signer = Signer::new("a");
    let shared =
        json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": b64("a shared secret of the issuer's") });
    let keys = set(&[signer.jwk.clone(), rsa_example(), shared]);
    let public = signer.jwk.to_string().into_bytes();
    let point = [&[4], &URL_SAFE_NO_PAD.decode(signer.jwk["x"].as_str().unwrap()).unwrap()[..]].concat();
    let modulus = URL_SAFE_NO_PAD.decode(rsa_example()["n"].as_str().unwrap()).unwrap();
    for (kid, secret) in [
        ("a", public),
        ("a", point),
        ("rsa", modulus),
        ("rsa", rsa_example().to_string().into_bytes()),
        ("s", b"a shared secret of the issuer's".to_vec()),
    ] {
        for alg in ["HS256", "ES256", "RS256"] {
            let head = json!({ "alg": alg, "kid": kid, "typ": "at+jwt" });
            let signed = format!("{}.{}", b64(head.to_string()), b64(claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let found = answer(&format!("{signed}.{}", b64(tag)), &keys).map(drop);
            let expect = match (alg, kid) {
                ("HS256", _) => TokenError::Algorithm,
                ("ES256", "a") | ("RS256", "rsa") => TokenError::Signature,
                _ => TokenError::UnknownKey,
            };
            assert_eq!(found, Err(expect), "{alg} with {kid}");
        }
    }
    for alg in ["none", "None", "nOnE", ""] {
        let head = json!({ "alg": alg, "kid": "a", "typ": "at+jwt" });
        let token = format!("{}.{}.", b64(head.to_string()), b64(claims().to_string()));
        assert_eq!(answer(&token, &keys).map(drop), Err(TokenError::Algorithm), "{alg}");
    }
}

/// The key of RFC 7515 appendix A.2.
fn rsa_example() -> Value {
    let modulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
        T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7W\
        TBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2\
        PAcDTW9gb54h4FRWyuXpoQ";
    json!({ "kty": "RSA", "kid": "rsa", "n": modulus, "e": "AQAB" })
}

/// RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A.4: key, algorithm, what is signed, signature.
fn examples() -> [(Value, Algorithm, &'static str, &'static str); 3] {
    let joe = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290\
        Ijp0cnVlfQ";
    let by_rsa = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
        uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383Lc\
        OLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB\
        p0igcN_IoypGlUPQGe77Rw";
    let joe_ec = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y\
        b290Ijp0cnVlfQ";
    let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    [
        (rsa_example(), Algorithm::Rs256, joe, by_rsa),
        (
            ec,
            Algorithm::Es256,
            joe_ec,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            ed,
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ]
}

#[test]
fn the_examples_of_the_standards_hold_and_no_changed_byte_of_them_does_t38() {
    for (jwk, algorithm, signed, signature) in examples() {
        let keys = set(std::slice::from_ref(&jwk));
        let id = (jwk["kid"].as_str(), algorithm);
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(keys.verify(id, signed.as_bytes(), &signature), Ok(()), "{algorithm:?}");
        for byte in 0..signature.len() {
            let mut changed = signature.clone();
            changed[byte] ^= 0x80;
            let found = keys.verify(id, signed.as_bytes(), &changed);
            assert_eq!(found, Err(TokenError::Signature), "{algorithm:?}, byte {byte}");
        }
        for byte in 0..signed.len() {
            let mut changed = signed.as_bytes().to_vec();
            changed[byte] ^= 1;
            assert_eq!(keys.verify(id, &changed, &signature), Err(TokenError::Signature), "{algorithm:?}");
        }
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let found = keys.verify((id.0, other), signed.as_bytes(), &signature);
            assert_eq!(found, Err(TokenError::UnknownKey), "{algorithm:?} as {other:?}");
        }
    }
}

#[test]
fn a_token_signed_with_ed25519_is_as_good_as_another() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": b64(pair.public_key().as_ref()) });
    let head = with(header(), "alg", json!("EdDSA"));
    let signed = format!("{}.{}", b64(head.to_string()), b64(claims().to_string()));
    let token = format!("{signed}.{}", b64(pair.sign(signed.as_bytes())));
    assert_eq!(answer(&token, &set(&[jwk])).map(|claims| claims.expires), Ok(at(NOW + 300)));
}

#[test]
fn only_keys_that_can_verify_are_taken_from_a_set() {
    let sound = Signer::new("a").jwk;
    let usable = |jwk: Value| KeySet::read(json!({ "keys": [jwk] }).to_string().as_bytes()).is_ok();
    for (name, member, value, expect) in [
        ("as it is", "x5c", json!(["MIIB"]), true),
        ("without a use", "use", Value::Null, true),
        ("for encryption", "use", json!("enc"), false),
        ("to verify", "key_ops", json!(["verify"]), true),
        ("to sign only", "key_ops", json!(["sign"]), false),
        ("without an algorithm", "alg", Value::Null, true),
        ("for another algorithm", "alg", json!("ECDH-ES"), false),
        ("without a name", "kid", Value::Null, false),
        ("with an empty name", "kid", json!(""), false),
        ("with its private part", "d", json!("AAAA"), false),
        ("of another curve", "crv", json!("P-384"), false),
        ("of another kind", "kty", json!("oct"), false),
        ("with half a point", "y", Value::Null, false),
        ("with a short coordinate", "x", json!(b64([1; 31])), false),
        ("with a padded coordinate", "x", json!(format!("{}=", b64([1; 32]))), false),
    ] {
        assert_eq!(usable(with(sound.clone(), member, value)), expect, "{name}");
    }
    // What is not understood is left out; what is no set is none.
    assert!(KeySet::read(json!({ "keys": [{ "kty": "new" }, 7, sound] }).to_string().as_bytes()).is_ok());
    let many = json!({ "keys": vec![sound; 101] }).to_string();
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "<html>", many.as_str()] {
        assert!(KeySet::read(text.as_bytes()).is_err(), "{text:.20}");
    }
    // A short RSA key verifies nothing, whoever publishes it.
    let short = with(rsa_example(), "n", json!(b64([0xc5; 128])));
    let keys = set(&[short]);
    assert_eq!(keys.verify((Some("rsa"), Algorithm::Rs256), b"x", &[1; 128]), Err(TokenError::Signature));
}

#[test]
fn nothing_that_can_be_printed_shows_the_token_t37() {
    let signer = Signer::new("a");
    let text = signer.sign(&header(), &with(claims(), "canary", json!("canary-4711")).to_string());
    let token = SignedToken::read(&text).unwrap();
    let printed = format!("{token:?} {:?}", answer(&text, &set(&[signer.jwk])).unwrap());
    assert!(!printed.contains("canary") && !printed.contains("bot"), "{printed}");
}
