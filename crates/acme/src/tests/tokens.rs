use super::*;

#[tokio::test]
async fn a_client_gets_the_scopes_it_asks_for_and_never_more_than_its_own() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let grant = "grant_type=client_credentials";
    let table = [
        ("gate-read", READ_SECRET, format!("{grant}&scope=acme.read"), "acme.read"),
        (
            "gate-write",
            WRITE_SECRET,
            format!("{grant}&scope=refunds.write+acme.read"),
            "acme.read refunds.write",
        ),
        ("gate-read", READ_SECRET, format!("{grant}&scope=refunds.write"), "invalid_scope"),
        ("gate-read", READ_SECRET, format!("{grant}&scope=acme.read+notes.write"), "invalid_scope"),
        ("gate-write", WRITE_SECRET, format!("{grant}&scope=root"), "invalid_scope"),
        ("gate-write", WRITE_SECRET, grant.to_owned(), "invalid_scope"),
        ("gate-write", WRITE_SECRET, format!("{grant}&scope=acme.read&scope=notes.write"), "invalid_request"),
        (
            "gate-write",
            WRITE_SECRET,
            "grant_type=password&scope=acme.read".to_owned(),
            "unsupported_grant_type",
        ),
        ("gate-write", READ_SECRET, format!("{grant}&scope=acme.read"), "invalid_client"),
        ("nobody", WRITE_SECRET, format!("{grant}&scope=acme.read"), "invalid_client"),
    ];
    for (client, secret, form, expect) in table {
        let (_, body) = acme.token_answer(client, secret, &form).await;
        let got = body.get("scope").or(body.get("error")).unwrap();
        assert_eq!(got, expect, "{client} {form}");
    }
}

#[tokio::test]
async fn every_route_wants_a_token_and_the_right_scope() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let table = [
        (Method::GET, "/v1/customers", "acme.read"),
        (Method::GET, "/v1/customers/cus_ada", "acme.read"),
        (Method::PATCH, "/v1/customers/cus_ada", "customers.write"),
        (Method::DELETE, "/v1/customers/cus_ada", "customers.write"),
        (Method::GET, "/v1/customers/cus_ada/notes", "acme.read"),
        (Method::POST, "/v1/customers/cus_ada/notes", "notes.write"),
        (Method::GET, "/v1/invoices/inv_1001", "acme.read"),
        (Method::GET, "/v1/refunds", "acme.read"),
        (Method::POST, "/v1/refunds", "refunds.write"),
    ];
    for (method, path, scope) in table {
        let others: Vec<&str> = ALL_SCOPES.split(' ').filter(|s| *s != scope).collect();
        let other = acme.token(&others.join(" ")).await;
        for (token, status, challenge) in [
            (None, 401, "Bearer realm=\"acme\"".to_owned()),
            (Some("acme_guess"), 401, "Bearer realm=\"acme\", error=\"invalid_token\"".to_owned()),
            (
                Some(other.as_str()),
                403,
                format!("Bearer realm=\"acme\", error=\"insufficient_scope\", scope=\"{scope}\""),
            ),
        ] {
            let mut request = acme.request(method.clone(), path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(response.headers()["www-authenticate"], challenge, "{method} {path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    let (_, body) = acme.get(&acme.token("acme.read").await, "/v1/customers/cus_ada").await;
    assert_eq!(body["id"], "cus_ada", "nothing was deleted on the way");
}

#[tokio::test]
async fn a_token_opens_nothing_after_a_minute() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token("acme.read").await;
    acme.world.advance(Duration::from_secs(59));
    assert_eq!(acme.get(&token, "/v1/customers").await.0, 200);
    acme.world.advance(Duration::from_secs(1));
    let (status, body) = acme.get(&token, "/v1/customers").await;
    assert_eq!((status.as_u16(), &body["code"]), (401, &json!("invalid_token")));
}

#[tokio::test]
async fn tokens_do_not_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token("acme.read").await;
    acme.stop().await;
    let acme = Acme::start(&dir).await;
    assert_eq!(acme.get(&token, "/v1/customers").await.0, 401);
}

#[tokio::test]
async fn a_file_of_secrets_that_others_may_read_stops_the_start() {
    let dir = TempDir::new().unwrap();
    let args = secrets(dir.path());
    protect(&args.client_secret_file, 0o640);
    let world = World::manual();
    let error = run(&args, world, &mut Vec::new(), async {}).await.unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
}
