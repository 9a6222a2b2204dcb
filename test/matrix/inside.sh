#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs in a root: builds the project with what is there, and tests it. OUT gets the results.
#
# usage: inside.sh test OUT EXPRESSION EXCLUSION [NAME=VALUE...] [SETTING...]
#                                                    the tests whose ctest name matches, without those of the
#                                                    exclusion; variables of the environment, settings for cmake
#        inside.sh cross OUT TRIPLET                 builds for another architecture
#        inside.sh built OUT EXPRESSION              tests what was built so, in an emulated machine
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
        grep -E -A 5 "error:|warning:|Error" "$out/build.log" | head -n 40
        echo "inside: the project does not build here"
        exit 1
    fi
}

# run_tests OUT EXPRESSION OPTION...
run_tests() {
    out=$1 expression=$2
    shift 2
    LIBSECRETSSL_TABLE="$out/copies.json" ctest --preset quick "$@" --no-tests=error \
        --output-on-failure --output-junit "$out/tests.xml" -R "$expression" >"$out/tests.log" 2>&1 || true
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
    run_tests "$out" "$expression" -E "$exclusion" -j 3 --timeout 300
}

cross() {
    {
        echo "compiler $("$2-gcc" -dumpfullversion)"
        echo "cmake $(cmake --version | sed -n '1s/.* //p')"
    } >"$1/versions"
    export PKG_CONFIG_LIBDIR="/usr/lib/$2/pkgconfig:/usr/share/pkgconfig"
    build "$1" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="${2%%-*}" -DCMAKE_C_COMPILER="$2-gcc" \
        -DSECRETSSL_TEST_SECONDS=1800
}

# An emulated processor is slow, so the tests have more time.
test_built() {
    {
        echo "libc $(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)"
        echo "openssl $(openssl version | cut -d ' ' -f 2)"
        echo "kernel $(uname -r)"
        echo "page $(getconf PAGESIZE)"
    } >>"$1/versions"
    export LIBSECRETSSL_TEST_SLOWNESS=5
    run_tests "$1" "$2" -C machine -j 2 --timeout 1800
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
    for file in s_server hooks fork stat metrics scan degrade; do
        if python3 -B "test_$file.py" --build /srv/libsecretssl/build/installed >"$1/package-$file.log" 2>&1; then
            echo "passed $file"
        else
            echo "failed $file"
        fi
    done >"$1/packages"
}

case $1 in
test) shift && test_build "$@" ;;
cross) cross "$2" "$3" ;;
built) test_built "$2" "$3" ;;
pack) cpack --config build/quick/CPackConfig.cmake -B "$2/debs" >"$2/pack.log" 2>&1 || { tail -n 20 "$2/pack.log" && exit 1; } ;;
installed) test_packages "$2" ;;
esac
