# SPDX-License-Identifier: Apache-2.0
# Man pages, completion of the shell, documents and examples.
function(install_manual section component)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.${section}
    ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
endfunction()
install_manual(3 development)
install_manual(7 preload)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libsecretmem-dev COMPONENT development USE_SOURCE_PERMISSIONS
  PATTERN __pycache__ EXCLUDE PATTERN *.so EXCLUDE)

if(SECRETSSL_TOOLS)
  install_manual(1 tool)
  set(completion ${PROJECT_SOURCE_DIR}/tools/secretssl/completion)
  install(FILES ${completion}/secretssl.bash RENAME secretssl
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tool)
  # Debian's zsh looks there, also for packages of others.
  set(SECRETSSL_ZSH_DIRECTORY share/zsh/vendor-completions CACHE STRING
    "Directory of completions for zsh; elsewhere share/zsh/site-functions")
  install(FILES ${completion}/_secretssl
    DESTINATION ${SECRETSSL_ZSH_DIRECTORY} COMPONENT tool)
  install(FILES ${completion}/secretssl.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tool)

  # JSON of the tool, for programs that read it
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/schema
    DESTINATION ${CMAKE_INSTALL_DATADIR}/secretssl COMPONENT tool)

  file(GLOB documents CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/secretssl)
  install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/SECURITY.md
    DESTINATION ${doc} COMPONENT tool)
  install(FILES ${documents} DESTINATION ${doc}/docs COMPONENT tool)
  # What they link to
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/operations ${PROJECT_SOURCE_DIR}/docs/contributing
    ${PROJECT_SOURCE_DIR}/docs/images DESTINATION ${doc}/docs COMPONENT tool)
endif()
