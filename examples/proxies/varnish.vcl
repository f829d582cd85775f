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

    # First Detour is asked; then, when it has nothing to do, the request begins anew. What it
    # holds must be kept meanwhile, in the storage that is called Transient.
    if (req.restarts == 0 && req.http.Host) {
        if (req.method != "GET" && req.method != "HEAD" && !std.cache_req_body(64MB)) {
            return (synth(413));
        }
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
