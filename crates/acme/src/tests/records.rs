use super::*;

const ADA: &str = "/v1/customers/cus_ada";

#[tokio::test]
async fn a_change_to_a_record_that_moved_on_is_refused() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let seen = acme.request(Method::GET, ADA).bearer_auth(&token).send().await.unwrap();
    let seen = seen.headers()["etag"].to_str().unwrap().to_owned();

    let patch = |body: Value, tag: &str| {
        acme.request(Method::PATCH, ADA)
            .bearer_auth(&token)
            .header("content-type", "application/merge-patch+json")
            .header("if-match", tag)
            .body(body.to_string())
    };
    let (status, body) = answer(patch(json!({ "plan": "starter", "email": null }), &seen)).await;
    assert_eq!((status.as_u16(), &body["plan"], &body["email"]), (200, &json!("starter"), &Value::Null));
    let (status, body) = answer(patch(json!({ "plan": "business" }), &seen)).await;
    assert_eq!((status.as_u16(), &body["code"]), (412, &json!("precondition_failed")));

    let delete = |tag: &str| acme.request(Method::DELETE, ADA).bearer_auth(&token).header("if-match", tag);
    assert_eq!(answer(delete(&seen)).await.0, 412);
    assert_eq!(answer(delete("\"v2\"")).await.0, 204);
    assert_eq!(acme.get(&token, ADA).await.0, 404);
    assert_eq!(acme.get(&token, "/v1/invoices/inv_1001").await.0, 200);
}

#[tokio::test]
async fn a_patch_sets_only_what_may_be_set() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    for body in [json!({ "id": "cus_x" }), json!({ "name": null }), json!({ "email": "nowhere" }), json!([1])]
    {
        let request = acme
            .request(Method::PATCH, ADA)
            .bearer_auth(&token)
            .header("content-type", "application/merge-patch+json")
            .body(body.to_string());
        assert_eq!(answer(request).await.0, 422, "{body}");
    }
    let (_, body) = acme.get(&token, ADA).await;
    assert_eq!(body["version"], 1);
}

#[tokio::test]
async fn notes_are_kept_in_order_and_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let path = "/v1/customers/cus_ada/notes";
    for text in ["First.", "Second."] {
        assert_eq!(answer(acme.post(&token, path, &json!({ "text": text }))).await.0, 201);
    }
    acme.stop().await;
    let acme = Acme::start(&dir).await;
    let (_, list) = acme.get(&acme.token("acme.read").await, path).await;
    let texts: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|n| &n["text"]).collect();
    assert_eq!(texts, ["First.", "Second."]);
}

#[tokio::test]
async fn a_list_is_found_by_text_and_read_in_pages() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token("acme.read").await;
    let table = [
        ("", vec!["cus_ada", "cus_grace", "cus_linus", "cus_marie"], false),
        ("?query=HOPPER", vec!["cus_grace"], false),
        ("?query=example.com&limit=2", vec!["cus_ada", "cus_grace"], true),
        ("?limit=2&after=cus_grace", vec!["cus_linus", "cus_marie"], false),
    ];
    for (query, expect, more) in table {
        let (_, page) = acme.get(&token, &format!("/v1/customers{query}")).await;
        let ids: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|c| &c["id"]).collect();
        assert_eq!(
            (ids, page["has_more"].as_bool()),
            (expect.iter().map(|i| json!(i)).collect::<Vec<_>>().iter().collect(), Some(more)),
            "{query}"
        );
    }
    for query in ["?limit=0", "?limit=many", "?page=2", "?limit=1&limit=2"] {
        assert_eq!(acme.get(&token, &format!("/v1/customers{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_named() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let note = "/v1/customers/cus_ada/notes";
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(70_000));
    let table = [
        ("application/json", "{\"text\":", 400, "bad_request"),
        ("application/json", "{\"text\":\"a\",\"text\":\"b\"}", 422, "invalid"),
        ("application/json", "{\"text\":\"a\",\"author\":\"ann\"}", 422, "invalid"),
        ("application/json", "{\"text\":\"  \"}", 422, "invalid"),
        ("text/plain", "{\"text\":\"a\"}", 415, "content_type"),
        ("application/json", large.as_str(), 413, "body_unreadable"),
    ];
    for (content_type, body, status, code) in table {
        let request = acme
            .request(Method::POST, note)
            .bearer_auth(&token)
            .header("content-type", content_type)
            .body(body.to_owned());
        let (got, problem) = answer(request).await;
        assert_eq!((got.as_u16(), &problem["code"]), (status, &json!(code)), "{content_type} {code}");
    }
    assert_eq!(answer(acme.request(Method::PUT, note)).await.0, 405);
    assert_eq!(answer(acme.request(Method::GET, "/")).await.0, 404);
}
