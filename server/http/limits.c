#include "http/limits.h"

#include "base/cleanup.h"

const struct http_limit http_limits_table[] = {
        { "connections", HTTP_CONNECTIONS_MAX },
        { "connections_per_address", HTTP_PER_ADDRESS_MAX },
        { "accepted_at_once", HTTP_ACCEPT_BATCH },
        { "listeners", HTTP_LISTENERS_MAX },
        { "backlog", HTTP_BACKLOG },
        { "header_bytes", HTTP_POOL_SIZE },
        { "target_bytes", HTTP_TARGET_MAX },
        { "body_bytes", HTTP_BODY_MAX },
        { "inactivity_s", HTTP_INACTIVITY_S },
        { "header_ms", HTTP_HEADER_MS },
        { "idle_ms", HTTP_IDLE_MS },
        { "body_ms", HTTP_BODY_MS },
        { "send_ms", HTTP_SEND_MS },
        { "long_answers", HTTP_LONG_ANSWERS_MAX },
        { "long_answer_lengths", HTTP_LENGTHS_MAX },
        { "piece_bytes", HTTP_PIECE_SIZE },
        { "retry_after_s", HTTP_RETRY_AFTER_S },
        { "gzip_min_bytes", HTTP_GZIP_MIN },
        { "gzip_max_bytes", HTTP_GZIP_MAX },
        { "gzip_level", HTTP_GZIP_LEVEL },
        { "gzip_window_bits", HTTP_GZIP_WINDOW_BITS },
        { "gzip_memory_level", HTTP_GZIP_MEMORY_LEVEL },
        { "cache_ms", HTTP_CACHE_MS },
        { "cache_entries", HTTP_CACHE_ENTRIES },
        { "cache_body_bytes", HTTP_CACHE_BODY_MAX },
        { "cache_target_bytes", HTTP_CACHE_TARGET_MAX },
        { "cache_subject_bytes", HTTP_CACHE_SUBJECT_MAX },
        { "starved_us", HTTP_STARVED_US },
        { "policy_names", HTTP_POLICY_NAMES_MAX },
        { "tokens", AUTH_TOKENS_MAX },
        { "token_bytes", AUTH_SECRET_MAX },
        { "token_file_bytes", AUTH_FILE_MAX },
};
const size_t http_limits_count = ELEMENTS(http_limits_table);
