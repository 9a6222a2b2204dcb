include("${CMAKE_CURRENT_LIST_DIR}/secretmemTargets.cmake")
