#include <zlib.h>

/* inflateInit2 is a macro, which Swift does not see. 32: a gzip or zlib header, told by itself (zlib manual). */
static inline int plimsoll_inflate_init(z_stream *stream) { return inflateInit2(stream, 32 + MAX_WBITS); }
