//! Sign-in links and sessions.

use std::time::Duration;

use countersign_core::audit::EventCode;
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{LinkRefusal, Store};
use futures_util::future::join_all;

use crate::Place;
use crate::raw::Raw;
use crate::steps::{START, digest};

const HOUR: Duration = Duration::from_hours(1);

pub async fn a_link_is_used_once_t47(place: &Place) {
    let store = place.store().await;
    let beside = place.beside(80).await;
    let link = digest("link");
    store.add_link(&link, "ann", (START, START.plus(HOUR))).await.unwrap();
    assert_eq!(
        store.redeem_link(&digest("other"), &digest("s"), START, START.plus(HOUR)).await.unwrap(),
        None
    );
    let sessions: Vec<_> = (0..20).map(|n| digest(&format!("session-{n}"))).collect();
    let attempts = sessions.iter().enumerate().map(|(n, session)| {
        let store = if n % 2 == 0 { &store } else { &beside };
        store.redeem_link(&link, session, START, START.plus(HOUR))
    });
    let people: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(people.iter().flatten().collect::<Vec<_>>(), ["ann"]);
    for (session, person) in sessions.iter().zip(people) {
        let found = store.session(session, START, HOUR).await.unwrap();
        assert_eq!(found.map(|s| s.person), person);
    }
}

pub async fn a_link_too_old_opens_nothing_t47(place: &Place) {
    let store = place.store().await;
    let (link, session) = (digest("link"), digest("session"));
    store.add_link(&link, "ann", (START, START)).await.unwrap();
    assert_eq!(store.redeem_link(&link, &session, START, START.plus(HOUR)).await.unwrap(), None);
    assert_eq!(store.session(&session, START, HOUR).await.unwrap(), None);
}

pub async fn a_session_ends_when_it_is_over_or_ended_t47(place: &Place) {
    let store = place.store().await;
    let sessions = [digest("one"), digest("two")];
    for (n, session) in sessions.iter().enumerate() {
        let link = digest(&format!("link-{n}"));
        store.add_link(&link, "ann", (START, START.plus(HOUR))).await.unwrap();
        let person = store.redeem_link(&link, session, START, START.plus(HOUR)).await.unwrap();
        assert_eq!(person.as_deref(), Some("ann"));
    }
    let [one, two] = &sessions;
    let at = |seconds| START.plus(Duration::from_secs(seconds));
    // Seen is written at most once a minute.
    for (now, seen) in
        [(at(0), at(0)), (at(59), at(0)), (at(60), at(60)), (at(100), at(60)), (at(200), at(200))]
    {
        let session = store.session(one, now, HOUR).await.unwrap().expect("the session lives");
        assert_eq!((session.created, session.seen, session.expires), (START, seen, START.plus(HOUR)));
    }
    store.end_session(two, at(1)).await.unwrap();
    assert_eq!(store.session(two, at(1), HOUR).await.unwrap(), None);
    assert_eq!(store.session(one, at(3_598), HOUR / 2).await.unwrap(), None, "not used for too long");
    assert_eq!(store.session(one, at(3_599), HOUR / 2).await.unwrap(), None, "asking does not revive it");
    assert!(store.session(one, at(3_599), HOUR).await.unwrap().is_some());
    assert_eq!(store.session(one, at(3_600), HOUR).await.unwrap(), None);
    // The next sign-in removes what is over.
    let link = digest("link-3");
    store.add_link(&link, "bob", (START, START.plus(2 * HOUR))).await.unwrap();
    store.redeem_link(&link, &digest("three"), at(3_600), START.plus(2 * HOUR)).await.unwrap();
    let mut raw = Raw::open(place).await;
    assert_eq!(raw.texts("SELECT person FROM session").await, ["bob"]);
    assert_eq!(raw.texts("SELECT person FROM link").await, ["bob"]);
}

pub async fn why_a_link_opens_nothing_is_known_while_it_is_kept(place: &Place) {
    let store = place.store().await;
    let (used, old, fresh) = (digest("used"), digest("old"), digest("fresh"));
    store.add_link(&used, "ann", (START, START.plus(2 * HOUR))).await.unwrap();
    store.redeem_link(&used, &digest("one"), START, START.plus(HOUR)).await.unwrap();
    store.add_link(&old, "ann", (START, START.plus(HOUR))).await.unwrap();
    store.add_link(&fresh, "ann", (START, START.plus(2 * HOUR))).await.unwrap();
    let now = START.plus(HOUR);
    for (link, expect) in [
        (used, Some(LinkRefusal::Used)),
        (old, Some(LinkRefusal::TooOld)),
        (fresh, None),
        (digest("unknown"), None),
    ] {
        assert_eq!(store.why_link_refused(&link, now).await.unwrap(), expect, "{link}");
    }
}

