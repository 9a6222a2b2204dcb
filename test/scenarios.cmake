# SPDX-License-Identifier: Apache-2.0
# scenario_tests(KIND): every function scenario_NAME of a test_MODULE.py beside the caller is a test,
# KIND.MODULE.NAME, and finds its programs in the caller's build directory, in helpers/. `scenarios`, in
# the caller: all of their names. The tests of test_lab.py are of the configuration lab (ctest -C lab), those of
# test_machine.py of the configuration machine, and do not exist without it; those of test_seal.py are of the
# configuration seal, but where this machine has protection keys. Those of test_quic.py and
# test_lattice.py need OpenSSL 3.5, those of engines a libcrypto that has any (HAVE_ENGINES), those of
# test_aws_lc.py an AWS-LC.
set(HAVE_PROTECTION_KEYS OFF)
if(EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo protection_keys REGEX "^flags.* ospke( |$)" LIMIT_COUNT 1)
  if(protection_keys)
    set(HAVE_PROTECTION_KEYS ON)
  endif()
endif()

function(scenario_tests kind)
  set(names "")
  file(GLOB modules CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/test_*.py)
  foreach(file IN LISTS modules)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(module ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "" module ${module})
    set(only "")
    if(module MATCHES "^(lab|machine)$")
      set(only CONFIGURATIONS ${module})
    endif()
    if(module STREQUAL "seal" AND NOT HAVE_PROTECTION_KEYS)
      set(only CONFIGURATIONS seal)
    endif()
    if(module MATCHES "^(quic|lattice)$" AND OPENSSL_VERSION VERSION_LESS 3.5)
      continue()
    endif()
    if(module STREQUAL "aws_lc" AND NOT SECRETSSL_AWS_LC)
      continue()
    endif()
    file(STRINGS ${file} lines REGEX "^def scenario_[a-z0-9_]+\\(")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^def scenario_([a-z0-9_]+).*" "\\1" scenario ${line})
      if(scenario MATCHES "^engine" AND NOT HAVE_ENGINES)
        continue()
      endif()
      set(name ${kind}.${module}.${scenario})
      add_test(NAME ${name} COMMAND ${SYSTEM_PYTHON} -B ${file}
        --build ${CMAKE_BINARY_DIR} ${scenario} ${only})
      # The harness ends a scenario a little earlier itself, and cleans up.
      set_tests_properties(${name} PROPERTIES TIMEOUT ${SECRETSSL_TEST_SECONDS})
      list(APPEND names ${name})
    endforeach()
  endforeach()
  set(scenarios ${names} PARENT_SCOPE)
endfunction()
