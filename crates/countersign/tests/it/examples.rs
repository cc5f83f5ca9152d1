//! The examples' transcripts, run as they are written.
//!
//! Every fenced `console` block of a `run.md` goes into one shell, in a copy of the example's directory. A line
//! `$ command` is run (`> ` continues it); the lines below it are what it prints on both streams. `[..]` stands
//! for anything within a line, a line `...` for any lines, `? 3` for the exit status, which is 0 otherwise. The
//! example's ports are replaced by free ones throughout, so examples run beside each other and anything else.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::gate::binary;
use crate::support::tools::{self, repository};

/// One command of a transcript.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    prints: Vec<String>,
    status: i32,
}

/// Ends what a command printed; its status follows. No program prints it.
const END: char = '\u{1e}';

/// For a whole transcript. Its slowest steps, the starts of an agent, take about three seconds on a free machine.
const PATIENCE: Duration = Duration::from_mins(3);

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            steps.push(Step { line: number + 1, command, prints: Vec::new(), status: 0 });
        } else if let Some(more) = line.strip_prefix("> ") {
            write!(steps.last_mut().unwrap().command, "\n{more}").unwrap();
        } else if let Some(status) = line.strip_prefix("? ") {
            steps.last_mut().unwrap().status = status.parse().unwrap();
        } else {
            steps.last_mut().expect("a block begins with a command").prints.push(line.to_owned());
        }
    }
    assert!(!steps.is_empty(), "no step was found");
    steps
}

/// Whether a printed line is the expected one, where `[..]` is anything.
fn line_fits(expected: &str, printed: &str) -> bool {
    let Some((first, rest)) = expected.split_once("[..]") else { return expected == printed };
    let Some(printed) = printed.strip_prefix(first) else { return false };
    printed.char_indices().map(|(at, _)| at).chain([printed.len()]).any(|at| line_fits(rest, &printed[at..]))
}

fn lines_fit(expected: &[String], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((any, rest)) if any == "..." => {
            (0..=printed.len()).any(|skip| lines_fit(rest, &printed[skip..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| line_fits(line, first) && lines_fit(rest, others)),
    }
}

/// A port below those of outgoing connections, so that nobody takes it before the example does.
pub(crate) fn free_port() -> u16 {
    for _ in 0..100 {
        let mut random = [0_u8; 2];
        fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
        let port = 10_000 + u16::from_le_bytes(random) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

/// Replaces a number wherever it stands by itself.
pub(crate) fn replace_number(text: &str, from: u16, to: u16) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        out.push_str(before);
        out.push_str(if alone { &to } else { &from });
        rest = after;
    }
    out + rest
}

/// A copy of an example, and everything that its transcript printed.
struct Run {
    dir: tempfile::TempDir,
    printed: String,
}

impl Run {
    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join("example").join(path)).unwrap()
    }

    /// Every file that the run left behind.
    fn left_behind(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    found.push((path, bytes));
                }
            }
        }
        found
    }
}

fn copy(from: &Path, to: &Path, ports: &[(u16, u16)]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if name == "state" || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name), ports);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let text = ports.iter().fold(text, |text, (from, to)| replace_number(&text, *from, *to));
            fs::write(to.join(name), text).unwrap();
        }
    }
}

/// All steps as one script that says where the output of each ends.
fn script(steps: &[Step]) -> String {
    steps
        .iter()
        .fold(String::new(), |script, step| format!("{script}{}\nprintf '{END}%s\\n' $?\n", step.command))
}

/// Runs a script in a process group of its own, which is ended with it. Gives what both streams got.
pub(crate) fn shell(script: &str, dir: &Path, home: &Path) -> String {
    let (script_file, out) = (home.join("script"), home.join("printed"));
    fs::write(&script_file, script).unwrap();
    let printed = fs::OpenOptions::new().create(true).append(true).open(&out).unwrap();
    let bin = Path::new(binary()).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", tools::path());
    let mut child = Command::new("bash")
        .arg(&script_file)
        .current_dir(dir)
        .env_clear()
        .envs([("PATH", path.as_str()), ("LC_ALL", "C.UTF-8")])
        .envs([("HOME", home), ("XDG_CONFIG_HOME", home)])
        // What a reader installs with pip.
        .env("PYTHONPATH", tools::adapters())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(printed.try_clone().unwrap())
        .stderr(printed)
        .process_group(0)
        .spawn()
        .unwrap();
    let group = format!("-{}", child.id());
    let (ended, end) = mpsc::channel();
    let waiter = std::thread::spawn(move || ended.send(child.wait()));
    let in_time = end.recv_timeout(PATIENCE).is_ok();
    // Whatever still runs in the background, and the shell itself when it hangs.
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let _ = waiter.join();
    let printed = fs::read_to_string(out).unwrap();
    assert!(in_time, "the transcript does not end:\n{printed}");
    printed
}

