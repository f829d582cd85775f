-- Apache asks Detour about each request: see detour-apache(7).
require "apache2"
local socket = require "socket"

local host, port = "127.0.0.1", 8309

-- When Detour does not answer, traffic flows. With false it stops with 503.
local flow_without = true

-- Of the original request, what a decision may depend on. Add what `headers:` of your own
-- rules look at.
local passed_on = { "Accept", "Accept-Language", "Cookie", "Origin", "User-Agent",
    "Access-Control-Request-Method" }

-- Fields that belong to a connection.
local dropped = { ["connection"] = true, ["content-length"] = true, ["date"] = true,
    ["content-type"] = true }

local connection -- of this thread

local function ask(question)
    connection:settimeout(1)
    if not connection:send(question) then return nil end
    local line = connection:receive("*l")
    local told = { status = line and tonumber(line:match("^HTTP/1%.1 (%d%d%d)")), fields = {} }
    if not told.status then return nil end
    local length = 0
    while true do
        line = connection:receive("*l")
        if not line then return nil end
        if line == "" then break end
        local name, value = line:match("^([^:]+): ?(.*)$")
        local lower = name:lower()
        if lower == "content-length" then length = tonumber(value) end
        if lower == "content-type" then told.content_type = value end
        if lower == "connection" then told.last = value:lower():find("close") end
        if not dropped[lower] then told.fields[#told.fields + 1] = { name, value } end
    end
    told.content = length > 0 and connection:receive(length) or ""
    return told.content and told
end

local function disconnect()
    if connection then connection:close() end
    connection = nil
end

-- A connection that was kept may have been closed meanwhile: then once more, on a new one.
local function ask_detour(question)
    for _ = 1, 2 do
        local kept = connection ~= nil
        if not kept then
            connection = socket.tcp()
            connection:settimeout(1)
            if not connection:connect(host, port) then
                disconnect()
                return nil
            end
        end
        local told = ask(question)
        if not told or told.last then disconnect() end
        if told or not kept then return told end
    end
end

local function question_about(r)
    local target = r.unparsed_uri:match("^https?://[^/?]*(.*)$") or r.unparsed_uri
    local scheme = r.is_https and "https" or "http"
    local name = r.hostname or r.server_name -- HTTP/1.0 may name no host
    local lines = {
        "GET /decide HTTP/1.1",
        "Host: " .. host,
        "X-Original-Method: " .. r.method,
        "X-Original-URL: " .. scheme .. "://" .. name .. target,
        "X-Forwarded-For: " .. r.useragent_ip,
    }
    for _, name in ipairs(passed_on) do
        local value = r.headers_in[name]
        if value then lines[#lines + 1] = name .. ": " .. value end
    end
    return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

function decide(r)
    if not r.is_initial_req or r.uri:find("^/%.well%-known/detour/") then
        return apache2.DECLINED
    end
    local told = ask_detour(question_about(r))
    if not told then
        return flow_without and apache2.DECLINED or 503
    elseif told.status == 204 then
        return apache2.DECLINED
    end
    r.status = told.status
    for _, field in ipairs(told.fields) do
        r.headers_out[field[1]] = field[2]
    end
    if told.content_type then r.content_type = told.content_type end
    r:write(told.content)
    return apache2.DONE
end
