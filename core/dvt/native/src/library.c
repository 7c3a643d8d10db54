#include "codec.h"

DVT_EXPORT int32_t dvt_abi(void);
DVT_EXPORT int32_t dvt_abi(void) { return DVT_ABI; }
