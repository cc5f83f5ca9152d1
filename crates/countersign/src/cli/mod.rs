//! The command line. Exit codes are part of the API and are documented in `docs/reference/cli.md`.

mod actions;
mod admin;
mod agent;
mod card;
mod check;
mod checkpoint;
mod find;
mod ids;
mod init;
mod log;
mod mcp;
mod people;
mod repair;
mod restore;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::shell::{BROKEN, DONE, Output, WRONG, stop_signal};
use crate::{config, demo, reference, serve, telemetry};

/// A runtime gate for AI agents: agents propose, policy and people decide, the gate executes.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about, after_help = AFTER)]
struct Cli {
    /// What the operator's log on standard error holds, as a `tracing` filter.
    #[arg(long, global = true, default_value = "warn", value_name = "FILTER")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "Exit codes: 0 done, 1 something went wrong, 2 wrong usage, 3 waits for people, \
                     4 refused or failed, 5 outcome unknown, 6 a check failed.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a gate directory, its log key and its database.
    Init(init::Init),
    /// Check a gate directory; every mistake is listed with file and line.
    Check(check::Check),
    /// Run the gate.
    Serve {
        /// The gate directory.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// See the whole story once: a gate, a small company's API, and an agent that proposes.
    Demo(demo::Demo),
    /// Propose an action, as an agent.
    Propose(agent::Propose),
    /// Say how a proposal stands, as its agent.
    Status(agent::StatusArgs),
    /// Wait until a proposal is settled, as its agent.
    Wait(agent::WaitArgs),
    /// Serve MCP on standard input and output from a running gate, as an agent.
    Mcp(mcp::McpArgs),
    /// List proposals, as a person.
    List(people::ListArgs),
    /// Show a proposal's card, as a person.
    Show(people::Show),
    /// Approve what `show` showed.
    Approve(people::Approve),
    /// Say that a proposal is for you, as the person whom its agent named.
    Confirm(people::Confirm),
    /// Reject a proposal.
    Reject(people::Reject),
    /// Withdraw a proposal.
    Cancel(people::Cancel),
    /// Find entries of the log, verify it, export it.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Register what a system offers.
    #[command(subcommand)]
    Actions(actions::ActionsCommand),
    /// Make an API key for an agent.
    Key(admin::Key),
    /// List what is quarantined, or look at one proposal again after its stored row was put right.
    Repair(repair::Repair),
    /// Sign people in, and give auditors tokens for the log.
    #[command(subcommand)]
    Person(admin::PersonCommand),
    /// Take an older or another database into service, after `serve` refused it.
    Restore(restore::Restore),
    /// Print completions for a shell: `countersign completions bash > /etc/bash_completion.d/countersign`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Run Acme, a small shop with an HTTP API, to try a gate against.
    Acme(demo::AcmeArgs),
    /// The documents of `docs/reference`, as they are generated.
    #[command(hide = true)]
    Reference {
        /// Which document.
        document: reference::Document,
    },
}

/// Parses the arguments, runs the command, and gives the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(&cli.log);
    let mut output = Output::new();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&format!("failed to start the runtime: {error}"));
            return ExitCode::from(WRONG);
        }
    };
    let code = runtime.block_on(dispatch(cli.command, &mut output));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output.error(&format!("{error:#}"));
            ExitCode::from(WRONG)
        }
    }
}

async fn dispatch(command: Command, output: &mut Output) -> anyhow::Result<u8> {
    match command {
        Command::Init(args) => init::run(&args, output).await,
        Command::Check(args) => check::run(&args, output).await,
        Command::Serve { dir } => Box::pin(run_gate(&dir, output)).await,
        Command::Demo(args) => Box::pin(demo::run(&args, output)).await,
        Command::Acme(args) => {
            demo::serve_acme(&args).await?;
            Ok(DONE)
        }
        Command::Propose(args) => agent::propose(&args, output).await,
        Command::Status(args) => agent::status(&args, output).await,
        Command::Wait(args) => agent::wait(&args, output).await,
        Command::Mcp(args) => mcp::run(&args, output).await,
        Command::List(args) => people::list(&args, output).await,
        Command::Show(args) => people::show(&args, output).await,
        Command::Approve(args) => people::approve(&args, output).await,
        Command::Confirm(args) => people::confirm(&args, output).await,
        Command::Reject(args) => people::reject(&args, output).await,
        Command::Cancel(args) => people::cancel(&args, output).await,
        Command::Log(args) => log::run(&args, output).await,
        Command::Actions(command) => actions::run(&command, output),
        Command::Key(args) => admin::key(&args, output),
        Command::Repair(args) => repair::run(&args, output).await,
        Command::Restore(args) => restore::run(&args, output).await,
        Command::Person(args) => admin::person(&args, output).await,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "countersign", &mut text);
            output.raw(&String::from_utf8(text)?);
            Ok(DONE)
        }
        Command::Reference { document } => {
            let (root, settings) = (Cli::command(), init::SETTINGS);
            let commands = reference::Commands { root, exit_codes: AFTER, settings };
            output.raw(&reference::text(document, commands));
            Ok(DONE)
        }
    }
}

async fn run_gate(dir: &std::path::Path, output: &mut Output) -> anyhow::Result<u8> {
    let (config, ruleset, warnings) = match config::load(dir) {
        Ok(loaded) => loaded,
        Err(problems) => {
            problems.iter().for_each(|p| output.error(&p.to_string()));
            output.error("the gate does not start with this directory");
            return Ok(BROKEN);
        }
    };
    warnings.iter().for_each(|w| output.error(&w.to_string()));
    let stop = stop_signal();
    let bound = serve::Bound::open(config, ruleset).await?;
    output.line(&format!("agents {}", bound.agents_url()?));
    output.line(&format!("people {}", bound.people_url()));
    output.line(&format!("log {}", bound.gate().log_key().public().to_vkey()));
    if let Some(url) = bound.metrics_url()? {
        output.line(&format!("metrics {url}"));
    }
    Box::pin(bound.serve(stop)).await?;
    output.line("stopped");
    Ok(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands below this one that have no `--json`.
    fn without_json(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        if !command.has_subcommands() && command.get_arguments().all(|argument| argument.get_id() != "json") {
            found.push(path.to_owned());
        }
        for inner in command.get_subcommands() {
            without_json(inner, format!("{path} {}", inner.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_command_that_answers_has_json() {
        let mut found = Vec::new();
        without_json(&Cli::command(), "", &mut found);
        // These run until they are stopped or speak a protocol, or print a document in a format of its own.
        assert_eq!(found, ["serve", "demo", "mcp", "completions", "acme", "reference"]);
    }
}
