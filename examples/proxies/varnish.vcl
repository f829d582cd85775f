# Varnish asks Detour about each request: see detour-varnish(7).
vcl 4.1;

import std;

backend site {
    .host = "127.0.0.1";
    .port = "8080";
}

backend decision {
    .host = "127.0.0.1";
    .port = "8309";
    .connect_timeout = 1s;
    .first_byte_timeout = 2s;
}

backend detour {
    .host = "127.0.0.1";
    .port = "8307";
    .probe = {
        .request = "OPTIONS * HTTP/1.1" "Host: detour" "Connection: close";
        .expected_response = 204;
        .interval = 1s;
        .window = 1;
        .threshold = 1;
        .initial = 1;
    }
}

sub vcl_recv {
    if (req.restarts == 0) {
        # What a client says of itself in these fields is not passed on.
        set req.http.X-Forwarded-For = client.ip;
        unset req.http.Forwarded;
        unset req.http.X-Forwarded-Host;
        unset req.http.X-Forwarded-Port;
        unset req.http.Detour-Asked;
        set req.http.X-Forwarded-Proto = "http";
    }

    # Wait pages.
    if (req.url ~ "^/\.well-known/detour/") {
        set req.backend_hint = detour;
        return (pass);
    }

    # Content cannot be sent twice. So such requests go through Detour, which passes them on to
    # its `origin`; or past it, so that traffic flows, while Detour does not answer its probe.
    # Without the inner condition it stops with 503. The hosts are those of Detour's site.
    if (req.method != "GET" && req.method != "HEAD" &&
        req.http.Host ~ "(?i)^shop\.example\.com(:\d+)?$") {
        set req.backend_hint = site;
        if (std.healthy(detour)) {
            set req.backend_hint = detour;
        }
        return (pass);
    }

    # For the others Detour is asked first. When it has nothing to do, the request begins anew.
    if (req.restarts == 0 && req.http.Host) {
        set req.http.Detour-Asked = "now";
        set req.http.X-Original-Method = req.method;
        set req.http.X-Original-URL = req.http.X-Forwarded-Proto + "://" + req.http.Host + req.url;
        set req.backend_hint = decision;
        return (pass);
    }
    unset req.http.Detour-Asked;
    unset req.http.X-Original-Method;
    unset req.http.X-Original-URL;
    set req.backend_hint = site;
}

sub vcl_backend_fetch {
    if (bereq.http.Detour-Asked) {
        set bereq.method = "GET";
        set bereq.url = "/decide";
    }
}

sub vcl_backend_error {
    # When Detour does not answer, traffic flows. Without this it stops with 503.
    if (bereq.http.Detour-Asked) {
        set beresp.status = 204;
        return (deliver);
    }
}

sub vcl_deliver {
    if (req.http.Detour-Asked && resp.status == 204) {
        return (restart);
    }
}
