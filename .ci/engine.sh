# The container engine, and the checks that every image has. For .ci/container and .ci/template-container, which source it after they have set
#
#   Image, Name   of the image and of its container
#   Context       the folder with the Dockerfile
#   Ports         the ports that the image listens on
#   ReadyPort     the one with /readyz
#   GracePeriod   in seconds, that a stop may take
#   Revision      the build argument REVISION; without it the Dockerfile's own
#
# Context may be set later, in the folder $scratch, which is deleted at the end. Shared is set if a build sees the packages of this machine.
#
# The engine is $CONTAINERS, by default docker. If it does not work and CI=true, ../shared/tools/containers is used instead:
# it builds the same Dockerfile without a registry. With neither, the checks fail if CI=true, and are skipped otherwise.

readonly StandIn=../shared/tools/containers

failures=0
scratch=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# check PROMISE COMMAND…
check() {
  local promise=$1; shift
  if "$@" > "$scratch/output" 2>&1; then
    echo "ok $promise"
    if [ -s "$scratch/measured" ]; then sed 's/^/  | /' "$scratch/measured"; rm -f "$scratch/measured"; fi
  else
    echo "not ok $promise"
    rm -f "$scratch/measured"
    sed 's/^/  | /' "$scratch/output" | tail -n 40
    failures=$((failures + 1))
    return 1
  fi
}

clean_up() {
  if declare -F engine >/dev/null; then
    engine rm -f "$Name"
    engine rmi -f "$Image"
  fi >/dev/null 2>&1
  rm -rf "$scratch"
}

# --- the engine: what differs between a real one and the stand-in ------------------------------------------------------

# Defines engine ARG…, build, start and request PORT PATH CURL-ARG…
choose_engine() {
  local wanted=${CONTAINERS:-docker}
  if "$wanted" info >/dev/null 2>&1; then
    use_engine "$wanted"
  elif [ "${CI:-}" = true ] && [ -x "$StandIn" ]; then
    use_stand_in
  elif [ "${CI:-}" = true ]; then
    echo "not ok there is a container engine: no working '$wanted' here (set CONTAINERS to another engine)"
    failures=1
    return 1
  else
    echo "skip the container: no working '$wanted' here (set CONTAINERS to another engine)"
    return 1
  fi
}

use_engine() {
  readonly Engine=$1
  echo "engine: $Engine"
  engine() { "$Engine" "$@"; }
  build() { engine build --tag "$Image" ${Revision:+--build-arg "REVISION=$Revision"} "$Context"; }
  start() { run_locked_down "${Ports[@]/#/--publish=127.0.0.1::}"; }
  request() {
    local port=$1 path=$2; shift 2
    curl -sS --max-time 30 "$@" "http://$(engine port "$Name" "$port/tcp" | head -n 1)$path"
  }
}

# The container has only its own loopback network, so it takes no port of this machine. Requests are sent from inside this network.
use_stand_in() {
  readonly Shared=true
  export CONTAINERS_WORK=$scratch/stand-in # two scripts may run at once, and each call writes the stand-in's configuration there
  echo "engine: $StandIn"
  engine() { "$StandIn" podman "$@"; }
  # The stand-in takes no build arguments, so the value is put into a copy of the Dockerfile.
  build() {
    sed ${Revision:+-e "s/^ARG REVISION=.*/ARG REVISION=$Revision/"} -e '' "$Context/Dockerfile" > "$scratch/Dockerfile" &&
      DOCKERFILE=$scratch/Dockerfile "$StandIn" build "$Context" "$Image"
  }
  start() { run_locked_down --network none; }
  request() {
    local port=$1 path=$2; shift 2
    nsenter --net --target "$(host_pid)" curl -sS --max-time 30 "$@" "http://localhost:$port$path"
  }
}

run_locked_down() {
  engine run --detach --name "$Name" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "$@" "$Image"
}

host_pid() { engine inspect --format '{{.State.Pid}}' "$Name"; }

# --- the checks of every image ---------------------------------------------------------------------------------------

becomes_ready() {
  local deadline=$((SECONDS + 30))
  until request "$ReadyPort" /readyz --fail; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# All four user ids: real, effective, saved and of the file system.
is_not_root() { awk '$1 == "Uid:" { found = $2 && $3 && $4 && $5 } END { exit !found }' "/proc/$(host_pid)/status"; }

stops_cleanly() {
  engine stop -t "$GracePeriod" "$Name"
  local code
  code=$(engine inspect --format '{{.State.ExitCode}}' "$Name")
  echo "exit code $code"
  [ "$code" = 0 ] || { engine logs "$Name"; return 1; }
}

logs() {
  engine logs "$Name" > "$scratch/log" 2>&1
  tail -n 20 "$scratch/log"
  grep -qF -- "$1" "$scratch/log"
}
