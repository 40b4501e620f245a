#include "pages.h"

// C23's directive, which this compiler takes in every language; a change of a file compiles this one anew.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const char style[] = {
#embed "style.css"
};

static const char admin[] = {
#embed "Admin/content.html"
};

static const char adminScript[] = {
#embed "elements.js"
    ,
#embed "Admin/session.js"
    ,
#embed "Admin/parts.js"
    ,
#embed "Admin/charts.js"
    ,
#embed "Admin/overview.js"
    ,
#embed "Admin/requests.js"
    ,
#embed "Admin/usage.js"
    ,
#embed "Admin/keys.js"
    ,
#embed "Admin/limits.js"
    ,
#embed "Admin/providers.js"
    ,
#embed "Admin/cache.js"
    ,
#embed "Admin/settings.js"
    ,
#embed "Admin/clients.js"
    ,
#embed "Admin/main.js"
};

static const char usage[] = {
#embed "Usage/content.html"
};

static const char usageScript[] = {
#embed "elements.js"
    ,
#embed "Usage/usage.js"
};

relay_page_text relay_page_style(void) { return (relay_page_text){style, sizeof style}; }
relay_page_text relay_page_admin(void) { return (relay_page_text){admin, sizeof admin}; }
relay_page_text relay_page_admin_script(void) { return (relay_page_text){adminScript, sizeof adminScript}; }
relay_page_text relay_page_usage(void) { return (relay_page_text){usage, sizeof usage}; }
relay_page_text relay_page_usage_script(void) { return (relay_page_text){usageScript, sizeof usageScript}; }
