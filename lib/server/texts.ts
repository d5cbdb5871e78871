/** What `--version` and `--help` print. */

import { REDIS_VERSION } from "../engine/version.ts";

export function versionLine(bits: number): string {
  return `Redis server v=${REDIS_VERSION} sha=00000000:0 malloc=libc bits=${bits} build=redstart`;
}

export const HELP = `Usage: ./redis-server [/path/to/redis.conf] [options] [-]
       ./redis-server - (read config from stdin)
       ./redis-server -v or --version
       ./redis-server -h or --help

Examples:
       ./redis-server (run the server with default conf)
       ./redis-server /etc/redis/6379.conf
       ./redis-server --port 7777
       ./redis-server --port 7777 --replicaof 127.0.0.1 8888
       ./redis-server /etc/myredis.conf --loglevel verbose -
       ./redis-server /etc/myredis.conf --loglevel verbose
       ./redis-server --port=8000 --filename dump.rdb
`;
