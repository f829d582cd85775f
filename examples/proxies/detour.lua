-- HAProxy asks Detour about each request: see detour-haproxy(7).

local decision = "http://127.0.0.1:8309/"

-- When Detour does not answer, traffic flows. With false it stops with 503.
local flow_without = true

-- Of the original request, what a decision may depend on. Add what `headers:` of your own
-- rules look at.
local passed_on = { "accept", "accept-language", "cookie", "origin", "user-agent",
    "access-control-request-method" }

-- Fields that belong to a connection.
local dropped = { ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
    ["keep-alive"] = true }

local function fields_of(txn, host)
    local sent = txn.http:req_get_headers()
    local scheme = txn.f:ssl_fc() == 1 and "https" or "http"
    local fields = {
        ["x-original-method"] = { txn.sf:method() },
        ["x-original-url"] = { scheme .. "://" .. host .. txn.sf:pathq() },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    for _, name in ipairs(passed_on) do
        if sent[name] then
            fields[name] = {}
            for i = 0, #sent[name] do
                fields[name][i + 1] = sent[name][i]
            end
        end
    end
    return fields
end

local function answer(txn, status, fields, content)
    local reply = txn:reply({ status = status })
    for name, values in pairs(fields) do
        if not dropped[name] then
            for _, value in pairs(values) do
                reply:add_header(name, value)
            end
        end
    end
    reply:set_body(content or "")
    txn:done(reply)
end

core.register_action("detour", { "http-req" }, function(txn)
    local host = txn.sf:req_fhdr("host")
    if host == "" then -- HTTP/1.0: nobody knows whose site that is
        return
    end
    local told = core.httpclient():get({ url = decision, headers = fields_of(txn, host), timeout = 1000 })
    -- HAProxy makes a 503 of its own when it cannot connect. It has no Date.
    local told_by_detour = told and told.headers and told.headers["date"]
    if told_by_detour and told.status == 204 then
        return
    elseif told_by_detour then
        answer(txn, told.status, told.headers, told.body)
    elseif not flow_without then
        answer(txn, 503, {}, "")
    end
end)
