# SPDX-License-Identifier: Apache-2.0
"""The register: name servers, a TURN server and OpenVPN."""

import sys

from harness import network, radius, report
from harness.register import serve


def scenario_unbound(env, rep):
    serve(env, rep, "unbound, DNS over TLS", network.Unbound)


def scenario_named(env, rep):
    serve(env, rep, "BIND named, DNS over TLS", network.Named)


def scenario_coturn(env, rep):
    serve(env, rep, "coturn", network.Turnserver)


def scenario_openvpn(env, rep):
    serve(env, rep, "OpenVPN", network.OpenVpn)


def scenario_openvpn_mlock(env, rep):
    """It locks all of its memory, and all that it will have."""
    serve(env, rep, "OpenVPN, --mlock", network.OpenVpnLocked)


def scenario_freeradius_eap(env, rep):
    serve(env, rep, "FreeRADIUS, EAP-TLS", radius.EapTls)


def scenario_freeradius_tls(env, rep):
    serve(env, rep, "FreeRADIUS, RADIUS over TLS", radius.RadSec)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
