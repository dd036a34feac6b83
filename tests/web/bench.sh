#!/bin/sh
exec sh "${top_srcdir-.}/tests/web/browser.sh" bench.mjs