pub async fn a_token_at_rest_opens_nothing_t47(place: &Place) {
    let store = place.store().await;
    let (link, session) = (digest("link"), digest("session"));
    store.add_link(&link, "ann", (START, START.plus(HOUR))).await.unwrap();
    store.redeem_link(&link, &session, START, START.plus(HOUR)).await.unwrap();
    let mut raw = Raw::open(place).await;
    for (table, digest) in [("link", link), ("session", session)] {
        let stored = raw.texts(&format!("SELECT token FROM {table}")).await;
        assert_eq!(stored, [digest.to_string()], "only the digest is kept");
    }
}

pub async fn a_session_from_the_future_is_over_a6(place: &Place) {
    let store = place.store().await;
    let (link, session) = (digest("link"), digest("session"));
    let seen = START.plus(HOUR);
    store.add_link(&link, "ann", (seen, seen.plus(HOUR))).await.unwrap();
    store.redeem_link(&link, &session, seen, seen.plus(8 * HOUR)).await.unwrap();
    assert!(store.session(&session, seen, HOUR).await.unwrap().is_some());
    // `seen` is exact to a minute, so clocks may differ by as much.
    let slow = START.plus(HOUR.saturating_sub(Duration::from_mins(1)));
    assert_eq!(store.session(&session, slow, HOUR).await.unwrap().map(|s| s.seen), Some(seen));
    // Nobody knows how long it was idle when the clock has stepped back.
    let back = START.plus(HOUR.saturating_sub(Duration::from_secs(61)));
    for now in [back, START] {
        assert_eq!(store.session(&session, now, HOUR).await.unwrap(), None);
    }
}

pub async fn a_session_or_a_link_that_the_gate_did_not_write_opens_nothing_a8(place: &Place) {
    let store = place.store().await;
    let (link, one, two) = (digest("link"), digest("one"), digest("two"));
    for (n, session) in [one, two].iter().enumerate() {
        let link = digest(&format!("link-{n}"));
        store.add_link(&link, ["ann", "bob"][n], (START, START.plus(HOUR))).await.unwrap();
        store.redeem_link(&link, session, START, START.plus(HOUR)).await.unwrap();
    }
    store.add_link(&link, "bob", (START, START.plus(HOUR))).await.unwrap();
    let mut raw = Raw::open(place).await;
    let (now, end) = (START.as_micros(), START.plus(HOUR).as_micros());
    let forged = digest("forged");
    // With another session's code, under another name, alive for longer, in use more recently, a new one.
    let edits = [
        format!(
            "UPDATE session SET mac = (SELECT mac FROM session WHERE token = '{two}') WHERE token = '{one}'"
        ),
        format!("UPDATE session SET person = 'zoe' WHERE token = '{two}'"),
        format!(
            "INSERT INTO session (token, person, created, seen, expires, mac) \
             SELECT '{forged}', person, created, seen, expires, mac FROM session WHERE token = '{one}'"
        ),
        format!("UPDATE link SET person = 'zoe' WHERE token = '{link}'"),
        format!(
            "INSERT INTO link (token, person, expires, mac) \
             SELECT '{forged}', 'bob', expires, mac FROM link WHERE token = '{link}'"
        ),
    ];
    for sql in &edits {
        raw.run(sql).await;
    }
    for session in [&one, &two, &forged] {
        assert_eq!(store.session(session, START, HOUR).await.unwrap(), None, "{session}");
    }
    for link in [&link, &forged] {
        let person = store.redeem_link(link, &digest("new"), START, START.plus(HOUR)).await.unwrap();
        assert_eq!(person, None, "{link}");
    }
    assert_eq!(store.session(&digest("new"), START, HOUR).await.unwrap(), None);
    assert_eq!(store.altered_sign_in_rows(), 5);
    // Seen and expires are covered too, and ending a forged session is nobody's sign-out.
    let three = digest("three");
    for (column, value) in [("seen", now + 60_000_000), ("expires", end + 1), ("created", now - 1)] {
        let link = digest(column);
        store.add_link(&link, "cid", (START, START.plus(HOUR))).await.unwrap();
        store.redeem_link(&link, &three, START, START.plus(HOUR)).await.unwrap();
        assert!(store.session(&three, START, HOUR).await.unwrap().is_some());
        raw.run(&format!("UPDATE session SET {column} = {value} WHERE token = '{three}'")).await;
        assert_eq!(store.session(&three, START, HOUR).await.unwrap(), None, "{column}");
        store.end_session(&three, START).await.unwrap();
    }
    let codes: Vec<EventCode> =
        crate::assert_sound(&store).await.iter().map(countersign_core::audit::Entry::event).collect();
    let count = |code| codes.iter().filter(|c| **c == code).count();
    assert_eq!(
        (count(EventCode::LinkMade), count(EventCode::SignedIn), count(EventCode::SignedOut)),
        (6, 5, 0)
    );
}

