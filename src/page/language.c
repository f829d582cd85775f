/* SPDX-License-Identifier: MIT */
/* Sentences, and the choice of a language. */
#include "page/language.h"

#include "http/field.h"

const struct words words_all[] = {
    {.tag = "en",
     .title = "We will be right back",
     .lead = "This part of the site is being worked on. You need not do anything: as soon as it "
             "is ready you are taken to where you wanted to go.",
     .until = "Expected to be ready:",
     .unknown = "It is not known yet how long this takes.",
     .progress = "Progress of the work",
     .waiting = "Waiting until it is ready.",
     .late = "This takes longer than expected.",
     .over = "It is ready. Taking you there now.",
     .back = "Try again now",
     .sent_title = "Not done: please try again later",
     .sent = "This part of the site is being worked on, so what you have sent was not carried "
             "out. Nothing was lost and nothing was done: go back in your browser, where your "
             "entries should still be, and send them again later."},
    {.tag = "de",
     .title = "Wir sind gleich wieder da",
     .lead = "An diesem Teil der Website wird gerade gearbeitet. Sie müssen nichts tun: Sobald "
             "er bereit ist, geht es von selbst dort weiter, wohin Sie wollten.",
     .until = "Voraussichtlich bereit:",
     .unknown = "Wie lange es dauert, ist noch nicht bekannt.",
     .progress = "Fortschritt der Arbeiten",
     .waiting = "Es wird gewartet, bis alles bereit ist.",
     .late = "Es dauert länger als erwartet.",
     .over = "Alles bereit. Es geht weiter.",
     .back = "Jetzt noch einmal versuchen",
     .sent_title = "Nicht ausgeführt: bitte später noch einmal versuchen",
     .sent = "An diesem Teil der Website wird gerade gearbeitet, deshalb wurde das Gesendete "
             "nicht ausgeführt. Nichts ging verloren und nichts wurde getan: Gehen Sie im "
             "Browser zurück, dort sollten Ihre Eingaben noch stehen, und senden Sie sie später "
             "noch einmal."},
    {.tag = "fr",
     .title = "Nous revenons tout de suite",
     .lead = "Cette partie du site est en travaux. Vous n’avez rien à faire : dès qu’elle sera "
             "prête, vous arriverez là où vous vouliez aller.",
     .until = "Fin prévue :",
     .unknown = "On ne sait pas encore combien de temps cela prendra.",
     .progress = "Avancement des travaux",
     .waiting = "En attente de la fin des travaux.",
     .late = "Cela prend plus de temps que prévu.",
     .over = "C’est prêt. Nous vous y emmenons.",
     .back = "Réessayer maintenant",
     .sent_title = "Non effectué : veuillez réessayer plus tard",
     .sent = "Cette partie du site est en travaux, votre envoi n’a donc pas été exécuté. Rien "
             "n’a été perdu et rien n’a été fait : revenez en arrière dans votre navigateur, "
             "où votre saisie devrait encore se trouver, et renvoyez-la plus tard."},
    {.tag = "es",
     .title = "Volvemos enseguida",
     .lead = "Estamos trabajando en esta parte del sitio. No tiene que hacer nada: en cuanto "
             "esté lista, llegará adonde quería ir.",
     .until = "Final previsto:",
     .unknown = "Aún no se sabe cuánto durará.",
     .progress = "Avance de los trabajos",
     .waiting = "Esperando a que esté lista.",
     .late = "Está durando más de lo previsto.",
     .over = "Ya está lista. Le llevamos allí.",
     .back = "Volver a intentarlo ahora",
     .sent_title = "No se ha realizado: inténtelo más tarde",
     .sent = "Estamos trabajando en esta parte del sitio, por lo que su envío no se ha "
             "ejecutado. No se ha perdido nada ni se ha hecho nada: vuelva atrás en el "
             "navegador, donde deberían seguir sus datos, y envíelos más tarde."},
    {.tag = "it",
     .title = "Torniamo subito",
     .lead = "Stiamo lavorando a questa parte del sito. Non deve fare nulla: appena sarà pronta "
             "arriverà dove voleva andare.",
     .until = "Fine prevista:",
     .unknown = "Non si sa ancora quanto tempo ci vorrà.",
     .progress = "Avanzamento dei lavori",
     .waiting = "In attesa che sia pronta.",
     .late = "Ci vuole più tempo del previsto.",
     .over = "È pronta. La portiamo lì.",
     .back = "Riprova adesso",
     .sent_title = "Non eseguito: riprovi più tardi",
     .sent = "Stiamo lavorando a questa parte del sito, perciò quanto ha inviato non è stato "
             "eseguito. Nulla è andato perso e nulla è stato fatto: torni indietro nel browser, "
             "dove i suoi dati dovrebbero esserci ancora, e li invii di nuovo più tardi."},
    {.tag = "nl",
     .title = "We zijn zo terug",
     .lead = "Aan dit deel van de site wordt gewerkt. U hoeft niets te doen: zodra het klaar is "
             "komt u vanzelf waar u heen wilde.",
     .until = "Naar verwachting klaar:",
     .unknown = "Het is nog niet bekend hoelang dit duurt.",
     .progress = "Voortgang van het werk",
     .waiting = "Er wordt gewacht tot het klaar is.",
     .late = "Dit duurt langer dan verwacht.",
     .over = "Het is klaar. U gaat nu verder.",
     .back = "Nu opnieuw proberen",
     .sent_title = "Niet uitgevoerd: probeer het later opnieuw",
     .sent = "Aan dit deel van de site wordt gewerkt, daarom is wat u verstuurde niet "
             "uitgevoerd. Er is niets verloren en er is niets gedaan: ga terug in uw browser, "
             "waar uw invoer nog zou moeten staan, en verstuur die later opnieuw."},
    {.tag = "pt",
     .title = "Voltamos já",
     .lead = "Esta parte do site está em obras. Não precisa de fazer nada: assim que estiver "
             "pronta, irá para onde queria ir.",
     .until = "Fim previsto:",
     .unknown = "Ainda não se sabe quanto tempo vai demorar.",
     .progress = "Andamento dos trabalhos",
     .waiting = "À espera de que fique pronta.",
     .late = "Está a demorar mais do que o previsto.",
     .over = "Está pronta. Vamos levá-lo até lá.",
     .back = "Tentar de novo agora",
     .sent_title = "Não foi feito: tente mais tarde",
     .sent = "Esta parte do site está em obras, por isso o que enviou não foi executado. Nada "
             "se perdeu e nada foi feito: volte atrás no navegador, onde os seus dados ainda "
             "devem estar, e envie-os mais tarde."},
};
const size_t words_count = sizeof(words_all) / sizeof(*words_all);

