// SPDX-License-Identifier: MIT
// Did Detour send this client? A verifier of signed tickets for nginx with njs: detour-tickets(7).
import crypto from 'crypto';
import fs from 'fs';

const KEY_FILE = '/etc/nginx/mirrors.key'; // nginx's workers must be able to read it
const PARAM = 'ticket';

// Takes the same time wherever they differ.
function same(one, other) {
    let difference = one.length ^ other.length;
    for (let i = 0; i < one.length; i++) {
        difference |= one.charCodeAt(i) ^ other.charCodeAt(i % other.length);
    }
    return difference === 0;
}

// For js_set: "good", or why not. Nobody but a log should be told why not.
function check(r) {
    const ticket = r.args[PARAM];
    const parts = /^([0-9]{1,20})-([0-9a-f]{64})$/.exec(typeof ticket === 'string' ? ticket : '');
    if (!parts) {
        return 'absent';
    }
    if (Number(parts[1]) <= Date.now() / 1000) {
        return 'expired';
    }
    const method = r.method === 'HEAD' ? 'GET' : r.method;
    const host = (r.headersIn.Host || '').toLowerCase();
    const path = r.variables.request_uri.split('?')[0]; // as it was sent: not $uri
    // nginx takes an escaped slash for one, and the host of a target, "GET http://host/", before Host.
    if (/%(2f|5c)/i.test(path) || host.replace(/\.?(:[0-9]*)?$/, '') !== r.variables.host) {
        return 'unclear';
    }
    const signed = [method, host, path, parts[1]].join('\n');
    // One key, or two while one follows the other.
    const keys = fs.readFileSync(KEY_FILE, 'utf8').split('\n').filter((line) => line !== '');
    const good = keys.some((key) => same(parts[2], crypto.createHmac('sha256', key).update(signed).digest('hex')));
    return good ? 'good' : 'bad';
}

export default { check };
