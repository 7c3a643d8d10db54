/* The text of a value as MySQL and MariaDB print it, onto a column. */
#ifndef DVT_MYSQL_VALUES_H
#define DVT_MYSQL_VALUES_H

#include "decode.h"

/* DVT_UNFIT where the text has not the plain form of the column's kind, so that somebody else has to look at it.
   Of whole numbers the column's scale says whether they have no sign: 1. */
int32_t dvt_mysql_value(dvt_building *column, const uint8_t *p, size_t length);

#endif
