use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::action::{Action, Call, EffectClass, HttpCall, Precondition, Registry, Rendering};
use crate::json::{self, CanonicalInput};
use crate::preview::RecordUse;
use crate::problem::SourceFile;

const STRIPE: &str = include_str!("../../../testdata/actions/stripe.toml");
const CRM: &str = include_str!("../../../testdata/actions/crm.toml");
const ID: &str = "prp_01k0000000000000000000000a";

fn load(text: &str) -> Registry {
    let file = SourceFile { path: "actions/test.toml".to_owned(), text: text.to_owned() };
    match Registry::load(&[file], &["support".to_owned()]) {
        Ok((registry, _)) => registry,
        Err(problems) => {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn action(text: &str, name: &str) -> Arc<Action> {
    Arc::clone(load(text).get(name).unwrap())
}

fn input(action: &Action, value: &Value) -> CanonicalInput {
    action.validate(json::read(value.to_string().as_bytes()).unwrap()).unwrap()
}

fn before(body: Value, etag: Option<&str>) -> Before {
    Before { body, etag: etag.map(ToOwned::to_owned), source: "GET x".to_owned() }
}

fn charge() -> Value {
    json!({"id": "ch_12345678", "amount": 2000, "amount_refunded": 500, "currency": "usd",
        "billing_details": {"address": "Main St", "name": "Ann"}})
}

fn http(rendering: &Rendering) -> &HttpCall {
    let Call::Http(call) = &rendering.call;
    call
}

fn refund(value: &Value, record: Value) -> Result<Rendering, RenderError> {
    let action = action(STRIPE, "stripe.refund.create");
    action.rendering(&input(&action, value), Some(&before(record, None)), ID)
}

#[test]
fn a_refund_without_an_amount_becomes_one_exact_call_for_what_is_left() {
    let rendering = refund(&json!({"charge": "ch_12345678"}), charge()).unwrap();
    assert_eq!(rendering.resource.to_text(), "stripe Charge ch_12345678");
    assert_eq!(rendering.environment, "support");
    assert_eq!((rendering.risk.amount, rendering.risk.exact.as_str()), (15, "15.00"));
    assert_eq!(rendering.risk.currency, "usd");
    assert!(
        rendering.risk.mutating
            && rendering.risk.external
            && rendering.risk.financial
            && !rendering.risk.reversible
    );
    assert_eq!(rendering.risk.count, 1);
    assert_eq!(rendering.effects, ["Sends 15.00 usd to the customer's card.", "Cannot be undone."]);
    let Call::Http(call) = &rendering.call;
    assert_eq!((call.method, call.url.as_str()), (Method::Post, "https://api.stripe.com/v1/refunds"));
    assert_eq!(call.headers, [("idempotency-key".to_owned(), ID.to_owned())]);
    let (content_type, body) = call.body.clone().unwrap();
    assert_eq!(content_type, "application/x-www-form-urlencoded");
    assert_eq!(
        body,
        format!("amount=1500&charge=ch_12345678&metadata%5Bcountersign%5D={ID}&reason=requested_by_customer")
    );
    assert_eq!(call.credential.as_deref(), Some("stripe-refunds"));
    assert_eq!((call.timeout_ms, call.effect), (30_000, EffectClass::Keyed));
    assert_eq!(call.ok.iter().copied().collect::<Vec<_>>(), [200]);
    let expect = json!({"/amount": 2000, "/amount_refunded": 500, "/currency": "usd", "/disputed": null});
    let Precondition::Watched { values, .. } = &rendering.precondition else { panic!("{rendering:?}") };
    assert_eq!(serde_json::to_value(values).unwrap(), expect);
    assert_eq!(rendering.after.unwrap()["amount_refunded"], json!(2000));
}

#[test]
fn a_watched_field_must_be_in_the_record_a9() {
    let text = STRIPE.replace("watch   = [", "watch   = [\"/status\", \"/billing_details/name\", ");
    let action = action(&text, "stripe.refund.create");
    let given = input(&action, &json!({"charge": "ch_12345678"}));
    let rendering = |record: &Value| action.rendering(&given, Some(&before(record.clone(), None)), ID);
    let error = rendering(&charge()).unwrap_err();
    assert_eq!(error.place, "preview.watch");
    assert!(error.detail.contains("has no `/status`") && !error.detail.contains("disputed"), "{error}");
    let whole = json!({"amount": 2000, "amount_refunded": 500, "currency": "usd", "status": null,
        "billing_details": {"name": "Ann"}});
    let Precondition::Watched { values, .. } = rendering(&whole).unwrap().precondition else {
        panic!("{whole}")
    };
    let expect = json!({"/amount": 2000, "/amount_refunded": 500, "/currency": "usd", "/disputed": null,
        "/status": null, "/billing_details/name": "Ann"});
    assert_eq!(serde_json::to_value(values).unwrap(), expect);
    for part in [json!({}), json!(null), json!([]), json!("secret")] {
        let mut record = whole.clone();
        record["billing_details"] = part;
        let error = rendering(&record).unwrap_err();
        assert!(error.detail.contains("has no `/billing_details/name`"), "{record}: {error}");
        assert!(!error.detail.contains("secret"), "{error}");
    }
}

#[test]
fn an_amount_that_the_agent_names_is_the_amount_that_policy_sees() {
    let rendering = refund(&json!({"charge": "ch_12345678", "amount": 1234}), charge()).unwrap();
    assert_eq!((rendering.risk.amount, rendering.risk.exact.as_str()), (13, "12.34"));
    assert!(http(&rendering).body.clone().unwrap().1.starts_with("amount=1234&"));
}

#[test]
fn a_record_that_does_not_fit_refuses_the_proposal() {
    for (record, place) in [
        (json!({"amount": 2000, "currency": "usd"}), "preview.let.minor_units"),
        (json!({"amount": 100, "amount_refunded": 500, "currency": "usd"}), "risk.amount"),
        (json!({"amount": 2000, "amount_refunded": 0, "currency": "dollars"}), "risk.amount"),
        (json!({"amount": 2000, "amount_refunded": 0, "currency": null}), "risk.amount"),
        (json!({"amount": "secret", "amount_refunded": 0, "currency": "usd"}), "preview.let.minor_units"),
        (json!([]), "preview.let.minor_units"),
        (json!(null), "preview.let.minor_units"),
    ] {
        let error = refund(&json!({"charge": "ch_12345678"}), record.clone()).unwrap_err();
        assert_eq!(error.place, place, "{record}: {error}");
        assert!(!error.detail.contains("secret"), "{error}");
    }
    let action = action(STRIPE, "stripe.refund.create");
    let error = action.rendering(&input(&action, &json!({"charge": "ch_12345678"})), None, ID).unwrap_err();
    assert_eq!(error.place, "preview.read");
}

#[test]
fn the_preview_read_uses_the_read_credential_and_the_system_origin() {
    let action = action(STRIPE, "stripe.refund.create");
    let read = action.read_call(&input(&action, &json!({"charge": "ch_12345678"}))).unwrap().unwrap();
    assert_eq!(read.method, Method::Get);
    assert_eq!(read.url, "https://api.stripe.com/v1/charges/ch_12345678");
    assert_eq!(read.credential.as_deref(), Some("stripe-ro"));
}

#[test]
fn a_read_has_its_own_class_and_credential_and_drops_an_absent_query_value() {
    let action = action(STRIPE, "stripe.charge.get");
    let plain = input(&action, &json!({"charge": "ch_12345678"}));
    assert_eq!(action.read_call(&plain), Ok(None));
    let rendering = action.rendering(&plain, None, ID).unwrap();
    assert_eq!(http(&rendering).url, "https://api.stripe.com/v1/charges/ch_12345678");
    assert_eq!(http(&rendering).credential.as_deref(), Some("stripe-ro"));
    assert!(!rendering.risk.mutating);
    assert_eq!(
        (rendering.risk.amount, rendering.risk.exact.as_str(), rendering.risk.currency.as_str()),
        (0, "0.0", "")
    );
    let names: Vec<&str> = http(&rendering).headers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["accept", "stripe-version"]);
    let expanded = input(&action, &json!({"charge": "ch_12345678", "expand": "a&b=c#d é"}));
    assert_eq!(
        http(&action.rendering(&expanded, None, ID).unwrap()).url,
        "https://api.stripe.com/v1/charges/ch_12345678?expand%5B%5D=a%26b%3Dc%23d%20%C3%A9"
    );
}

#[test]
fn an_etag_binds_a_merge_patch_and_a_missing_one_refuses() {
    let action = action(CRM, "crm.contact.update");
    let given = input(&action, &json!({"id": "c_42", "changes": {"plan": "pro"}}));
    let record = json!({"name": "Ann", "plan": "free", "phone": "1"});
    let rendering = action.rendering(&given, Some(&before(record.clone(), Some("\"v7\""))), ID).unwrap();
    assert_eq!(rendering.precondition, Precondition::Etag { etag: "\"v7\"".to_owned() });
    assert_eq!(http(&rendering).headers, [("if-match".to_owned(), "\"v7\"".to_owned())]);
    assert_eq!(http(&rendering).url, "https://crm.example.com/api/contacts/c_42");
    let body = ("application/merge-patch+json".to_owned(), r#"{"plan":"pro"}"#.to_owned());
    assert_eq!(http(&rendering).body, Some(body));
    assert_eq!(rendering.after, Some(json!({"name": "Ann", "plan": "pro", "phone": "1"})));
    assert_eq!(rendering.effects, ["Changes contact Ann."]);
    for etag in [None, Some(""), Some("\"a\r\nx: y\""), Some("\"é\"")] {
        let error = action.rendering(&given, Some(&before(record.clone(), etag)), ID).unwrap_err();
        assert_eq!(error.place, "preview.bind", "{etag:?}");
    }
}

#[test]
fn a_put_replaces_the_record_and_drops_what_the_agent_left_out() {
    let action = action(CRM, "crm.contact.replace");
    let given = input(&action, &json!({"id": 7, "name": "Bo"}));
    let rendering = action.rendering(&given, Some(&before(json!({"version": 3}), None)), ID).unwrap();
    assert_eq!(rendering.resource.id, "7");
    assert_eq!(http(&rendering).body.clone().unwrap().1, r#"{"name":"Bo"}"#);
    assert_eq!(rendering.after, Some(json!({"name": "Bo"})));
}

#[test]
fn the_count_is_the_longest_array_of_the_input_unless_the_manifest_says_otherwise() {
    let action = action(CRM, "crm.contacts.tag");
    let rendering =
        action.rendering(&input(&action, &json!({"ids": ["a", "b"], "tag": "x"})), None, ID).unwrap();
    assert_eq!(rendering.risk.count, 2);
    assert_eq!(rendering.effects, ["Tags 2 contacts with x."]);
    assert_eq!(http(&rendering).url, "https://crm.example.com/api/tags/x:apply");
    assert_eq!(rendering.after, None);
}

#[test]
fn redaction_covers_the_record_and_leaves_the_rest() {
    let action = action(STRIPE, "stripe.refund.create");
    let shown = action.redact(&charge());
    assert_eq!(shown["billing_details"], json!({"address": "(redacted)", "name": "Ann"}));
    assert_eq!(action.redact(&json!({"a": 1})), json!({"a": 1}));
}

#[test]
fn the_same_input_gives_the_same_facts_for_another_id_but_for_the_id_itself() {
    let action = action(STRIPE, "stripe.refund.create");
    let given = input(&action, &json!({"charge": "ch_12345678"}));
    let record = before(charge(), None);
    let one = action.rendering(&given, Some(&record), "prp_one").unwrap();
    let two = action.rendering(&given, Some(&record), "prp_two").unwrap();
    assert_eq!(one.call.masked("prp_one"), two.call.masked("prp_two"));
    assert_eq!(Rendering { call: two.call.clone(), ..one }, two);
}

#[test]
fn amounts_are_exact_and_rounded_up() {
    for (value, expect) in [
        (json!("0"), Some((0, "0.0"))),
        (json!("12.00"), Some((12, "12.00"))),
        (json!("12.0001"), Some((13, "12.0001"))),
        (json!("0012.5"), Some((13, "12.5"))),
        (json!(7), Some((7, "7.0"))),
        (json!(7.25), Some((8, "7.25"))),
        (json!("99999999999999.9999"), Some((100_000_000_000_000, "99999999999999.9999"))),
        (json!("100000000000000"), None),
        (json!("-1"), None),
        (json!(-0.5), None),
        (json!("1.00001"), None),
        (json!("1e3"), None),
        (json!(1e300), None),
        (json!("1,000"), None),
        (json!("."), None),
        (json!("1."), None),
        (json!(""), None),
        (json!(true), None),
        (json!(null), None),
    ] {
        let got = amount::amount(&value).ok();
        assert_eq!(got, expect.map(|(i, s): (i64, &str)| (i, s.to_owned())), "{value}");
    }
}

/// A POST to a path with one free segment, a free query value, a free header and a free form field.
fn open_action() -> Arc<Action> {
    let text = r#"
        [system]
        name = "s"
        base_url = "https://api.example.com:8443/v2"
        env = "support"
        owner = "o"
        [action."a"]
        title = "t"
        description = "d"
        groups = ["write"]
        [action."a".input]
        p = { type = "string", required = true }
        q = { type = "string", default = "q" }
        h = { type = "string", default = "h" }
        [action."a".resource]
        type = "T"
        id = "x"
        [action."a".request]
        method = "POST"
        path = "/a/${input.p}/b"
        query = { q = "${input.q}", fixed = "1" }
        headers = { "X-Note" = "n ${input.h}" }
        encoding = "form"
        body = { p = "${input.p}", list = ["${input.q}", true], "a-b" = { c = 1 } }
    "#;
    action(text, "s.a")
}

#[test]
fn paths_that_would_move_are_refused_t68_r24() {
    let action = open_action();
    for evil in [
        "", ".", "..", "../x", "x/..", "a/../b", "./a", "..\\x", "a\\..\\b", "x\ny", "x\0y", "\u{85}",
        "x\r\n", "\u{7f}",
    ] {
        let error = action.rendering(&input(&action, &json!({"p": evil})), None, ID).unwrap_err();
        assert_eq!(error.place, "request.path", "{evil:?}");
    }
    for (text, segment) in [
        ("%2e%2e", "%252e%252e"),
        ("%2f", "%252f"),
        ("a/b", "a%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a;b@c:d", "a%3Bb%40c%3Ad"),
        ("//evil.example", "%2F%2Fevil.example"),
        ("．．", "%EF%BC%8E%EF%BC%8E"),
        ("...", "..."),
    ] {
        let rendering = action.rendering(&input(&action, &json!({"p": text})), None, ID).unwrap();
        let expect = format!("https://api.example.com:8443/v2/a/{segment}/b?fixed=1&q=q");
        assert_eq!(http(&rendering).url, expect, "{text:?}");
    }
}

#[test]
fn header_values_are_visible_ascii_or_refused_t69() {
    let action = open_action();
    for evil in ["a\r\nb: c", "a\nb", "a\0", "é", "a\t", "a ", "\u{7f}", ""] {
        let error = action.rendering(&input(&action, &json!({"p": "x", "h": evil})), None, ID).unwrap_err();
        assert_eq!(error.place, "request.headers.x-note", "{evil:?}");
    }
    let rendering = action.rendering(&input(&action, &json!({"p": "x", "h": "a b"})), None, ID).unwrap();
    assert_eq!(http(&rendering).headers, [("x-note".to_owned(), "n a b".to_owned())]);
}

/// An action of which every part that can read the record does.
const ALL_FROM_RECORD: &str = r#"
[system]
name = "s"
base_url = "https://api.example.com/v2"
env = "support"
owner = "o"
[action."a"]
title = "t"
description = "d"
groups = ["write"]
[action."a".input]
id = { type = "string", pattern = "^[a-z]{1,9}$", required = true }
[action."a".resource]
type = "T"
id = "${owner}"
[action."a".preview]
read = { path = "/x/${input.id}" }
bind = "etag"
let = { owner = "${before.owner}", twice = "${owner + owner}", plain = "${input.id + '!'}" }
effects = ["To ${twice}.", "For ${plain}.", "From ${size(before.list) > 0 ? size(before.list) : 1} of ${input.id}."]
after = { n = "${twice}" }
[action."a".risk]
amount = "12.50"
currency = "${before.currency}"
count = "${size(before.list) > 0 ? size(before.list) : 1}"
[action."a".request]
method = "POST"
path = "/a/${twice}"
headers = { X-Plain = "${plain}", X-Owner = "${owner}" }
body = { to = "${has(before.owner) ? 1 : 2}" }
"#;

#[test]
fn facts_without_the_record_leave_out_exactly_what_depends_on_it_a3() {
    let action = action(ALL_FROM_RECORD, "s.a");
    let given = input(&action, &json!({"id": "x"}));
    let expect = RecordReads { read: true, resource: true, amount: true, count: true };
    assert_eq!(action.record_reads(), expect);
    let rendering = action.unread_rendering(&given, ID).unwrap();
    assert_eq!(
        (rendering.resource.id.as_str(), rendering.risk.amount, rendering.risk.count),
        ("(not read)", 0, 1)
    );
    assert_eq!((rendering.risk.exact.as_str(), rendering.risk.currency.as_str()), ("0.0", ""));
    assert_eq!(rendering.effects, ["For x!."]);
    assert_eq!(http(&rendering).url, "https://api.example.com/v2");
    assert_eq!(http(&rendering).headers, [("x-plain".to_owned(), "x!".to_owned())]);
    assert_eq!(
        (http(&rendering).body.clone(), rendering.after, rendering.precondition),
        (None, None, Precondition::None)
    );
    let record = json!({"owner": "ada", "list": [1, 2], "currency": "usd"});
    let read = action.rendering(&given, Some(&before(record, Some("\"e\""))), ID).unwrap();
    let disclosure = action.disclosure(&read, true);
    assert_eq!(disclosure.effects, ["For x!."]);
    assert!(!disclosure.resource && !disclosure.call);
    assert_eq!(disclosure.record, RecordUse::Withheld);
}

#[test]
fn what_needs_no_record_is_the_same_before_and_after_the_read_a3() {
    let action = action(STRIPE, "stripe.refund.create");
    let given = input(&action, &json!({"charge": "ch_12345678", "amount": 1234}));
    let expect = RecordReads { read: true, resource: false, amount: true, count: false };
    assert_eq!(action.record_reads(), expect);
    let unread = action.unread_rendering(&given, ID).unwrap();
    let read = action.rendering(&given, Some(&before(charge(), None)), ID).unwrap();
    assert_eq!((&unread.resource, unread.risk.count), (&read.resource, read.risk.count));
    assert_eq!((&http(&unread).url, &http(&unread).headers), (&http(&read).url, &http(&read).headers));
    assert_eq!(unread.effects, ["Cannot be undone."]);
    assert_eq!(action.disclosure(&read, true).effects, unread.effects);
    // An action that reads nothing is computed whole.
    let get = self::action(STRIPE, "stripe.charge.get");
    let given = input(&get, &json!({"charge": "ch_12345678"}));
    assert_eq!(get.unread_rendering(&given, ID).unwrap(), get.rendering(&given, None, ID).unwrap());
    assert_eq!(get.record_reads(), RecordReads::default());
}

#[test]
fn an_action_can_be_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<Registry>();
}

proptest! {
    #[test]
    fn whatever_the_input_the_url_stays_at_its_place_t68(p in any::<String>(), q in any::<String>()) {
        let action = open_action();
        let given = action.validate(json!({"p": p, "q": q})).unwrap();
        if let Ok(rendering) = action.rendering(&given, None, ID) {
            let url = ::url::Url::parse(&http(&rendering).url).unwrap();
            prop_assert_eq!(url.as_str(), &http(&rendering).url);
            prop_assert_eq!((url.scheme(), url.host_str(), url.port()), ("https", Some("api.example.com"), Some(8443)));
            prop_assert_eq!(url.path_segments().unwrap().count(), 4);
            prop_assert!(url.path().starts_with("/v2/a/") && url.path().ends_with("/b"));
            let pairs: Vec<(String, String)> =
                url.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
            prop_assert_eq!(pairs, [("fixed".to_owned(), "1".to_owned()), ("q".to_owned(), q.clone())]);
            let body = http(&rendering).body.clone().unwrap().1;
            let fields: Vec<(String, String)> = ::url::form_urlencoded::parse(body.as_bytes())
                .map(|(k, v)| (k.into_owned(), v.into_owned()))
                .collect();
            let expect = [("a-b[c]", "1"), ("list[0]", &q), ("list[1]", "true"), ("p", &p)];
            prop_assert_eq!(fields, expect.map(|(k, v)| (k.to_owned(), v.to_owned())));
        }
    }
}
