# SPDX-License-Identifier: Apache-2.0
# Preload objects that only the benchmark loads: the recorder, ours that tells the size of a
# slot, and ours without one check each. All in build/*/bench, none installed.

function(bench_preload name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench
    C_VISIBILITY_PRESET hidden)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
endfunction()

bench_preload(bench-recorder recorder.c)
target_link_libraries(bench-recorder PRIVATE OpenSSL::Crypto Threads::Threads)
target_link_options(bench-recorder PRIVATE -Wl,-z,initfirst -Wl,-z,defs)

# Of the preload's own objects: with one function more that may be called, and with hooks that
# know one partition.
set(preload_objects $<TARGET_OBJECTS:secretssl_preload>)
set(without_hooks $<FILTER:${preload_objects},EXCLUDE,/mem_hooks\\.c>)
bench_preload(ours-inspect inspect.c ${preload_objects})
bench_preload(ours-one-partition hooks_one.c ${without_hooks})
foreach(name ours-inspect ours-one-partition)
  target_link_libraries(${name} PRIVATE sm_objects)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/preload)
  target_link_options(${name} PRIVATE -Wl,-z,now -Wl,-z,nodelete -Wl,-z,defs -Wl,-z,initfirst
    -Wl,--as-needed
    # As in the preload: its own CRYPTO_set_mem_functions is not the one that replay-trace has.
    -Wl,-Bsymbolic-functions)
endforeach()

# Timings of a debug build say nothing, and each source would be linted once for each variant.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  return()
endif()

# Sources of a target, wherever they are named relative to; objects of others left out.
function(bench_sources result target)
  get_target_property(sources ${target} SOURCES)
  get_target_property(directory ${target} SOURCE_DIR)
  set(absolute "")
  foreach(source IN LISTS sources)
    if(NOT source MATCHES "TARGET_OBJECTS")
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${directory})
      list(APPEND absolute ${source})
    endif()
  endforeach()
  set(${result} ${absolute} PARENT_SCOPE)
endfunction()

# What TARGET is compiled and linked with, but not what it exports.
function(bench_flags name target)
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES)
    get_target_property(value ${target} ${property})
    if(value)
      set_property(TARGET ${name} APPEND PROPERTY ${property} ${value})
    endif()
  endforeach()
  get_target_property(lto ${target} INTERPROCEDURAL_OPTIMIZATION)
  if(lto)
    set_property(TARGET ${name} PROPERTY INTERPROCEDURAL_OPTIMIZATION ${lto})
  endif()
endfunction()

bench_sources(preload_sources secretssl_preload)
bench_sources(arena_sources sm_objects)
get_target_property(preload_link_options secretssl_preload LINK_OPTIONS)

# bench_variant(NAME DEFINITION...): the whole preload object, built anew
function(bench_variant name)
  bench_preload(${name} ${preload_sources} ${arena_sources})
  bench_flags(${name} sm_objects)
  bench_flags(${name} secretssl_preload)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/preload ${PROJECT_SOURCE_DIR}/src
    ${PROJECT_SOURCE_DIR}/include)
  target_link_options(${name} PRIVATE ${preload_link_options})
  target_compile_definitions(${name} PRIVATE ${ARGN})
endfunction()

bench_variant(ours-no-slack SM_CHECK_SLACK=0)
bench_variant(ours-no-reuse SM_CHECK_REUSE=0)
bench_variant(ours-no-shuffle SM_SHUFFLE=0)
bench_variant(ours-no-check SM_CHECK_SLACK=0 SM_CHECK_REUSE=0 SM_SHUFFLE=0)

# Sealed keys on a processor without protection keys: instructions and keys of stand_in
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  list(FILTER arena_sources EXCLUDE REGEX "/protection_key\\.c$")
  list(APPEND arena_sources ${CMAKE_CURRENT_SOURCE_DIR}/stand_in/keys.c)
  bench_variant(ours-stand-in-keys)
  bench_program(stand-in-pair stand_in/pair.c)
  target_include_directories(stand-in-pair PRIVATE ${PROJECT_SOURCE_DIR}/src)
  foreach(name ours-stand-in-keys stand-in-pair)
    target_include_directories(${name} BEFORE PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/stand_in)
  endforeach()
endif()
