/** All commands: one line for each family file. */

import type { Command } from "../engine/command.ts";
import { commands as client } from "./client.ts";
import { commands as bitfield } from "./bitfield.ts";
import { commands as bitmap } from "./bitmap.ts";
import { commands as command } from "./command.ts";
import { commands as connection } from "./connection.ts";
import { commands as dump } from "./dump.ts";
import { commands as expire } from "./expire.ts";
import { commands as failover } from "./failover.ts";
import { commands as hash } from "./hash.ts";
import { commands as hyperloglog } from "./hyperloglog.ts";
import { commands as key } from "./key.ts";
import { commands as list } from "./list.ts";
import { commands as listBlocking } from "./list_blocking.ts";
import { commands as migrate } from "./migrate.ts";
import { commands as object } from "./object.ts";
import { commands as persistence } from "./persistence.ts";
import { commands as scan } from "./scan.ts";
import { commands as set } from "./set.ts";
import { commands as setAlgebra } from "./set_algebra.ts";
import { commands as lcs } from "./lcs.ts";
import { commands as sort } from "./sort.ts";
import { commands as stream } from "./stream.ts";
import { commands as streamClaim } from "./stream_claim.ts";
import { commands as streamGroup } from "./stream_group.ts";
import { commands as streamInfo } from "./stream_info.ts";
import { commands as streamRead } from "./stream_read.ts";
import { commands as string } from "./string.ts";
import { commands as transaction } from "./transaction.ts";
import { commands as cluster } from "./cluster.ts";
import { commands as config } from "./config.ts";
import { commands as server } from "./server.ts";
import { commands as pubsub } from "./pubsub.ts";
import { commands as replication } from "./replication.ts";
import { commands as script } from "./script.ts";
import { commands as info } from "./info.ts";
import { commands as slowlog } from "./slowlog.ts";
import { commands as memory } from "./memory.ts";
import { commands as latency } from "./latency.ts";
import { commands as counter } from "./counter.ts";
import { commands as debug } from "./debug.ts";
import { commands as geo } from "./geo.ts";
import { commands as geoSearch } from "./geo_search.ts";
import { commands as zset } from "./zset.ts";
import { commands as zsetAlgebra } from "./zset_algebra.ts";
import { commands as zsetPop } from "./zset_pop.ts";
import { commands as zsetRange } from "./zset_range.ts";

export const families: Command[] = [
  ...client,
  ...bitfield,
  ...bitmap,
  ...command,
  ...connection,
  ...counter,
  ...dump,
  ...expire,
  ...hash,
  ...hyperloglog,
  ...key,
  ...list,
  ...listBlocking,
  ...migrate,
  ...object,
  ...persistence,
  ...scan,
  ...set,
  ...setAlgebra,
  ...lcs,
  ...sort,
  ...stream,
  ...streamClaim,
  ...streamGroup,
  ...streamInfo,
  ...streamRead,
  ...string,
  ...transaction,
  ...cluster,
  ...config,
  ...server,
  ...pubsub,
  ...replication,
  ...failover,
  ...script,
  ...info,
  ...slowlog,
  ...memory,
  ...latency,
  ...debug,
  ...geo,
  ...geoSearch,
  ...zset,
  ...zsetAlgebra,
  ...zsetPop,
  ...zsetRange,
];
