/* SPDX-License-Identifier: MIT */
/* The continents of countries, for databases that name the country alone. */
#include "geo/geo.h"

#include <string.h>

static const struct {
    char continent[3];
    const char *countries; /* one after the other, two letters each */
} continents[] = {
    {"AF",
     "AOBFBIBJBWCDCFCGCICMCVDJDZEGEHERETGAGHGMGNGQGWKEKMLRLSLYMAMGMLMRMUMWMZNANENGRERWSCSDSHSL"
     "SNSOSSSTSZTDTGTNTZUGYTZAZMZW"},
    {"AN", "AQBVGSHMTF"},
    {"AS",
     "AEAFAMAZBDBHBNBTCCCNCXGEHKIDILINIOIQIRJOJPKGKHKPKRKWKZLALBLKMMMNMOMVMYNPOMPHPKPSQASASGSY"
     "THTJTLTMTRTWUZVNYE"},
    {"EU",
     "ADALATAXBABEBGBYCHCYCZDEDKEEESFIFOFRGBGGGIGRHRHUIEIMISITJELILTLULVMCMDMEMKMTNLNOPLPTRORS"
     "RUSESISJSKSMUAVAXK"},
    {"NA", "AGAIAWBBBLBMBQBSBZCACRCUCWDMDOGDGLGPGTHNHTJMKNKYLCMFMQMSMXNIPAPMPRSVSXTCTTUSVCVGVI"},
    {"OC", "ASAUCKFJFMGUKIMHMPNCNFNRNUNZPFPGPNPWSBTKTOTVUMVUWFWS"},
    {"SA", "ARBOBRCLCOECFKGFGYPEPYSRUYVE"},
};

bool geo_continent_of(const uint8_t country[2], uint8_t out[2])
{
    for (size_t i = 0; i < sizeof(continents) / sizeof(*continents); i++) {
        for (const char *at = continents[i].countries; *at != 0; at += 2) {
            if (memcmp(at, country, 2) == 0) {
                memcpy(out, continents[i].continent, 2);
                return true;
            }
        }
    }
    return false;
}

bool geo_continent_known(const uint8_t continent[2])
{
    for (size_t i = 0; i < sizeof(continents) / sizeof(*continents); i++) {
        if (memcmp(continents[i].continent, continent, 2) == 0) {
            return true;
        }
    }
    return false;
}
