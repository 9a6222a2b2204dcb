# SPDX-License-Identifier: Apache-2.0
# What watches over protected services: units of systemd, alerts, a dashboard, the rotation of logs.
if(SECRETSSL_TOOLS)
  set(monitoring ${PROJECT_SOURCE_DIR}/packaging/monitoring)
  install(FILES ${monitoring}/secretssl-metrics.service ${monitoring}/secretssl-metrics.timer
    DESTINATION lib/systemd/system COMPONENT tool)
  install(FILES ${monitoring}/secretssl.rules.yml
    DESTINATION ${CMAKE_INSTALL_DATADIR}/secretssl/prometheus COMPONENT tool)
  install(FILES ${monitoring}/secretssl-dashboard.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/secretssl/grafana COMPONENT tool)
  # Below a prefix that is not /usr these are examples. In the packages they lie in /etc (stage).
  install(FILES ${monitoring}/secretssl.logrotate RENAME secretssl
    DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/logrotate.d COMPONENT tool)
  install(FILES ${monitoring}/libsecretssl.apparmor RENAME libsecretssl
    DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/apparmor.d/abstractions COMPONENT preload)
endif()
