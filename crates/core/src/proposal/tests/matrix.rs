use super::*;

/// A record in the given state. Open ones wait for people who have not decided.
fn in_state(name: StateName) -> Record {
    let (attempt, now) = (attempt(1), at(1));
    let state = match name {
        StateName::Denied => return opened(deny()),
        StateName::Pending => return opened(ask("large")),
        StateName::Ready => State::Ready { use_by: DUE },
        StateName::Dispatched => State::Dispatched { attempt, owner: "one".into(), at: now },
        StateName::Succeeded => State::Succeeded { attempt, at: now },
        StateName::Failed => State::Failed { attempt, at: now, cause: Cause::NotConnected },
        StateName::Unknown => State::Unknown { attempt, at: now, cause: Cause::TimedOut },
        StateName::Rejected => State::Rejected { by: "ann".into(), reason: String::new(), at: now },
        StateName::Expired => State::Expired { at: now, clock: Clock::DecideBy },
        StateName::Cancelled => State::Cancelled { by: Actor::Gate, at: now },
        StateName::Superseded => State::Superseded { by: ProposalId::from_parts(0, [2; 10]), at: now },
        StateName::Refused => {
            State::Refused { code: RefusedCode::IdentityGone, detail: String::new(), at: now }
        }
    };
    Record { state, ..opened(ask("large")) }
}

/// Everything of one name that could move the record, at the moment when it could.
fn events(name: EventName, record: &Record) -> Vec<(Event, Timestamp)> {
    let now = at(1);
    let events = match name {
        EventName::Approve => vec![approve(record, "ann"), as_last(approve(record, "ann"))],
        EventName::Reject => vec![reject()],
        EventName::Confirm => {
            [ask("large"), allow(), deny()].map(|d| confirm(record, "eve", d, DUE)).to_vec()
        }
        EventName::Cancel => vec![cancel()],
        EventName::Expire => return vec![(Event::Expire, DUE)],
        EventName::Supersede => vec![supersede()],
        EventName::Revise => {
            [ask("large"), allow(), deny()].map(|d| revise(record, binding(200), d, DUE)).to_vec()
        }
        EventName::Refuse => vec![refuse()],
        EventName::Dispatch => vec![dispatch(record.binding.intent, allow())],
        EventName::Finish => {
            outcomes().map(|outcome| Event::Finish { attempt: attempt(1), outcome }).to_vec()
        }
        EventName::OwnerGone => vec![Event::OwnerGone],
    };
    events.into_iter().map(|event| (event, now)).collect()
}

fn cell(state: StateName, event: EventName) -> String {
    let record = in_state(state);
    assert_eq!(record.state.name(), state);
    let mut results: Vec<&str> = Vec::new();
    for (event_here, now) in events(event, &record) {
        assert_eq!(event_here.name(), event);
        if let Ok(step) = apply(&record, &event_here, now) {
            results.push(step.record.state.name().as_str());
        }
    }
    if results.is_empty() { "·".to_owned() } else { results.join(", ") }
}

fn matrix() -> String {
    let row = |first: &str, cells: Vec<String>| format!("| {first} | {} |\n", cells.join(" | "));
    let mut table = row("", EventName::ALL.iter().map(|e| e.as_str().to_owned()).collect());
    table.push_str(&row("---", EventName::ALL.iter().map(|_| "---".to_owned()).collect()));
    for state in StateName::ALL {
        table.push_str(&row(state.as_str(), EventName::ALL.iter().map(|e| cell(state, *e)).collect()));
    }
    table
}

#[test]
fn the_whole_matrix_is_known() {
    insta::assert_snapshot!(matrix());
}

#[test]
fn the_matrix_in_the_architecture_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let block = text
        .split_once("<!-- matrix -->\n")
        .and_then(|(_, rest)| rest.split_once("<!-- /matrix -->"))
        .map(|(block, _)| block.trim());
    let expect = matrix();
    assert_eq!(block, Some(expect.trim()), "between <!-- matrix --> and <!-- /matrix -->:\n{expect}");
}

#[test]
fn what_is_settled_stays_as_it_is_t13() {
    for state in StateName::ALL.into_iter().filter(|s| s.is_settled()) {
        for event in EventName::ALL {
            // A late answer says what nobody knew.
            let late = state == StateName::Unknown && event == EventName::Finish;
            let expect = if late { "succeeded, failed" } else { "·" };
            assert_eq!(cell(state, event), expect, "{} after {}", event.as_str(), state.as_str());
        }
    }
}

#[test]
fn a_late_sweeper_lets_nothing_through_t13() {
    for state in [StateName::Pending, StateName::Ready] {
        let record = in_state(state);
        let late = [
            EventName::Approve,
            EventName::Reject,
            EventName::Confirm,
            EventName::Revise,
            EventName::Dispatch,
        ];
        for event in late {
            for (event, _) in events(event, &record) {
                assert!(apply(&record, &event, DUE).is_err(), "{state:?} {:?}", event.name());
            }
        }
        assert!(apply(&record, &Event::Expire, at(2)).is_err());
        assert!(apply(&record, &Event::Expire, DUE).is_ok());
    }
}
