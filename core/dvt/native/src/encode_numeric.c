/* Decimals as PostgreSQL's numeric: groups of four digits, the weight of the first, sign, digits to show. */
#include "codec.h"
#include "numeric.h"

#define GROUP 10000u
#define TWO_GROUPS 100000000u
#define MOST_GROUPS 24

/* Divides a number of 32-bit limbs (least first) by `divisor`, in place; gives the remainder. */
static uint32_t divided(uint32_t *limbs, int n, uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = n - 1; i >= 0; i--) {
        uint64_t part = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(part / divisor);
        rest = part % divisor;
    }
    return (uint32_t)rest;
}

/* The amount as limbs, without leading zeros; the sign apart. */
static int limbs_of(const uint8_t *value, int words, uint32_t *limbs, int *is_negative) {
    uint64_t word[4];
    memcpy(word, value, (size_t)words * 8);
    *is_negative = (int)(word[words - 1] >> 63);
    if (*is_negative) {
        uint64_t carry = 1;
        for (int i = 0; i < words; i++) {
            word[i] = ~word[i] + carry;
            carry = carry && word[i] == 0;
        }
    }
    int n = 0;
    for (int i = 0; i < words; i++) {
        limbs[2 * i] = (uint32_t)word[i];
        limbs[2 * i + 1] = (uint32_t)(word[i] >> 32);
    }
    for (n = words * 2; n > 0 && limbs[n - 1] == 0;) n--;
    return n;
}

/* Groups of the amount, least first. The first takes only so many digits that the others begin at the point. */
static int groups_of(uint32_t *limbs, int n, uint32_t first_divisor, uint32_t first_factor, uint16_t *groups) {
    int found = 0;
    if (first_divisor != GROUP && n > 0) {
        groups[found++] = (uint16_t)(divided(limbs, n, first_divisor) * first_factor);
        while (n > 0 && limbs[n - 1] == 0) n--;
    }
    while (n > 2) {
        uint32_t two = divided(limbs, n, TWO_GROUPS);
        groups[found++] = (uint16_t)(two % GROUP);
        groups[found++] = (uint16_t)(two / GROUP);
        while (n > 0 && limbs[n - 1] == 0) n--;
    }
    uint64_t rest = (n > 1 ? (uint64_t)limbs[1] << 32 : 0) | (n > 0 ? limbs[0] : 0);
    for (; rest; rest /= GROUP) groups[found++] = (uint16_t)(rest % GROUP);
    while (found > 0 && groups[found - 1] == 0) found--;
    return found;
}

uint8_t *dvt_put_numeric(uint8_t *p, const uint8_t *value, int words, int32_t scale) {
    static const uint32_t power[] = {1, 10, 100, 1000, GROUP};
    uint32_t limbs[8];
    uint16_t groups[MOST_GROUPS];
    int is_negative;
    int n = limbs_of(value, words, limbs, &is_negative);
    /* The point stands between groups: the last group after it holds `beyond` digits, and zeros. */
    int beyond = (int)(((scale % 4) + 4) % 4);
    int after = (scale - beyond) / 4 + (beyond ? 1 : 0);
    int found = groups_of(limbs, n, beyond ? power[beyond] : GROUP, power[4 - beyond], groups);
    int low = 0;
    while (low < found && groups[low] == 0) low++;
    p = dvt_put32(p, (uint32_t)(8 + 2 * (found - low)));
    p = dvt_put16(p, (uint16_t)(found - low));
    p = dvt_put16(p, (uint16_t)(found > low ? found - after - 1 : 0));
    p = dvt_put16(p, is_negative && found > low ? 0x4000 : 0);
    p = dvt_put16(p, (uint16_t)(scale > 0 ? scale : 0));
    for (int i = found - 1; i >= low; i--) p = dvt_put16(p, groups[i]);
    return p;
}