pub async fn a_session_outlives_a_change_of_the_key_while_the_old_one_is_kept_a8(place: &Place) {
    let store = place.store().await;
    let (link, session) = (digest("link"), digest("session"));
    store.add_link(&link, "ann", (START, START.plus(HOUR))).await.unwrap();
    store.redeem_link(&link, &session, START, START.plus(HOUR)).await.unwrap();
    store.close().await.unwrap();
    let key = |byte| zeroize::Zeroizing::new([byte; 32]);
    for (old, lives) in [(vec![key(9)], true), (vec![], false)] {
        let keys = SealKeys::new("gate.example/log", key(10), old);
        let store = Store::open(&place.url, &crate::steps::world(1), keys).await.unwrap();
        let found = store.session(&session, START, HOUR).await.unwrap();
        assert_eq!(found.is_some(), lives);
        store.close().await.unwrap();
    }
}

pub async fn a_token_for_the_log_is_no_session_and_ends_when_it_is_over_or_revoked(place: &Place) {
    let store = place.store().await;
    let (link, session) = (digest("link"), digest("session"));
    store.add_link(&link, "ann", (START, START.plus(HOUR))).await.unwrap();
    store.redeem_link(&link, &session, START, START.plus(HOUR)).await.unwrap();
    let [one, two, of_bob] = ["one", "two", "of bob"].map(digest);
    for (token, person) in [(&one, "ann"), (&two, "ann"), (&of_bob, "bob")] {
        store.add_log_token(token, person, (START, START.plus(3 * HOUR))).await.unwrap();
    }
    let at = |seconds| START.plus(Duration::from_secs(seconds));
    // It needs no use to stay alive, and is neither a session nor the other way round.
    let found = store.log_token(&one, at(10_799)).await.unwrap().expect("it lasts three hours");
    assert_eq!((found.person.as_str(), found.expires), ("ann", START.plus(3 * HOUR)));
    assert_eq!(store.log_token(&one, at(10_800)).await.unwrap(), None);
    assert_eq!(store.session(&one, START, HOUR).await.unwrap(), None);
    assert_eq!(store.log_token(&session, START).await.unwrap(), None);
    assert_eq!(store.altered_sign_in_rows(), 2);
    let mut raw = Raw::open(place).await;
    raw.run(&format!("UPDATE session SET person = 'ann' WHERE token = '{of_bob}'")).await;
    assert_eq!(store.log_token(&of_bob, START).await.unwrap(), None, "a row that the gate did not write");
    raw.run(&format!("UPDATE session SET person = 'bob' WHERE token = '{of_bob}'")).await;

    assert_eq!(store.revoke_log_tokens("ann", at(1)).await.unwrap(), 2);
    assert_eq!(store.revoke_log_tokens("ann", at(1)).await.unwrap(), 0);
    for token in [&one, &two] {
        assert_eq!(store.log_token(token, at(1)).await.unwrap(), None);
    }
    assert!(store.log_token(&of_bob, at(1)).await.unwrap().is_some(), "bob's stays");
    assert!(store.session(&session, at(1), HOUR).await.unwrap().is_some(), "ann's session stays");
    let entries = crate::assert_sound(&store).await;
    let count = |code| entries.iter().filter(|e| e.event() == code).count();
    assert_eq!((count(EventCode::LogTokenMade), count(EventCode::LogTokensRevoked)), (3, 1));
}
