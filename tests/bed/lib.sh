# What the scripts of the test bed share. Sourced, never run.
# shellcheck shell=bash disable=SC2034

bed=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=$(readlink -f "$bed/../..")
cache=${XDG_CACHE_HOME:-/var/cache}/pam-jit-bed
export DEBIAN_FRONTEND=noninteractive

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# Namespaces, mounts and package installation need root. Called as somebody
# else, a script starts itself again through sudo, with the few variables that
# steer it.
be_root() {
    [ "$EUID" -ne 0 ] || return 0
    command -v sudo >/dev/null ||
        die "this needs root, and there is no sudo here: run it as root"
    exec sudo --preserve-env=XDG_CACHE_HOME,TERM,http_proxy,https_proxy,no_proxy \
        -- "$(readlink -f "$0")" "$@"
}

# Runs a command quietly; shows what it printed only when it fails.
quietly() {
    local out rc=0
    out=$("$@" 2>&1 </dev/null) || rc=$?
    if [ "$rc" -ne 0 ]; then
        printf '%s\n' "$out" >&2
        say "failed with status $rc: $*"
    fi
    return "$rc"
}

# mount_over LOWER STORE ROOT: mounts at ROOT a writable view of the read-only
# directories LOWER (colon-separated, uppermost first); what is written lands in
# STORE/upper. The caller is in a mount namespace of its own, so nothing needs
# unmounting, however it ends.
mount_over() {
    mkdir -p "$2/upper" "$2/work" "$3"
    mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" bed "$3"
}

# Starts the script again, under the same pid, in a mount namespace of its own.
own_mounts() {
    [ "${BED_OWN_MOUNTS:-}" != "$$" ] || return 0
    BED_OWN_MOUNTS=$$ exec unshare --mount --propagation private -- \
        "$(readlink -f "$0")" "$@"
}

# The directories of control group NAME in the hierarchies that systemd manages:
# the unified one, and the old named one where the host still has it.
cgroup_dirs() {
    local at
    for at in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
        [ ! -e "$at/cgroup.procs" ] || printf '%s\n' "$at/$1"
    done
}

# become_nspawn GROUP ARG...: turns this process into systemd-nspawn, in a control
# group of its own (two machines in one group would each kill the other's
# services): one that systemd delegates where it is PID 1 here, one made by hand
# where nothing manages them.
become_nspawn() {
    local group=$1 dir via=()
    shift
    if [ -d /run/systemd/system ]; then
        via=(systemd-run --quiet --scope --unit="$group" --property=Delegate=yes --)
    else
        for dir in $(cgroup_dirs "$group"); do
            mkdir -p "$dir"
            echo "$BASHPID" >"$dir/cgroup.procs"
        done
    fi
    exec "${via[@]}" setpriv --pdeathsig KILL systemd-nspawn --quiet --keep-unit \
        --register=no --link-journal=no --private-network --machine="$group" "$@"
}

# Kills what is left in control group GROUP, and removes it. Groups and processes go while
# it looks: that fails nothing here.
drop_cgroup() {
    local dir pid
    if [ -d /run/systemd/system ]; then
        systemctl --quiet kill --signal=KILL "$1.scope" 2>/dev/null || true
        return 0
    fi
    for dir in $(cgroup_dirs "$1"); do
        for _ in {1..50}; do
            [ -d "$dir" ] || break
            { find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true; } |
                while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done
            find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
        done
    done
}
