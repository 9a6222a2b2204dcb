# SPDX-License-Identifier: Apache-2.0
# Debian packages: cpack makes one for each install component. docs/packaging.md says what is
# in which, and how they are built.
set(debian ${PROJECT_SOURCE_DIR}/packaging/debian)

# The revision and the maintainer are the changelog's, so that they are written once.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${debian}/changelog)
file(STRINGS ${debian}/changelog line LIMIT_COUNT 1)
if(NOT line MATCHES "^${PROJECT_NAME} \\(${PROJECT_VERSION}-([0-9a-z.+~]+)\\) ")
  message(FATAL_ERROR "${debian}/changelog begins with '${line}'; "
    "accepted is an entry for ${PROJECT_NAME} (${PROJECT_VERSION}-REVISION)")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_1})
file(STRINGS ${debian}/changelog line REGEX "^ -- " LIMIT_COUNT 1)
string(REGEX REPLACE "^ -- (.*>)  .*" "\\1" CPACK_DEBIAN_PACKAGE_MAINTAINER "${line}")
set(CPACK_PACKAGE_CONTACT ${CPACK_DEBIAN_PACKAGE_MAINTAINER})

# What a component's package has besides what "cmake --install" installs
function(debian_package component package)
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/${package})
  install(FILES ${debian}/copyright DESTINATION ${doc} COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${debian}/changelog DESTINATION ${doc} RENAME changelog.Debian
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${doc} RENAME changelog
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  if(EXISTS ${debian}/${package}.lintian-overrides)
    install(FILES ${debian}/${package}.lintian-overrides RENAME ${package}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
      COMPONENT ${component} EXCLUDE_FROM_ALL)
  endif()
  string(TOUPPER ${component} component)
  set(CPACK_DEBIAN_${component}_PACKAGE_NAME ${package} PARENT_SCOPE)
endfunction()
debian_package(preload libsecretssl0)
debian_package(library libsecretmem0)
debian_package(development libsecretmem-dev)
debian_package(tool secretssl)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ${PROJECT_NAME})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL preload library development)
if(SECRETSSL_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL tool)
endif()
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/packaging/config.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/stage.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/finish.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_SECRETSSL_OBJCOPY ${CMAKE_OBJCOPY})
set(CPACK_DEBIAN_PACKAGE_SOURCE ${PROJECT_NAME})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)

# Otherwise the project's own description becomes the summary of each package.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
include(${CMAKE_CURRENT_LIST_DIR}/descriptions.cmake)

# What depends on a version is in config.cmake.
set(CPACK_DEBIAN_PRELOAD_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PRELOAD_PACKAGE_SUGGESTS "libunwind8, secretssl")

# Names what still uses the object when the package is removed. RPM's packages have the same script.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(preload_path ${CMAKE_INSTALL_LIBDIR}/libsecretssl.so)
else()
  set(preload_path ${CPACK_PACKAGING_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libsecretssl.so)
endif()
configure_file(${PROJECT_SOURCE_DIR}/packaging/removal.in ${CMAKE_BINARY_DIR}/packaging/prerm
  @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_PRELOAD_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/packaging/prerm)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SUGGESTS libunwind8)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA
  "${debian}/shlibs;${debian}/symbols;${debian}/triggers")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)

set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION admin)

include(CPack)