/// Runs `examples/{name}/run.md` and compares every step.
fn runs_as_written(name: &str, ports: &[u16]) -> Run {
    let temp = tempfile::tempdir().unwrap();
    let (dir, home) = (temp.path().join("example"), temp.path().join("home"));
    fs::create_dir(&home).unwrap();
    let ports: Vec<(u16, u16)> = ports.iter().map(|port| (*port, free_port())).collect();
    copy(&repository().join("examples").join(name), &dir, &ports);
    let steps = steps(&fs::read_to_string(dir.join("run.md")).unwrap());
    let printed = shell(&script(&steps), &dir, &home);
    let mut rest = printed.as_str();
    for step in &steps {
        let place = format!("examples/{name}/run.md:{}: $ {}", step.line, step.command);
        let (output, after) = rest.split_once(END).unwrap_or_else(|| panic!("{place}\ndid not end:\n{rest}"));
        let (status, after) = after.split_once('\n').unwrap();
        rest = after;
        let lines: Vec<&str> = output.lines().collect();
        let expected = step.prints.join("\n");
        assert!(lines_fit(&step.prints, &lines), "{place}\nexpected:\n{expected}\nprinted:\n{output}");
        assert_eq!(status.parse(), Ok(step.status), "{place}\nexit status; it printed:\n{output}");
    }
    Run { dir: temp, printed }
}

#[test]
fn the_runner_knows_what_fits() {
    let fits = |expected: &str, printed: &str| {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        lines_fit(&expected, &printed.lines().collect::<Vec<_>>())
    };
    for (expected, printed) in
        [("", ""), ("a[..]c", "abc"), ("[..]", "→"), ("...\nz", "x\ny\nz"), ("...", "")]
    {
        assert!(fits(expected, printed), "{expected} {printed}");
    }
    for (expected, printed) in [("", "a"), ("a", ""), ("a[..]c", "ab"), ("...\nz", "z\ny"), ("a\nb", "a")] {
        assert!(!fits(expected, printed), "{expected} {printed}");
    }
    assert_eq!(replace_number(":4180 14180 x4180 4180", 4180, 9), ":9 14180 x4180 9");
}

#[test]
fn example_01_runs_as_written() {
    let run = runs_as_written("01-refund-needs-approval", &[4180, 4181, 4190]);
    for secret in ["state/acme-read.secret", "state/acme-write.secret", "state/agent.key"] {
        assert!(!run.printed.contains(run.file(secret).trim()), "{secret} was printed");
    }
}

#[test]
fn example_02_runs_as_written() {
    if !tools::has(&tools::tools().join("venv/bin/localstripe")) {
        return;
    }
    let run = runs_as_written("02-stripe-refund", &[4280, 4281, 8420]);
    let refunds: serde_json::Value = serde_json::from_str(&run.file("state/refunds.json")).unwrap();
    let mut amounts: Vec<(u64, &str)> = refunds["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refund| (refund["amount"].as_u64().unwrap(), refund["charge"].as_str().unwrap()))
        .collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [(3_000, "ch_ujqQnrEizzuReX"), (45_000, "ch_v4af9J7tkPi0ym")]);
    // The keys stand in their two files and nowhere else: not in the database, not in the log, not on a stream.
    // The transcript itself names them, because it writes the files.
    assert!(!run.printed.contains("sk_test_"), "{}", run.printed);
    for (path, bytes) in run.left_behind() {
        let written_there = ["stripe-ro.key", "stripe-refunds.key", "run.md", "seed.py", "script"];
        if !written_there.iter().any(|name| path.ends_with(name)) {
            let found = bytes.windows(8).any(|window| window == b"sk_test_");
            assert!(!found, "a key is in {}", path.display());
        }
    }
}

/// The refunds that Acme has recorded, in their order: invoice and amount.
fn refunds(run: &Run) -> Vec<(String, u64)> {
    let file = run.file("state/acme/acme.jsonl");
    let changes = file.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let refund = |change: serde_json::Value| {
        let refund = &change["change"]["refund"];
        Some((refund["invoice"].as_str()?.to_owned(), refund["amount"].as_u64()?))
    };
    changes.filter_map(refund).collect()
}

/// An agent's example: what was to be refunded was, and nothing twice.
fn agent_example(name: &str, ports: &[u16], package: &str) {
    if !tools::has_python(package) {
        return;
    }
    let run = runs_as_written(name, ports);
    assert_eq!(refunds(&run), [("inv_1001".to_owned(), 4_000), ("inv_1002".to_owned(), 90_000)]);
    for secret in ["state/acme-read.secret", "state/acme-write.secret", "state/agent.key"] {
        let secret = run.file(secret);
        let secret = secret.trim().as_bytes();
        assert!(!run.printed.contains(std::str::from_utf8(secret).unwrap()), "a secret was printed");
        // A run that lies about must not hold the agent's key.
        for (path, bytes) in run.left_behind() {
            let saved = path.extension().is_some_and(|end| end == "db" || end == "json");
            assert!(!saved || !bytes.windows(secret.len()).any(|w| w == secret), "{}", path.display());
        }
    }
}

#[test]
fn example_03_runs_as_written() {
    agent_example("03-openai-agents", &[4380, 4381, 4390], "agents");
}

#[test]
fn example_04_runs_as_written() {
    agent_example("04-langgraph", &[4480, 4481, 4490], "langgraph");
}