enum { weight_full = 1000 };

/* "q=0.75" as 750; what is no weight counts as none given. */
static unsigned weight_of(struct span parameter)
{
    struct span text = span_trim(parameter);
    unsigned weight = 0;
    unsigned place = weight_full;
    if (text.len < 3 || ascii_lower(text.ptr[0]) != 'q' || text.ptr[1] != '=') {
        return weight_full;
    }
    for (size_t i = 2; i < text.len && i < 7; i++) {
        if (ascii_is_digit(text.ptr[i])) {
            weight += (unsigned)(text.ptr[i] - '0') * place;
            place /= 10;
        }
    }
    return weight < weight_full ? weight : weight_full;
}

static const struct words *words_of(struct span range)
{
    struct span primary = span_slice(range, 0, span_find(range, 0, '-'));
    for (size_t i = 0; i < words_count; i++) {
        if (span_eq_ci(primary, span_cstr(words_all[i].tag))) {
            return &words_all[i];
        }
    }
    return NULL;
}

const struct words *words_for(struct span accept_language)
{
    const struct words *best = &words_all[0];
    unsigned best_weight = 0;
    struct span member;
    while (field_list_next(&accept_language, &member)) {
        size_t semicolon = span_find(member, 0, ';');
        const struct words *words = words_of(span_trim(span_slice(member, 0, semicolon)));
        unsigned weight =
            semicolon < member.len ? weight_of(span_from(member, semicolon + 1)) : weight_full;
        if (words != NULL && weight > best_weight) {
            best = words;
            best_weight = weight;
        }
    }
    return best;
}
