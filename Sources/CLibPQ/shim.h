// Found through pkg-config (`libpq`), which knows where the distribution keeps it.
#include <libpq-fe.h>
