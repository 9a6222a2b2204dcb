# SPDX-License-Identifier: Apache-2.0
# Read by cpack when the files of the packages lie in its directory.
execute_process(COMMAND ${CMAKE_COMMAND} -E env OBJCOPY=${CPACK_SECRETSSL_OBJCOPY}
  ${CMAKE_CURRENT_LIST_DIR}/stage ${CPACK_TEMPORARY_DIRECTORY} COMMAND_ERROR_IS_FATAL ANY)
