//! The demo as somebody would try it: told to its end, told again, interrupted and resumed.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::gate::binary;
use crate::support::webdriver::Browser;

fn demo(dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command.arg("demo").arg("--dir").arg(dir).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `demo --auto` to its end.
async fn told(dir: &Path) -> String {
    let run = demo(dir).arg("--auto").output();
    let Output { status, stdout, stderr } =
        tokio::time::timeout(Duration::from_mins(1), run).await.expect("the demo does not end").unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}\n{text}\n{}", String::from_utf8_lossy(&stderr));
    assert!(!text.contains("BROKEN"), "{text}");
    text
}

/// Every part must come after the one before it.
pub(crate) fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        rest =
            rest.split_once(part).unwrap_or_else(|| panic!("`{part}` is missing or too early in\n{text}")).1;
    }
}

/// The proposal that waits for Frank.
fn waiting(text: &str) -> String {
    let start =
        text.find("ask for /v1/proposals/prp_").expect("nothing waits") + "ask for /v1/proposals/".len();
    text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

const STORY: &[&str] = &[
    "acme: http://127.0.0.1:",
    "gate: agents http://127.0.0.1:",
    "[1/6] the agent proposes: read a customer",
    "200 succeeded: Done.",
    "[2/6] the agent proposes: add a note",
    "200 succeeded: Done.",
    "[3/6] the agent proposes: refund 40.00 usd",
    "200 succeeded: Done.",
    "[4/6] the agent proposes: delete a customer",
    "403 denied: NOT DONE.",
    "[5/6] the agent proposes: refund with a bad input",
    "422 invalid_input",
    "/amount: must be of the type integer",
    "[6/6] the agent proposes: refund 900.00 usd",
    "202 pending: NOT DONE. Waiting for approval (0 of 1 from finance).",
    "Frank from finance decides",
    "balance: 2,400.00 USD (240000) → 1,500.00 USD (150000)",
    "he approves exactly that",
    "the agent, which waited, is told:",
    "200 succeeded: Done.",
    "verified offline:",
    "UNANCHORED: ",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_its_story_as_often_as_it_is_asked() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("demo");
    let first = told(&dir).await;
    in_order(&first, STORY);
    let mut ids = vec![waiting(&first)];
    // Acme would refund inv_1002 twice only: every telling needs books of its own.
    for _ in 0..3 {
        let again = told(&dir).await;
        in_order(&again, STORY);
        assert!(!ids.contains(&waiting(&again)), "a new telling proposes anew");
        ids.push(waiting(&again));
    }
}

/// Starts the demo and reads on until it has printed the link for Frank.
async fn until_the_link(dir: &Path) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut child = demo(dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while !text.contains("/sign-in/") {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("no link");
        text += &format!("{}\n", line.unwrap().unwrap_or_else(|| panic!("it ended early:\n{text}")));
    }
    (child, lines, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_browser_frank_approves_and_the_gate_stays_up_until_it_is_interrupted() {
    let Some(browser) = Browser::start().await else { return };
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("demo");
    let (mut child, mut lines, mut text) = until_the_link(&dir).await;
    let link = text.split_whitespace().find(|word| word.contains("/sign-in/")).unwrap().to_owned();
    browser.goto(&link).await;
    browser.click("main form button").await;
    browser.click("section[aria-labelledby=yours] a[href^='/proposals/']").await;
    browser.click("form[action$='/approve'] button").await;
    while !text.contains("  Log ") {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("no end");
        text += &format!("{}\n", line.unwrap().unwrap_or_else(|| panic!("it ended early:\n{text}")));
    }
    let story = [
        "202 pending: NOT DONE.",
        "Frank from finance must decide.",
        "200 succeeded: Done.",
        "UNANCHORED: ",
        "The gate stays up until Ctrl-C.",
    ];
    in_order(&text, &story);
    // Every page that it names is there: Frank's, and after her link Olga's.
    let places: Vec<&str> = text.lines().filter(|line| line.starts_with("  ")).collect();
    let url = |name: &str| {
        let place = places.iter().find_map(|line| line.trim().strip_prefix(name));
        place.unwrap_or_else(|| panic!("{name} is not named:\n{text}")).trim().to_owned()
    };
    for name in ["Inbox", "History"] {
        browser.goto(&url(name)).await;
        assert_eq!(browser.text("h1").await, name);
    }
    let olga = text.split_whitespace().filter(|word| word.contains("/sign-in/")).nth(1).unwrap();
    browser.click("form.me button").await;
    browser.wait_until("!document.querySelector('form.me')").await;
    browser.goto(olga).await;
    browser.click("main form button").await;
    browser.find("#yours").await;
    browser.goto(&url("Log")).await;
    assert_eq!(browser.text("h1").await, "Log");

    interrupt(&mut child).await;
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    // At once, and from the beginning.
    in_order(&told(&dir).await, STORY);
    assert!(last.starts_with("stopped; run the same command again"), "{last}");
}

/// Ctrl-C, after which the demo ends well.
async fn interrupt(child: &mut Child) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("it does not stop");
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_was_interrupted_resumes_the_same_proposal() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("demo");
    let (mut child, mut lines, text) = until_the_link(&dir).await;
    interrupt(&mut child).await;
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert_eq!(last, "stopped; run the same command again to go on");
    let resumed = told(&dir).await;
    in_order(&resumed, STORY);
    assert_eq!(waiting(&resumed), waiting(&text));
}
