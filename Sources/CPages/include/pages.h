// The files of the relay's own pages, inside the program.
#pragma once
#include <stddef.h>

/// A part of a page as UTF-8 text, without a mark at its end. It lives as long as the process.
typedef struct {
    const char *bytes;
    size_t count;
} relay_page_text;

/// The style of all pages.
relay_page_text relay_page_style(void);

/// The content of the admin page.
relay_page_text relay_page_admin(void);

/// The script of the admin page.
relay_page_text relay_page_admin_script(void);

/// The content of the page on which callers see their own usage.
relay_page_text relay_page_usage(void);

/// The script of that page.
relay_page_text relay_page_usage_script(void);
