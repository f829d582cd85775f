/* SPDX-License-Identifier: MIT */
/* Resolves a reference against a base, from C++.
 *
 * c++ resolve.cc $(pkg-config --cflags --libs libdetour) -o resolve
 * ./resolve http://a/b/c/d '../g?y#z' */
#include <detour/detour.h>

#include <iostream>
#include <memory>
#include <string>

namespace {

struct UrlFree {
    void operator()(detour_url *url) const
    {
        detour_url_free(&url);
    }
};
using Url = std::unique_ptr<detour_url, UrlFree>;

Url parse(const char *text, const detour_url *base)
{
    detour_url *url = nullptr;
    detour_error error = detour_url_new(detour_text_of(text), base, &url);
    if (error != DETOUR_OK) {
        std::cerr << text << ": " << detour_error_text(error) << '\n';
    }
    return Url(url);
}

std::string string_of(detour_text text)
{
    return std::string(text.ptr, text.len);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: resolve BASE REFERENCE\n";
        return 2;
    }
    Url base = parse(argv[1], nullptr);
    Url url = base ? parse(argv[2], base.get()) : nullptr;
    if (!url) {
        return 1;
    }
    bool same = detour_url_same_origin(base.get(), url.get());
    std::cout << string_of(url->href) << '\n' << (same ? "same origin" : "another origin") << '\n';
    return 0;
}
