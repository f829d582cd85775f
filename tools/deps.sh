#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages of the named sets, only those that are missing.
#
#   tools/deps.sh build test        installs with apt-get, as root or through sudo
#   tools/deps.sh --check build     installs nothing; exit 1 and a hint if one is missing
set -eu

build="gcc libc6-dev meson ninja-build pkg-config python3 scdoc libpcre2-dev libidn2-dev
    libyaml-dev libjansson-dev libxxhash-dev libev-dev libcurl4-openssl-dev
    libssl-dev libnghttp2-dev libseccomp-dev liblmdb-dev libmaxminddb-dev libcmocka-dev"
test="python3-pytest python3-pytest-xdist python3-yaml python3-jsonschema python3-h2 python3-websockets python3-requests curl nghttp2-client nodejs
    openssl g++ nftables slowhttptest tzdata nginx libnginx-mod-http-js haproxy apache2 varnish caddy lua-socket zsh fish aria2"
lint="clang clang-format clang-tidy libclang-rt-14-dev llvm cppcheck shellcheck"
browser="chromium"
command -v npm >/dev/null || browser="$browser npm" # others than Debian bring it with nodejs
bench="nginx haproxy h2o valgrind"

check=no
wanted=
for word in "$@"; do
    case $word in
    --check) check=yes ;;
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    lint) wanted="$wanted $lint" ;;
    browser) wanted="$wanted $browser" ;;
    bench) wanted="$wanted $bench" ;;
    *)
        echo "deps.sh: no set is called $word; there are build, test, browser, lint and bench" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086 # on one line
    echo "deps.sh: not a Debian system; install by hand what gives:" $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ $check = yes ]; then
    echo "missing packages:$missing" >&2
    echo "'make deps' installs them" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    root="env"
elif command -v sudo >/dev/null; then
    root="sudo env"
else
    echo "These packages are missing, and installing them takes root or sudo:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
fi

# A package of a server would start it on its usual port. While this file exists and says
# 101, Debian's maintainer scripts start nothing.
policy=/usr/sbin/policy-rc.d
made_policy=no
remove_policy() {
    [ $made_policy = no ] || $root rm -f $policy
}
trap remove_policy EXIT
trap 'exit 1' INT TERM
if [ ! -e $policy ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    $root chmod 755 $policy
fi

echo "installing:$missing"
install() {
    # shellcheck disable=SC2086 # a list of package names
    $root DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
# The lists may be absent or old: one update and a second try settle it.
if ! install; then
    $root apt-get update -q
    install
fi
