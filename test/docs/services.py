# SPDX-License-Identifier: Apache-2.0
"""What the reader of docs/operations has: a key, and servers that use it; and a search for that key."""

import re

DROP_IN = "/etc/systemd/system/nginx.service.d/secretssl.conf"

KEY = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout /etc/ssl/private/example.key \
    -out /etc/ssl/certs/example.pem 2>/dev/null
"""
NGINX = KEY + """
cat >/etc/nginx/conf.d/example.conf <<'END'
server {
    listen 127.0.0.1:443 ssl;
    ssl_certificate /etc/ssl/certs/example.pem;
    ssl_certificate_key /etc/ssl/private/example.key;
    location / { return 200 "hello\\n"; }
}
END
"""
WITH_DROP_IN = NGINX + f"""
mkdir -p $(dirname {DROP_IN})
printf '[Service]\\nEnvironment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libsecretssl.so\\n' >{DROP_IN}
systemctl daemon-reload
systemctl restart nginx
"""
APACHE = KEY + """
a2enmod -q ssl && a2ensite -q default-ssl && a2dissite -q 000-default
sed -i -e s,certs/ssl-cert-snakeoil.pem,certs/example.pem, \
    -e s,private/ssl-cert-snakeoil.key,private/example.key, /etc/apache2/sites-available/*ssl.conf
echo ServerName localhost >/etc/apache2/conf-enabled/name.conf
echo hello >/var/www/html/index.html
"""
HAPROXY = KEY + """
cat /etc/ssl/private/example.key /etc/ssl/certs/example.pem >/etc/haproxy/example.pem
cat >>/etc/haproxy/haproxy.cfg <<'END'
frontend web
    bind 127.0.0.1:443 ssl crt /etc/haproxy/example.pem
    http-request return status 200 content-type text/plain string hello
END
"""
SET_CERTIFICATE = """
cat >/root/set.py <<'END'
import socket
def say(text):
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect("/run/haproxy/admin.sock")
        admin.sendall(text.encode())
        print(admin.recv(65536).decode())
with open("/etc/haproxy/example.pem") as file:
    say(f"set ssl cert /etc/haproxy/example.pem <<\\n{file.read()}\\n")
say("commit ssl cert /etc/haproxy/example.pem\\n")
END
python3 /root/set.py
"""
POSTGRESQL = KEY + """
[ -d /etc/postgresql/15/main ] || pg_createcluster 15 main
chgrp ssl-cert /etc/ssl/private/example.key && chmod 640 /etc/ssl/private/example.key
cat >/etc/postgresql/15/main/conf.d/example.conf <<'END'
ssl = on
ssl_cert_file = '/etc/ssl/certs/example.pem'
ssl_key_file = '/etc/ssl/private/example.key'
END
"""
COPIES = "secretssl scan --key /etc/ssl/private/example.key $(pidof {0})"


def copies(scratch, program):
    """(processes looked at, copies in all of them)."""
    found = re.findall(r"^\d+ \(\S+\): (\d+) cop", scratch.run(COPIES.format(program)).out, re.M)
    return len(found), sum(map(int, found))
