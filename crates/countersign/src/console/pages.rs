//! The lists: inbox, history, log.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::store::Filter;

use super::html;
use super::session::Visit;
use super::show::list::{History, Inbox, Kind, ListRow, LogPage, choices, row};
use super::show::text::Eye;
use super::show::{Chrome, events};

/// Proposals on a page of the history.
const ROWS: u32 = 50;
/// Entries on a page of the log.
const ENTRIES: u32 = 50;

/// `GET /?from=…`: what waits for people, by deadline.
pub(super) async fn inbox(visit: Visit) -> Response {
    let work = async {
        let from = visit.ask.query("from").map(|text| text.parse());
        let from = from.transpose().map_err(|_| malformed("`from` is not a number"))?.unwrap_or(0);
        let shown = |r: &Record| (waits_for(&visit, r), one_row(&visit, r, Kind::Inbox));
        let page = visit.app.gate.inbox(from, &visit.viewer(), shown).await?;
        let (yours, others): (Vec<_>, Vec<_>) = page.items.into_iter().partition(|(yours, _)| *yours);
        let me = visit.me().await?;
        Ok::<_, Stop>(Inbox {
            chrome: Chrome::of("Inbox", me, "inbox"),
            yours: yours.into_iter().map(|(_, row)| row).collect(),
            others: others.into_iter().map(|(_, row)| row).collect(),
            next: page.next,
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// Whether this person must act: decide, or confirm what nobody may decide before.
fn waits_for(visit: &Visit, record: &Record) -> bool {
    let (gate, person) = (&visit.app.gate, visit.who.person.as_str());
    gate.may_decide(record, person) || (record.decision.detail.is_some() && gate.may_confirm(record, person))
}

fn one_row(visit: &Visit, record: &Record, kind: Kind) -> ListRow {
    let gate = &visit.app.gate;
    row(&gate.card(record), record, kind, gate.world().now())
}

fn malformed(detail: &str) -> Refusal {
    Refusal::MalformedRequest { pointer: String::new(), detail: detail.to_owned() }
}

/// `GET /history?state=…&before=…`.
pub(super) async fn history(visit: Visit) -> Response {
    let work = async {
        let state = visit.ask.query("state");
        let state = state.map(|name| {
            StateName::from_name(&name).ok_or_else(|| malformed("there is no state of that name"))
        });
        let state = state.transpose()?;
        let before = visit.ask.query("before").map(|id| id.parse());
        let before = before.transpose().map_err(|_| malformed("`before` is not a proposal's id"))?;
        let filter = Filter { states: state.into_iter().collect(), before, limit: ROWS, ..Filter::default() };
        let shown = |r: &Record| {
            let yours = visit.app.gate.may_decide(r, &visit.who.person);
            one_row(&visit, r, Kind::History { yours })
        };
        let page = visit.app.gate.list(&filter, &visit.viewer(), shown).await?;
        let state_part = state.map(|s| format!("state={}&", s.as_str())).unwrap_or_default();
        let me = visit.me().await?;
        Ok::<_, Stop>(History {
            chrome: Chrome::of("History", me, "history"),
            choices: choices(state),
            filtered: state.is_some(),
            rows: page.items,
            older: page.next.map(|id| format!("/history?{state_part}before={id}")),
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// `GET /log?from=…`: the newest entries, or those from an index on.
pub(super) async fn log(visit: Visit) -> Response {
    let work = async {
        let gate = &visit.app.gate;
        let note = gate.checkpoint(&visit.who.person).await?;
        let opened = note.as_deref().and_then(|n| gate.log_key().public().open(n).ok());
        let size = opened.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let page = u64::from(ENTRIES);
        let from = visit.ask.query("from").and_then(|t| t.parse().ok());
        let from = from.unwrap_or_else(|| size.saturating_sub(page));
        let mut entries = gate.log_entries(&visit.who.person, from, ENTRIES).await?;
        entries.reverse();
        let me = visit.me().await?;
        let next = from.saturating_add(page);
        Ok::<_, Stop>(LogPage {
            chrome: Chrome::of("Log", me, "log"),
            checkpoint: note.as_deref().map(|n| Eye::default().block(n.trim_end())),
            signature: if opened.is_some() {
                "Its signature is this log's. It covers every entry below."
            } else {
                "Its signature is NOT this log's. Stop, and compare it with an older export."
            },
            key: gate.log_key().public().to_vkey(),
            size,
            events: events::events(&entries, &gate.ruleset().directory, gate.world().now(), true),
            newer: Some(next).filter(|next| *next < size),
            older: (from > 0).then(|| from.saturating_sub(page)),
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// `GET /log/export`: the same bytes as the API's export. Who took it is noted first.
pub(super) async fn export(visit: Visit) -> Response {
    let work = async {
        let pieces = visit.app.gate.export_log(&visit.who.person).await?;
        Ok::<_, Stop>(Body::from_stream(pieces))
    };
    match work.await {
        Ok(body) => {
            let kind = HeaderValue::from_static("text/plain; charset=utf-8");
            let save = HeaderValue::from_static("attachment; filename=\"log.export\"");
            (StatusCode::OK, [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, save)], body).into_response()
        }
        Err(stop) => visit.stopped(&stop).await,
    }
}
