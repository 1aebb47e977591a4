// Debian's libpg-query-dev ships no pkg-config file, so the module map names the library itself.
#include <pg_query.h>
