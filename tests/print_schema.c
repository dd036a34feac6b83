/* The keys of the configuration as the program knows them, for check-man.sh. */
#include <stdio.h>

#include "config/config.h"

int main(void) {
        config_schema_print(stdout);
        return fflush(stdout) != 0;
}
