//! The lists: inbox, history, log.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign_core::id::ProposalId;
use countersign_core::proposal::Record;
use countersign_core::refusal::Refusal;
use countersign_core::time::Timestamp;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{LogFilter, LogOrder};
use countersign_engine::store::Filter;

use super::find::Find;
use super::html;
use super::session::Visit;
use super::show::events::{self, Events};
use super::show::find::{FilterForm, Further};
use super::show::list::{self, History, Inbox, Kind, ListRow, LogPage, row};
use super::show::text::Eye;
use super::show::{Chrome, WaitingCount};
use crate::surface;

/// Proposals on a page of the history.
const ROWS: u32 = 50;
/// Entries on a page of the log.
const ENTRIES: u32 = 50;

/// `GET /?from=…`: what waits for people, by deadline.
pub(super) async fn inbox(visit: Visit) -> Response {
    let work = async {
        let find = Find::read(&visit.ask, "/");
        let from = visit.ask.query("from").map(|text| text.parse());
        let from: u32 = from.transpose().map_err(|_| malformed("`from` is not a number"))?.unwrap_or(0);
        let filter = find.list_filter(ROWS)?;
        let shown = |r: &Record| (waits_for(&visit, r), one_row(&visit, r, Kind::Inbox));
        let page = visit.app.gate.inbox(from, &filter, &visit.viewer(), shown).await?;
        let whole = from == 0 && find.is_empty() && page.next.is_none();
        let me = if whole {
            visit.me_with(WaitingCount { count: page.items.len(), more: false })
        } else {
            visit.me().await?
        };
        let (yours, others): (Vec<_>, Vec<_>) = page.items.into_iter().partition(|(yours, _)| *yours);
        let next = page.next.map(|from| find.address("from", &from.to_string()));
        let further = next.clone().filter(|_| page.stopped).map(|href| Further {
            sentence: "The search stopped before it had looked at everything that waits.".to_owned(),
            href,
        });
        Ok::<_, Stop>(Inbox {
            chrome: Chrome::of("Inbox", me, "inbox"),
            yours: yours.into_iter().map(|(_, row)| row).collect(),
            others: others.into_iter().map(|(_, row)| row).collect(),
            form: form(&visit, &find),
            next,
            further,
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// The form of a list. Names are offered to who may see everything anyway.
fn form(visit: &Visit, find: &Find) -> FilterForm {
    let rules = visit.app.gate.ruleset();
    find.form(visit.reads_log().then_some(&*rules))
}

/// What a search says that stopped at its bound.
fn searched(to: Timestamp, href: String) -> Further {
    Further {
        sentence: format!("Searched back to {}. Nothing older was looked at yet.", to.to_rfc3339()),
        href,
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
        let find = Find::read(&visit.ask, "/history");
        let before = visit.ask.query("before").map(|id| id.parse());
        let before = before.transpose().map_err(|_| malformed("`before` is not a proposal's id"))?;
        let filter = Filter { before, ..find.list_filter(ROWS)? };
        let shown = |r: &Record| {
            let yours = visit.app.gate.may_decide(r, &visit.who.person);
            one_row(&visit, r, Kind::History { yours })
        };
        let page = visit.app.gate.list(&filter, &visit.viewer(), shown).await?;
        let me = visit.me().await?;
        let older = |id: ProposalId| find.address("before", &id.to_string());
        let stopped = page.next.filter(|_| page.stopped);
        Ok::<_, Stop>(History {
            chrome: Chrome::of("History", me, "history"),
            form: form(&visit, &find),
            rows: page.items,
            older: page.next.map(older),
            further: stopped.map(|id| searched(surface::made_at(id), older(id))),
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// `GET /log?from=…`: the newest entries, those from an index on, or those that pass a filter, `before` an index.
pub(super) async fn log(visit: Visit) -> Response {
    let work = async {
        let gate = &visit.app.gate;
        let find = Find::read(&visit.ask, "/log");
        let note = gate.checkpoint(&visit.who.person).await?;
        let opened = note.as_deref().and_then(|n| gate.log_key().public().open(n).ok());
        let size = opened.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let shown = log_entries(&visit, &find, size).await?;
        let me = visit.me().await?;
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
            events: shown.events,
            form: form(&visit, &find),
            newer: shown.newer,
            older: shown.older,
            further: shown.further,
        })
    };
    match work.await {
        Ok(page) => html(StatusCode::OK, &page),
        Err(stop) => visit.stopped(&stop).await,
    }
}

/// The entries of one page of the log, newest first.
struct LogRows {
    events: Events,
    newer: Option<String>,
    older: Option<String>,
    further: Option<Further>,
}

async fn log_entries(visit: &Visit, find: &Find, size: u64) -> Result<LogRows, Stop> {
    let (gate, page) = (&visit.app.gate, u64::from(ENTRIES));
    let number = |name: &str| {
        let parsed = visit.ask.query(name).map(|text| text.parse::<u64>()).transpose();
        parsed.map_err(|_| malformed(&format!("`{name}` is not a number")))
    };
    let (from, before) = (number("from")?, number("before")?);
    let from = from.unwrap_or_else(|| size.saturating_sub(page));
    let plain = find.is_empty() && before.is_none();
    let order = if plain { LogOrder::Oldest } else { LogOrder::Newest };
    let filter = LogFilter { from: plain.then_some(from), before, ..find.log_filter()? };
    let about = |r: &Record| list::about(&gate.card(r));
    let mut found = gate.find_entries(&visit.who.person, &filter, (order, ENTRIES), about).await?;
    let address = |name: &str, index: u64| find.address(name, &index.to_string());
    let (newer, older) = if plain {
        found.entries.reverse();
        let next = from.saturating_add(page);
        let older = (from > 0).then(|| address("from", from.saturating_sub(page)));
        (Some(next).filter(|next| *next < size).map(|next| address("from", next)), older)
    } else {
        (None, found.next.map(|index| address("before", index)))
    };
    let further = found.searched_to.filter(|_| !plain).zip(older.clone());
    Ok(LogRows {
        events: events::found_events(&found.entries, &gate.ruleset().directory, gate.world().now()),
        newer,
        older,
        further: further.map(|(to, href)| searched(to, href)),
    })
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
