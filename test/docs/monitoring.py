# SPDX-License-Identifier: Apache-2.0
"""The alerts and the dashboard of docs/operations/monitoring.md: promtool, in a scratch machine, says when each
alert fires, and parses each query."""

import json
import re

LABELS = 'unit="nginx.service", program="", instance="one"'
STATE = f'secretssl_process_state{{{{{LABELS}, state="{{}}"}}}}'
PROTECTED = (STATE.format("protected"), "4x1500")
# For each alert, series with which it is to fire, and such with which it is not: (fires, ((series, values)...))
ALERTS = {
    "SecretsUnprotected": [
        *((True, (PROTECTED, (STATE.format(state), "1x1500"))) for state in ("unprotected", "unreached", "unknown")),
        # All of them at once, after a restart without the preload
        (True, ((STATE.format("protected"), "4x100 0x1400"), (STATE.format("unprotected"), "0x100 4x1400"))),
        (False, (PROTECTED, (STATE.format("unprotected"), "0x1500"))),
        # What never was protected, as systemd itself
        (False, ((STATE.format("protected"), "0x1500"), (STATE.format("unprotected"), "4x1500")))],
    "SecretsDegraded": [(True, ((STATE.format("degraded"), "1x1500"),)), (False, (PROTECTED,))],
    "SecretMemoryRefused": [(True, ((STATE.format("refusing"), "1x1500"),)), (False, (PROTECTED,))],
    "KeyFileCached": [(True, ((f"secretssl_key_files_cached{{{LABELS}}}", "1x1500"),)),
                      (False, ((f"secretssl_key_files_cached{{{LABELS}}}", "0x1500"),))],
    "ArenaNearlyFull": [(True, ((f"secretssl_arena_used_ratio{{{LABELS}}}", "0.9x1500"),)),
                        (False, ((f"secretssl_arena_used_ratio{{{LABELS}}}", "0.1x1500"),))],
    "SecretsUnknown": [(True, (('node_textfile_mtime_seconds{file="/x/secretssl.prom"}', "0x1500"),)),
                       (True, (('node_textfile_mtime_seconds{file="secretssl.prom"}', "0x1500"),)),
                       (True, (('node_textfile_mtime_seconds{file="/x/another.prom"}', "0+60x1500"),)),
                       (False, (('node_textfile_mtime_seconds{file="/x/secretssl.prom"}', "0+60x1500"),))],
    # Of the page
    "NginxNotProtected": [(True, ((STATE.format("protected"), "0x1500"),)), (False, (PROTECTED,))],
    "SecretMemoryNearLimit": [(True, ((f"secretssl_secret_bytes{{{LABELS}}}", "500000000x1500"),)),
                              (False, ((f"secretssl_secret_bytes{{{LABELS}}}", "1000x1500"),))],
}
RULES = "/usr/share/secretssl/prometheus/secretssl.rules.yml"
DASHBOARD = "/usr/share/secretssl/grafana/secretssl-dashboard.json"


def rule_tests(alert):
    """promtool's tests of one alert, after three hours."""
    tests = []
    for fires, series in ALERTS[alert]:
        listed = "".join("      - {series: " + json.dumps(name) + ", values: " + json.dumps(values) + "}\n"
                         for name, values in series)
        tests.append(f"""\
  - interval: 1m
    input_series:
{listed}    promql_expr_test:
      - expr: count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)
        eval_time: 180m
        exp_samples: [{{labels: "{{}}", value: {int(fires)}}}]
""")
    return tests


def check_rules(scratch, rep, known):
    rules = scratch.run(f"cat {RULES} /etc/prometheus/own.rules.yml").out
    named = set(re.findall(r"\b(?:secretssl|node)_\w+", rules)) - {"node_exporter"}
    rep.equal(named - known, set(), "the rules name metrics that there are")
    rep.equal(set(re.findall(r"alert: (\w+)", rules)), set(ALERTS), "each alert has a test")
    tests = "".join(test for alert in ALERTS for test in rule_tests(alert))
    scratch.write("/etc/prometheus/tests.yml", f"rule_files: [{RULES}, own.rules.yml]\ntests:\n{tests}")
    done = scratch.run("promtool test rules /etc/prometheus/tests.yml")
    rep.equal(done.status, 0, "each alert fires when it should and only then")
    rep.note(done.out + done.err if done.status else "")


def check_dashboard(scratch, rep, known):
    """Each query is one that Prometheus can parse, and of metrics that there are."""
    dashboard = json.loads(scratch.run(f"cat {DASHBOARD}").out)
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"\b(?:secretssl|node)_\w+", query)}
    rep.ok(len(queries) > 10 and not named - known, f"{len(queries)} queries, of metrics that there are", named - known)
    rules = "".join(f"      - {{record: 'a:{number}', expr: {json.dumps(query)}}}\n"
                    for number, query in enumerate(queries))
    scratch.write("/etc/prometheus/queries.yml", f"groups:\n  - name: queries\n    rules:\n{rules}")
    done = scratch.run("promtool check rules /etc/prometheus/queries.yml")
    rep.ok(done.status == 0 and f"SUCCESS: {len(queries)} rules" in done.out, "they can be parsed", done)
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    overlaps = [(a, b) for i, a in enumerate(places) for b in places[:i]
                if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
                and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]]
    rep.ok(not overlaps and all(place["x"] + place["w"] <= 24 for place in places), "no panel lies on another", overlaps)
