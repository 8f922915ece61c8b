#!/usr/bin/env bash
# Brings the composition up on a real engine in an empty project of its own, does the main job
# through it, kills containers meanwhile, verifies the bundle, and takes everything down again.
#
#   deploy/try.sh           the workers' image too (PyTorch: ten minutes the first time)
#   deploy/try.sh --quick   workers with the packages of .venv instead
#   deploy/try.sh --keep    leaves it running
#
# Where no registry can be reached, the images of others are replaced by local stand-ins with the
# same programs (deploy/try/Dockerfile). Ends with 0 and a reason where no engine starts.
set -euo pipefail
cd "$(dirname "$0")/.."

quick='' keep=''
for option in "$@"; do
    case $option in
        --quick) quick=yes ;;
        --keep) keep=yes ;;
        *) echo "No such option: $option" >&2; exit 2 ;;
    esac
done
skip() { echo "deploy/try.sh: skipped: $1"; exit 0; }
step() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$1"; }

python=$PWD/.venv/bin/python
[[ -x $python ]] || skip "there is no .venv; run make install first"
work=$(mktemp -d)
engine=()
started=''
PATH="$PWD/.venv/bin:$PATH"
command -v docker-compose >/dev/null || skip "there is no docker-compose"

install_package() {
    { apt-get update -q && apt-get install -y -q --no-install-recommends "$1"; } \
        >"$work/apt.log" 2>&1
}

# An engine that runs, or one of our own for as long as this takes.
start_engine() {
    (( $(id -u) == 0 )) || skip "no engine answers, and only root can start one"
    if ! command -v dockerd >/dev/null; then
        install_package docker.io || skip "no engine answers, and docker.io cannot be installed"
    fi
    local state=${EXCHANGE_TRY_ENGINE:-/var/lib/exchange-try}
    mkdir -p "$state"
    dockerd --data-root "$state" --exec-root "$work/exec" --pidfile "$work/pid" \
        --host "unix://$work/engine.sock" >"$work/dockerd.log" 2>&1 </dev/null &
    started=$!
    export DOCKER_HOST=unix://$work/engine.sock
    for _ in $(seq 60); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$started" 2>/dev/null || break
        sleep 1
    done
    tail -3 "$work/dockerd.log"
    started=''
    skip "an engine does not start here"
}
finish() {
    local status=$?
    if (( status != 0 )) && [[ -n ${files:-} ]]; then
        compose ps --all || true
        compose logs --no-color --tail 30 || true
    fi
    if [[ -z $keep ]]; then
        [[ -z ${files:-} ]] || compose down --volumes --remove-orphans >/dev/null 2>&1 || true
        [[ -z $started ]] || { kill "$started"; wait "$started" 2>/dev/null || true; }
        rm -rf "$work"
    fi
    exit "$status"
}
trap finish EXIT
docker info >/dev/null 2>&1 || start_engine
engine=(docker)
mkdir -p "$work/cli/cli-plugins"
ln -s "$(command -v docker-compose)" "$work/cli/cli-plugins/docker-compose"
engine=(env "DOCKER_CONFIG=$work/cli" "DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}" docker)

# Every value that a developer's own .env would set.
export EXCHANGE_VERSION=try EXCHANGE_HTTPS_PORT=18443 EXCHANGE_HTTP_PORT=18080
export EXCHANGE_TRY_PACKAGES=''
files=(--file docker-compose.yml)
if [[ -n $quick ]]; then
    files+=(--file deploy/try/compose.yml)
    EXCHANGE_TRY_PACKAGES=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
fi
: >"$work/empty.env"
whole=("${engine[@]}" compose --project-name exchange-try --env-file "$work/empty.env" "${files[@]}")
compose() { "${whole[@]}" "$@"; }

# The images of others: from their registry, or stand-ins under the same tags.
base=$(sed -n 's/^ARG PYTHON=//p' deploy/Dockerfile)
has() { "${engine[@]}" image inspect "$1" >/dev/null 2>&1; }
stand_in() {
    "${engine[@]}" build --quiet --build-arg "BASE=$base" --target "$1" --tag "$2" deploy/try \
        >/dev/null
}
if ! has "$base" && ! timeout 30 "${engine[@]}" pull --quiet "$base" >/dev/null 2>&1; then
    step "no registry answers: building a stand-in for $base"
    command -v debootstrap >/dev/null \
        || install_package debootstrap || skip "no registry answers, and debootstrap cannot be installed"
    packages=python3,python3-venv,python3-pip,ca-certificates
    debootstrap --variant=minbase --include="$packages" bookworm "$work/base" \
        >"$work/debootstrap.log" 2>&1 || skip "no registry answers, nor does Debian's archive"
    ln -s python3 "$work/base/usr/bin/python"
    rm -rf "$work"/base/usr/lib/python3*/EXTERNALLY-MANAGED \
        "$work"/base/usr/share/{doc,man,locale,info}/* "$work"/base/var/{cache,lib}/apt/*
    # It trusts whom this machine trusts.
    cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$work/base/etc/pip.conf"
    tar -C "$work/base" -c . | "${engine[@]}" import --change 'CMD ["python3"]' \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        - "$base" >/dev/null
    rm -rf "$work/base"
fi
for pair in postgres valkey objects proxy; do
    image=$(compose config --format json \
        | "$python" -c 'import json, sys; print(json.load(sys.stdin)["services"][sys.argv[1]]["image"])' "$pair")
    has "$image" || timeout 60 "${engine[@]}" pull --quiet "$image" >/dev/null 2>&1 \
        || { step "a stand-in for $image"; stand_in "$pair" "$image"; }
done

step "building our images"
build() {
    "${engine[@]}" build --quiet --file deploy/Dockerfile --target "$1" \
        --build-arg "PYTHON=$base" --tag "iadd-exchange/$1:try" . >/dev/null
}
build portal
if [[ -z $quick ]]; then
    build worker
else
    "${engine[@]}" build --quiet --file deploy/try/worker.Dockerfile \
        --build-arg PORTAL=iadd-exchange/portal:try --tag iadd-exchange/worker:try deploy/try >/dev/null
fi
"${engine[@]}" images --format '{{.Repository}}:{{.Tag}}  {{.Size}}' | grep ':try'

step "docker compose up -d --wait"
compose up -d --wait --wait-timeout 300 --no-build >"$work/up.log" 2>&1 || { tail -20 "$work/up.log"; exit 1; }
step "everything is healthy"
compose cp proxy:/certificates/caddy/pki/authorities/local/root.crt "$work/root.crt" >/dev/null 2>&1
link=$(compose logs --no-color --no-log-prefix migrate | grep -o 'https://[^ ]*join#[^ ]*')
"$python" deploy/try/drive.py "https://localhost:$EXCHANGE_HTTPS_PORT" "$work/root.crt" "$link" \
    "$work/bundle.zip" -- "${whole[@]}"
.venv/bin/python -m app.cli verify "$work/bundle.zip"
step "a second start changes nothing, prints no link, and keeps the secrets"
compose up -d --wait --wait-timeout 300 --no-build >"$work/up.log" 2>&1 || { tail -20 "$work/up.log"; exit 1; }
[[ $(compose logs --no-color migrate | grep -c 'join#') == 1 ]]
[[ $(compose logs --no-color secrets | grep -c ': made') == 5 ]]
step "done"
