#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs in a root: builds the project with what is there, and tests it. OUT gets the results.
#
# usage: inside.sh test OUT EXPRESSION EXCLUSION [NAME=VALUE...] [SETTING...]
#                                                    the tests whose ctest name matches, without those of the
#                                                    exclusion; variables of the environment, settings for cmake
#        inside.sh pack OUT                          makes the packages: OUT/debs
#        inside.sh installed OUT                     tests the packages of OUT/debs, built elsewhere, beside what is
#                                                    built here
set -eu
cd /srv/libsecretssl

versions() {
    echo "compiler $(gcc -dumpfullversion)"
    echo "cmake $(cmake --version | sed -n '1s/.* //p')"
    echo "libc $(dpkg-query -W -f '${Version}' libc6)"
    # What was made for this row, by a script of prepare/
    made=/usr/local/share/matrix-openssl
    if [ -e $made ]; then
        echo "openssl $(cat $made)"
    else
        echo "openssl $(openssl version | cut -d ' ' -f 2)"
    fi
}

# build OUT [SETTING...]
build() {
    out=$1
    shift
    if ! { cmake --preset quick "$@" && cmake --build --preset quick -- -k 0; } >"$out/build.log" 2>&1; then
        tail -n 40 "$out/build.log"
        echo "inside: the project does not build here"
        exit 1
    fi
}

# test_build OUT EXPRESSION EXCLUSION [NAME=VALUE...] [SETTING...]
test_build() {
    out=$1 expression=$2 exclusion=$3
    shift 3
    while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do
        export "${1?}"
        shift
    done
    versions >"$out/versions"
    build "$out" "$@"
    LIBSECRETSSL_TABLE="$out/copies.json" ctest --preset quick -j 3 --timeout 300 --no-tests=error \
        --output-on-failure --output-junit "$out/tests.xml" -R "$expression" -E "$exclusion" >"$out/tests.log" 2>&1 || true
}

# The programs of the tests are those that were built here; the preload and the tool are the packages'.
test_packages() {
    apt-get -qq -y install "$1"/debs/libsecretssl0_*.deb "$1"/debs/libsecretmem0_*.deb "$1"/debs/secretssl_*.deb \
        >"$1/install.log" 2>&1 || { tail -n 20 "$1/install.log" && exit 1; }
    mkdir -p build/installed/lib build/installed/bin
    ln -s /usr/lib/*/libsecretssl.so /usr/lib/*/libsecretmem.so.0 build/installed/lib
    ln -s libsecretmem.so.0 build/installed/lib/libsecretmem.so
    ln -s /usr/bin/secretssl build/installed/bin
    ln -s ../quick/test build/installed/test
    cd test/system
    for file in s_server hooks fork stat scan degrade; do
        if python3 -B "test_$file.py" --build /srv/libsecretssl/build/installed >"$1/package-$file.log" 2>&1; then
            echo "passed $file"
        else
            echo "failed $file"
        fi
    done >"$1/packages"
}

case $1 in
test) shift && test_build "$@" ;;
pack) cpack --config build/quick/CPackConfig.cmake -B "$2/debs" >"$2/pack.log" 2>&1 || { tail -n 20 "$2/pack.log" && exit 1; } ;;
installed) test_packages "$2" ;;
esac
