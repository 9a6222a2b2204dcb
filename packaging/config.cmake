# SPDX-License-Identifier: Apache-2.0
# Read by cpack before anything else, when it is known what the caller wants.

# Files in the packages have the time of the changelog's first entry, as with dpkg-buildpackage,
# unless the caller says another.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND dpkg-parsechangelog -l ${CMAKE_CURRENT_LIST_DIR}/debian/changelog
      -S Timestamp
    OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()

# Here, because cpack -R changes the version.
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libsecretmem0 (= ${version})")
set(CPACK_DEBIAN_TOOL_PACKAGE_DEPENDS "libsecretssl0 (= ${version})")
