/* SPDX-License-Identifier: MIT */
/* A configuration that makes a snapshot with something of everything that it can hold: for the
 * test and the fuzzer that change its bytes. */
#pragma once

static const char everything[] =
    "trusted_proxies: [10.0.0.0/8]\n"
    "forwarded_header: Forwarded\n"
    "sites:\n"
    "  - name: shop\n"
    "    hosts: [shop.example, '*.shop.example']\n"
    "    https_redirect: {status: 308}\n"
    "    cors: {origins: [https://app.example], methods: [PUT], headers: [X-A], expose: X-B}\n"
    "    routes:\n"
    "      - {path: '/r/:region/*', to: 'https://{region}.example.net/{+0}',\n"
    "         labels: {region: [eu, us]}, headers: {X-A: b}}\n"
    "      - {path: '/x/:n(\\d+)', methods: [GET, PURGE], to: 'https://n.example/{n}{?query}'}\n"
    "      - {path: /a, when: {headers: {X-A: 'b*'}, cookies: {c: true}, query: {q: x},\n"
    "         clients: [192.0.2.0/24]}, share: 50%, to: 'https://n.example/', rest: 503}\n"
    "      - {host: ':sub.shop.example', path_prefix: /b, to: 'https://n.example/{sub}'}\n"
    "      - {path: '/p/*', pool: p}\n"
    "      - {path: '/h/*', pool: h}\n"
    "      - {path: /tea, respond: {status: 410, body: gone}}\n"
    "    default: {to: 'https://n.example{+path}'}\n"
    "  - {hosts: '*', default: {origin: o}}\n"
    "origins: {o: {url: 'https://192.0.2.5:8443'}}\n"
    "pools:\n"
    "  p: {servers: [{name: a, url: 'https://a.example', weight: 2}, 'https://b.example'],\n"
    "      fallback: {to: 'https://f.example{+path}'}}\n"
    "  h: {balance: hash, hash: {cookie: id}, servers: ['https://c.example'],\n"
    "      fallback: {page: w}}\n"
    "pages: {w: {title: t}}\n"
    "detours:\n"
    "  - {name: up, site: shop, path_prefix: /c, page: 'https://s.example/', until: off,\n"
    "     except: ['/c/*.png'], bypass: {clients: [203.0.113.0/24], cookie: o=k}, reason: r,\n"
    "     owner: o}\n";
