/* Subcommands of the binary beside serve. Each gets argv from its own name on and returns an exit status:
 * 0 done, 1 failed, 2 wrong usage or configuration. */
#pragma once

int capture_main(int argc, char **argv);
int check_config_main(int argc, char **argv);
int correlate_main(int argc, char **argv);
int decode_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int discover_main(int argc, char **argv);
int history_main(int argc, char **argv);
int import_openbeken_main(int argc, char **argv);
int profiles_main(int argc, char **argv);
int simulate_main(int argc, char **argv);
