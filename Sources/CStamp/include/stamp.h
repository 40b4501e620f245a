// The commit that the program was built from.
#pragma once

/// Returns the text that `Scripts/stamp` has written into this program, such as `commit 1a2b3c4d5e6f, 2026-01-01`; empty if
/// there is none.
const char *relay_stamp(void);
