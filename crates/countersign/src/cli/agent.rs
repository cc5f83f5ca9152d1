//! `propose`, as an agent would over HTTP.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::{Client, DONE, Output, REFUSED, UNKNOWN, WAITING};
use crate::wire::at;

/// Arguments of `propose`.
#[derive(Debug, Args)]
pub(super) struct Propose {
    /// The action, such as `acme.refund.create`.
    action: String,
    /// The input as JSON.
    #[arg(long, default_value = "{}")]
    input: String,
    /// The person the agent acts for.
    #[arg(long, value_name = "PERSON")]
    on_behalf_of: Option<String>,
    /// The agent's own words; people see them apart from the card.
    #[arg(long)]
    reason: Option<String>,
    /// Decide and preview only.
    #[arg(long)]
    dry_run: bool,
    /// Seconds to wait for a result.
    #[arg(long, default_value_t = 0)]
    wait: u64,
    /// Makes the request safe to repeat.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The agents' listener.
    #[arg(long, env = "COUNTERSIGN_URL", hide_env_values = true, default_value = "http://127.0.0.1:4180")]
    gate: String,
    /// A file with the agent's key; the key itself is never an argument.
    #[arg(long, env = "COUNTERSIGN_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    key_file: PathBuf,
    /// Print the gate's answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn propose(args: &Propose, output: &mut Output) -> anyhow::Result<u8> {
    let key = std::fs::read_to_string(&args.key_file)
        .with_context(|| format!("failed to read the key file {}", args.key_file.display()))?;
    let client = Client::new(&args.gate, key.trim())?;
    // The gate's strict reader judges the input; here it only has to be JSON.
    let input: Value = serde_json::from_str(&args.input).context("`--input` is not JSON")?;
    let mut body = json!({ "action": args.action, "input": input, "dry_run": args.dry_run });
    for (name, value) in [("on_behalf_of", &args.on_behalf_of), ("reason", &args.reason)] {
        if let (Some(value), Some(map)) = (value, body.as_object_mut()) {
            map.insert(name.to_owned(), json!(value));
        }
    }
    let path = format!("/v1/proposals?wait={}", args.wait);
    let answer = match &args.idempotency_key {
        Some(key) => client.post_once(&path, &body, key).await?,
        None => client.post(&path, &body).await?,
    };
    if args.json {
        output.lines(&serde_json::to_string_pretty(&answer.body)?);
    } else if answer.status >= 400 {
        output.line(&answer.problem());
    } else {
        describe(&answer.body, output);
    }
    Ok(match at(&answer.body, "/state").as_str() {
        Some("succeeded") => DONE,
        Some("unknown") => UNKNOWN,
        Some(_) if *at(&answer.body, "/dry_run") == json!(true) => DONE,
        Some(_) if answer.status < 400 => WAITING,
        _ if answer.status < 400 => DONE,
        _ if answer.status < 500 => REFUSED,
        _ => answer.exit_code(),
    })
}

fn describe(body: &Value, output: &mut Output) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name =
        if *at(body, "/dry_run") == json!(true) { "dry run".to_owned() } else { text(at(body, "/id")) };
    output.line(&format!("{name}  {}", text(at(body, "/state"))));
    output.line(&text(at(body, "/message")));
    for effect in at(body, "/effects").as_array().into_iter().flatten() {
        output.line(&format!("  effect: {}", text(effect)));
    }
    for need in at(body, "/needs").as_array().into_iter().flatten() {
        for because in at(need, "/because").as_array().into_iter().flatten() {
            output.line(&format!(
                "  because: {} ({})",
                text(at(because, "/reason")),
                text(at(because, "/policy"))
            ));
        }
    }
    if !at(body, "/result").is_null() {
        output.line(&format!("  result: {}", at(body, "/result")));
    }
}
