//! One suite for the store, run on SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::arithmetic_side_effects,
    reason = "a failed step must fail the test"
)]
#![expect(unreachable_pub, reason = "the modules of one test binary share their helpers")]

use countersign_core::audit::{Entry, EventCode, Frontier, LogKey, leaf_data, leaf_hash};
use countersign_engine::fault::chain_text;
use countersign_engine::store::Store;
use tempfile::TempDir;

#[path = "store/doubt.rs"]
mod doubt;
#[path = "store/finding.rs"]
mod finding;
#[path = "store/identity.rs"]
mod identity;
#[path = "store/log.rs"]
mod log;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/people.rs"]
mod people;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "store/process.rs"]
mod process;
#[path = "store/races.rs"]
mod races;
#[path = "store/raw.rs"]
mod raw;
#[path = "store/reading.rs"]
mod reading;
#[path = "store/schema.rs"]
mod schema;
#[path = "support/steps.rs"]
mod steps;
#[path = "store/upgrade.rs"]
mod upgrade;
#[path = "store/writing.rs"]
mod writing;

/// Where one test's database is.
#[derive(Debug)]
pub struct Place {
    /// Its URL.
    pub url: String,
    _dir: Option<TempDir>,
}

impl Place {
    fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite:{}", dir.path().join("gate.db").display()), _dir: Some(dir) }
    }

    /// None when there is no PostgreSQL and none is required.
    fn postgres() -> Option<Self> {
        Some(Self { url: postgres::fresh_url()?, _dir: None })
    }

    /// A file rather than a server.
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// A new, empty store.
    pub async fn store(&self) -> Store {
        Store::create(&self.url).await.unwrap_or_else(|e| panic!("{}", chain_text(&e)));
        self.open().await
    }

    /// The store that is there.
    pub async fn open(&self) -> Store {
        let store = Store::open(&self.url, &steps::world(1), steps::keys()).await;
        let store = store.unwrap_or_else(|e| panic!("{}", chain_text(&e)));
        store.enter(steps::OWNER).await.unwrap_or_else(|e| panic!("{}", chain_text(&e)));
        store.activate(&steps::rules(), &steps::started()).await.unwrap();
        store
    }

    /// Another process at the same database.
    pub async fn beside(&self, seed: u64) -> Store {
        Store::open_beside(&self.url, &steps::world(seed), steps::keys()).await.unwrap()
    }
}

/// The key that signs in these tests.
pub fn key() -> LogKey {
    LogKey::from_seed("gate.example/log", &[7; 32]).unwrap()
}

/// Integrates everything and rebuilds the tree from what is stored. Every test of writing ends here.
pub async fn assert_sound(store: &Store) -> Vec<Entry> {
    while store.integrate(&key()).await.unwrap() > 0 {}
    let mut entries: Vec<Entry> = Vec::new();
    let mut tree = Frontier::default();
    loop {
        let from = u64::try_from(entries.len()).unwrap();
        let page = store.entries(from, 1_000).await.unwrap();
        if page.is_empty() {
            break;
        }
        for logged in page {
            assert_eq!(logged.index, Some(u64::try_from(entries.len()).unwrap()));
            let entry = Entry::from_bytes(&logged.body).unwrap();
            assert_eq!(entry.to_bytes().unwrap(), logged.body, "the stored bytes are the canonical ones");
            tree.push(leaf_hash(&leaf_data(entry.at, &logged.body)));
            entries.push(entry);
        }
    }
    match store.checkpoint().await.unwrap() {
        Some(note) => {
            let head = key().public().open(&note).unwrap();
            assert_eq!((head.size, head.root), (tree.size(), tree.root()));
        }
        None => assert_eq!(tree.size(), 0),
    }
    // What the suite itself wrote when it opened the store is no test\'s.
    entries.retain(|e| e.event() != EventCode::GateStarted);
    entries
}

macro_rules! suite {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$module::$name(&super::Place::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = super::Place::postgres() {
                    super::$module::$name(&place).await;
                }
            })*
        }
    };
}

suite! {
    writing::what_is_written_is_what_is_read,
    writing::a_proposal_lives_from_pending_to_succeeded,
    writing::a_step_that_contradicts_itself_is_refused,
    writing::an_idempotency_key_is_unique_for_its_agent_t96,
    writing::of_equal_pending_proposals_of_one_agent_one_is_opened_t29,
    writing::many_steps_share_one_commit_p21,
    writing::a_full_queue_is_busy_and_an_outcome_waits,
    writing::one_step_the_database_refuses_takes_no_other_with_it,
    writing::only_what_was_written_is_announced,
    doubt::a_commit_whose_answer_is_lost_is_written_once_and_known_a2,
    process::a_second_gate_is_refused_while_the_first_is_alive,
    process::a_dispatch_is_recorded_only_under_the_rules_in_force_and_by_a_live_process_a1,
    process::a_database_of_another_key_is_refused,
    races::of_two_moves_from_one_version_one_wins_and_the_other_writes_nothing_t13,
    races::a_thousand_dispatches_of_one_proposal_give_one_grant_t09,
    races::an_attempt_is_never_recorded_twice_even_past_the_version_guard_t09,
    races::counts_are_what_a_recount_gives,
    reading::a_list_is_read_page_by_page,
    reading::the_inbox_is_by_deadline_and_every_agent_has_its_share_b7,
    reading::a_list_is_filtered_by_state_and_agent,
    finding::proposals_are_found_by_each_of_their_columns_and_by_time,
    finding::a_search_over_many_rows_stops_goes_on_and_loses_none,
    finding::a_column_that_a_list_goes_by_must_agree_with_the_record_a8,
    finding::the_inbox_is_filtered_and_still_fair,
    finding::the_log_is_read_both_ways_and_by_time,
    reading::open_proposals_are_found_by_agent_intent_and_deadline,
    reading::text_sorts_by_its_bytes,
    reading::parts_that_do_not_belong_together_are_a_fault_and_no_record_t10,
    reading::what_waits_is_read_oldest_first_with_its_rules_and_age,
    log::every_move_has_exactly_one_leaf_in_order_t120,
    log::integrating_in_pieces_gives_the_tree_of_all_at_once,
    log::sequencers_that_run_at_once_do_not_disturb_each_other,
    log::an_entry_that_appears_late_is_not_lost,
    people::a_link_is_used_once_t47,
    people::a_link_too_old_opens_nothing_t47,
    people::a_session_ends_when_it_is_over_or_ended_t47,
    people::why_a_link_opens_nothing_is_known_while_it_is_kept,
    people::a_token_at_rest_opens_nothing_t47,
    people::a_token_for_the_log_is_no_session_and_ends_when_it_is_over_or_revoked,
    people::a_session_from_the_future_is_over_a6,
    people::a_session_or_a_link_that_the_gate_did_not_write_opens_nothing_a8,
    people::a_session_outlives_a_change_of_the_key_while_the_old_one_is_kept_a8,
    identity::a_database_keeps_its_incarnation_until_it_is_renewed,
    identity::the_root_at_every_size_is_that_of_its_leaves,
    opening::what_was_committed_is_there_after_a_restart,
    opening::a_closed_store_writes_nothing,
    opening::a_missing_database_is_refused,
    opening::creating_twice_and_at_once_changes_nothing,
    opening::a_newer_or_older_database_is_refused_t139,
    opening::an_administrator_writes_beside_a_running_gate,
    upgrade::a_database_of_the_version_before_is_read_and_written_anew_d16,
    upgrade::rows_of_before_get_what_lists_are_filtered_by,
}
