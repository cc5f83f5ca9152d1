use super::*;

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_first_answer_and_moves_no_money() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let first = acme.refund(&token, "inv_1001", 5_000, "k1").send().await.unwrap();
    let first = (first.status(), first.text().await.unwrap());
    assert_eq!(first.0, 201);
    let repeat = acme.refund(&token, "inv_1001", 5_000, "k1").send().await.unwrap();
    assert_eq!(repeat.headers()["idempotent-replayed"], "true");
    assert_eq!((repeat.status(), repeat.text().await.unwrap()), first);

    let (status, body) = answer(acme.refund(&token, "inv_1001", 5_001, "k1")).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("idempotency_key_reused")));
    let (_, invoice) = acme.get(&token, "/v1/invoices/inv_1001").await;
    assert_eq!((&invoice["amount_refunded"], &invoice["balance"]), (&json!(5_000), &json!(7_000)));
}

#[tokio::test]
async fn a_key_is_good_for_one_path_only() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    for (customer, expect) in [("cus_ada", 201), ("cus_grace", 422)] {
        let path = format!("/v1/customers/{customer}/notes");
        let request = acme.post(&token, &path, &json!({ "text": "Called." })).header("idempotency-key", "k");
        assert_eq!(answer(request).await.0, expect, "{customer}");
    }
}

#[tokio::test]
async fn many_at_once_with_one_key_make_one_refund() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let mut racers = JoinSet::new();
    for _ in 0..16 {
        racers.spawn(answer(acme.refund(&token, "inv_1002", 10_000, "race")));
    }
    let answers = racers.join_all().await;
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    let (_, list) = acme.get(&token, "/v1/refunds?invoice=inv_1002").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_refund_exceeds_what_was_paid() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let table = [
        ("inv_1003", 1_901, 409, "amount_too_large"),
        ("inv_1003", 0, 422, "invalid"),
        ("inv_1003", -1, 422, "invalid"),
        ("inv_1005", 1, 409, "invoice_not_paid"),
        ("inv_none", 1, 404, "not_found"),
    ];
    for (number, (invoice, amount, status, code)) in table.into_iter().enumerate() {
        let (got, body) = answer(acme.refund(&token, invoice, amount, &format!("n{number}"))).await;
        assert_eq!((got.as_u16(), &body["code"]), (status, &json!(code)), "{invoice} {amount}");
    }
    // A refusal is not kept: the same key may be tried again and succeed.
    assert_eq!(answer(acme.refund(&token, "inv_1003", 1_900, "n0")).await.0, 201);
    let (_, invoice) = acme.get(&token, "/v1/invoices/inv_1003").await;
    assert_eq!((&invoice["status"], &invoice["balance"]), (&json!("refunded"), &json!(0)));
    assert_eq!(answer(acme.refund(&token, "inv_1003", 1, "n9")).await.0, 409);
}

#[tokio::test]
async fn a_restart_keeps_money_keys_and_answers() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    let first = answer(acme.refund(&token, "inv_1002", 90_000, "kept")).await;
    acme.stop().await;

    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    assert_eq!(answer(acme.refund(&token, "inv_1002", 90_000, "kept")).await, first);
    let (_, list) = acme.get(&token, "/v1/refunds?reference=prp_1").await;
    assert_eq!(list["data"], json!([first.1]));
    let (_, invoice) = acme.get(&token, "/v1/invoices/inv_1002").await;
    assert_eq!(invoice["balance"], 150_000);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_and_any_other_damage_stops_the_start() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let token = acme.token(ALL_SCOPES).await;
    assert_eq!(answer(acme.refund(&token, "inv_1001", 100, "a")).await.0, 201);
    acme.stop().await;
    let file = dir.path().join("data/acme.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();

    std::fs::write(&file, format!("{whole}{{\"change\":{{\"change\":\"refund_m")).unwrap();
    Acme::start(&dir).await.stop().await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);

    let last = whole.lines().last().unwrap();
    let too_much = last.replace("\"amount\":100", "\"amount\":11950");
    for (added, expect) in [("{}", "line 3 cannot be read"), (&too_much, "contradicts")] {
        std::fs::write(&file, format!("{whole}{added}\n")).unwrap();
        let world = World::manual();
        let error = run(&secrets(dir.path()), world, &mut Vec::new(), async {}).await.unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }
}

#[tokio::test]
async fn two_processes_never_share_a_database() {
    let dir = TempDir::new().unwrap();
    let acme = Acme::start(&dir).await;
    let world = World::manual();
    let error = run(&secrets(dir.path()), world, &mut Vec::new(), async {}).await.unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    acme.stop().await;
}
