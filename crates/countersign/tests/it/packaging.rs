//! What is in `packaging/`: the unit, the Debian package and the container file.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::gate::{assert_done, binary, http, send};
use crate::support::tools::{self, repository};

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).env("DPKG_DEB_COMPRESSOR_TYPE", "none").output().unwrap();
    assert_done(&output);
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
}

/// A system that has nothing but the package, installed around the binary under test. None where there is no dpkg, or
/// no right to install.
struct Installed {
    root: tempfile::TempDir,
    said: String,
}

impl Installed {
    fn new() -> Option<Self> {
        if !tools::has(Path::new("/usr/bin/dpkg-deb")) || !tools::has(Path::new("/usr/bin/systemd-sysusers"))
        {
            return None;
        }
        if run("id", &["-u"]).trim() != "0" {
            eprintln!("skipped: only root can install a package");
            return None;
        }
        let (root, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // Others than root must be able to get there.
        run("chmod", &["755", path(root.path())]);
        for folder in ["info", "updates"] {
            std::fs::create_dir_all(root.path().join("var/lib/dpkg").join(folder)).unwrap();
        }
        std::fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
        let script = repository().join("packaging/deb.sh");
        let package = run(path(&script), &[binary(), path(made.path())]);
        let into = format!("--root={}", path(root.path()));
        let said = run(
            "dpkg",
            &[&into, "--force-script-chrootless", "--force-depends", "--log=/dev/null", "-i", package.trim()],
        );
        Some(Self { root, said })
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside.trim_start_matches('/'))
    }

    fn unit(&self) -> String {
        std::fs::read_to_string(self.path("/lib/systemd/system/countersign.service")).unwrap()
    }

    /// A setting of the unit, with its paths in this system.
    fn setting(&self, name: &str) -> Vec<String> {
        let unit = self.unit();
        let line = unit.lines().find_map(|l| l.strip_prefix(&format!("{name}="))).unwrap();
        let inside = |word: &str| {
            if word.starts_with('/') { path(&self.path(word)).to_owned() } else { word.to_owned() }
        };
        line.split(' ').map(inside).collect()
    }

    /// The number of the user that the package made.
    fn user(&self) -> String {
        let users = std::fs::read_to_string(self.path("/etc/passwd")).unwrap();
        let user = users.lines().find(|l| l.starts_with(&format!("{}:", self.setting("User")[0]))).unwrap();
        user.split(':').nth(2).unwrap().to_owned()
    }

    /// A command of the package, as its user.
    fn as_user(&self, words: &[String]) -> Command {
        let user = self.user();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs"]);
        command.args(words);
        command
    }
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    if !tools::has(Path::new("/usr/bin/systemd-analyze")) {
        return;
    }
    let verify = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join("countersign.service");
        std::fs::write(&unit, text.replace("/usr/bin/countersign", binary())).unwrap();
        let output =
            Command::new("systemd-analyze").args(["verify", "--man=no", path(&unit)]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        // A line that it does not understand is only a warning.
        (output.status.success() && said.is_empty(), said)
    };
    let unit = std::fs::read_to_string(repository().join("packaging/countersign.service")).unwrap();
    assert_eq!(verify(&unit), (true, String::new()));
    for (right, wrong) in [
        ("ProtectSystem=strict", "ProtectSystem=strickt"),
        ("RestrictRealtime=", "RestrictRealTimes="),
        ("ExecReload=/bin/kill", "ExecReload=/bin/no-such-program"),
    ] {
        assert!(!verify(&unit.replace(right, wrong)).0, "`{wrong}` was not noticed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debian_package_makes_its_user_starts_nothing_and_its_gate_answers() {
    let Some(system) = Installed::new() else { return };
    assert!(system.said.contains("not started"), "{}", system.said);
    assert!(!system.path("/etc/countersign/countersign.toml").exists(), "there is no gate directory yet");
    assert!(system.unit().contains("ConditionPathExists=/etc/countersign/countersign.toml"));
    let user = system.user();
    assert_ne!(user, "0");

    // As the guide says, but for the ports and the name of the folder.
    let (gate, state) = (system.path("/etc/countersign"), system.path("/var/lib/countersign"));
    let program = system.path("/usr/bin/countersign");
    run(path(&program), &["init", "--state", path(&state), path(&gate)]);
    run("chown", &["-R", &format!("{user}:{user}"), path(&state)]);
    let config = gate.join("countersign.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(!gate.join("state").exists() && text.contains(path(&state)));
    std::fs::write(
        &config,
        text.replace("127.0.0.1:4180", "127.0.0.1:0").replace("127.0.0.1:4181", "127.0.0.1:0"),
    )
    .unwrap();

    let mut serving = system.as_user(&system.setting("ExecStart"));
    let mut child = serving.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let Some(agents) = first.strip_prefix("agents ") else {
        let output = child.wait_with_output().unwrap();
        panic!("the gate did not start: {first}{}", String::from_utf8_lossy(&output.stderr));
    };
    let (status, body) = send(http().get(format!("{}/readyz", agents.trim()))).await;
    assert_eq!((status, &body["status"]), (200, &"ready".into()), "{body}");
    let owner = run("stat", &["-c", "%u", &format!("/proc/{}", child.id())]);
    assert_eq!(owner.trim(), user, "it runs as its user");

    // What ExecReload says reaches it.
    let reload = system.setting("ExecReload").join(" ");
    assert!(reload.ends_with("/bin/kill -HUP $MAINPID"), "{reload}");
    run("kill", &["-HUP", &child.id().to_string()]);
    run("kill", &["-TERM", &child.id().to_string()]);
    let output = child.wait_with_output().unwrap();
    assert_done(&output);
}

#[test]
fn the_user_of_the_service_cannot_change_what_decides() {
    let Some(system) = Installed::new() else { return };
    let program = path(&system.path("/usr/bin/countersign")).to_owned();
    let (gate, state) = (system.path("/etc/countersign"), system.path("/var/lib/countersign"));
    run(&program, &["init", "--state", path(&state), path(&gate)]);
    for file in ["countersign.toml", "directory.toml", "policies/README.md", "policies/new.cedar"] {
        let target = path(&gate.join(file)).to_owned();
        let written = system.as_user(&["touch".to_owned(), target]).output().unwrap();
        assert!(!written.status.success(), "{file} can be written by the service");
    }
    // A second `init` says where the state is already.
    let again = Command::new(&program).args(["init", "--state", "/elsewhere", path(&gate)]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("leave `--state` out"), "{said}");
}

#[test]
fn the_container_runs_as_nobody_in_particular_and_is_built_from_what_is_there() {
    let file = std::fs::read_to_string(repository().join("packaging/Containerfile")).unwrap();
    let last = file.rsplit("\nFROM ").next().unwrap();
    let user = last.lines().find_map(|l| l.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id != 0)), "{user}");
    assert!(!last.contains("COPY . ") && !last.contains("ENV ") && !last.contains("ARG "), "{last}");
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|l| l.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(file.contains(&format!("rust:{version}-")), "the image builds with Rust {version}");
    // What the build needs is let into its context, and nothing else is.
    let context = std::fs::read_to_string(repository().join(".dockerignore")).unwrap();
    let members = manifest.lines().find_map(|l| l.strip_prefix("members = ")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        let folder = member.split('/').next().unwrap();
        assert!(context.contains(&format!("\n!{folder}\n")), "{folder} is a member of the workspace");
    }
    assert!(context.lines().any(|l| l == "**"), "everything else is left out");
}
