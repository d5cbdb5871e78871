/**
 * The parameters with rules of their own: those that take lists (save points, limits, addresses, percentiles), and those
 * that show something that is kept elsewhere (the current directory).
 */
import { quote } from "../bytes/words.ts";
import { fromHost, hostPath } from "../bytes/path.ts";
import { errorText } from "./host.ts";
import { common, DENY_LOADING, IMMUTABLE, MULTI_ARG, type Parameter, PROTECTED, type State } from "./kinds.ts";
import { beforeNul, formatMemory, formatReal, lowerCase, parseLoose, parseMemory, parseReal } from "./syntax.ts";
import { ConfigValues, type OutputBufferLimit, type OutputBufferLimits, type SavePoint } from "./values.ts";

const DEFAULTS: Readonly<ConfigValues> = new ConfigValues();
const WRONG_COUNT = "wrong number of arguments";

function looseInt(word: string): bigint | null {
  return parseLoose(beforeNul(word), 10)?.value ?? null;
}

function int32(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** Setting it changes the directory at once; a relative path is resolved by the operating system. */
export const dir: Parameter = {
  ...common("dir", { flags: PROTECTED | DENY_LOADING }),
  set(state, words) {
    try {
      state.directory.changeDirectory(hostPath(beforeNul(words[0])));
    } catch (error) {
      return errorText(error);
    }
    return true;
  },
  get: (state) => fromHost(state.directory.currentDirectory()),
  rewrite: (state) => [{ text: quote(dir.get(state)), force: true }],
};

/** In a file each line adds a point, and the first one drops the default points; CONFIG SET replaces all of them. */
export const save: Parameter = {
  ...common("save", { flags: MULTI_ARG }),
  set(state, words) {
    let numbers = words;
    if (words.length === 1 && words[0] === "") {
      state.values.save = [];
      numbers = [];
    }
    if (numbers.length % 2 !== 0) return "Invalid save parameters";
    const points: SavePoint[] = [];
    for (let i = 0; i < numbers.length; i += 2) {
      const seconds = looseInt(numbers[i]);
      const changes = looseInt(numbers[i + 1]);
      if (seconds === null || changes === null || seconds < 1n || changes < 0n) return "Invalid save parameters";
      points.push({ seconds: Number(seconds), changes: int32(changes) });
    }
    const added = state.readingFile && state.saveSeen;
    if (state.readingFile) state.saveSeen = true;
    state.values.save = added ? [...state.values.save, ...points] : points;
    return true;
  },
  get: (state) => state.values.save.map((point) => `${point.seconds} ${point.changes}`).join(" "),
  rewrite(state) {
    const points = state.values.save;
    if (points.length === 0) return [{ text: '""', force: true }];
    return points.map((point) => ({ text: `${point.seconds} ${point.changes}`, force: true }));
  },
};

const LIMIT_CLASSES = new Map<string, keyof OutputBufferLimits>([
  ["normal", "normal"],
  ["slave", "replica"],
  ["replica", "replica"],
  ["pubsub", "pubsub"],
]);
const LIMIT_ORDER: readonly (readonly [keyof OutputBufferLimits, string])[] = [
  ["normal", "normal"],
  ["replica", "slave"],
  ["pubsub", "pubsub"],
];

export const clientOutputBufferLimit: Parameter = {
  ...common("client-output-buffer-limit", { flags: MULTI_ARG }),
  set(state, words) {
    if (words.length % 4 !== 0) return "Wrong number of arguments in buffer limit configuration.";
    const limits = { ...state.values.clientOutputBufferLimit };
    for (let i = 0; i < words.length; i += 4) {
      const name = LIMIT_CLASSES.get(lowerCase(beforeNul(words[i])));
      if (name === undefined) return "Invalid client class specified in buffer limit configuration.";
      const hard = parseMemory(beforeNul(words[i + 1]));
      const soft = parseMemory(beforeNul(words[i + 2]));
      const loose = looseInt(words[i + 3]);
      const softSeconds = loose === null ? -1 : int32(loose);
      if (hard === null || soft === null || softSeconds < 0) {
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
      }
      limits[name] = { hard: Number(hard), soft: Number(soft), softSeconds };
    }
    state.values.clientOutputBufferLimit = limits;
    return true;
  },
  get(state) {
    const limits = state.values.clientOutputBufferLimit;
    return LIMIT_ORDER.map(([field, name]) => {
      const { hard, soft, softSeconds } = limits[field];
      return `${name} ${BigInt(hard)} ${BigInt(soft)} ${softSeconds}`;
    }).join(" ");
  },
  rewrite(state) {
    const same = (a: OutputBufferLimit, b: OutputBufferLimit) =>
      a.hard === b.hard && a.soft === b.soft && a.softSeconds === b.softSeconds;
    return LIMIT_ORDER.map(([field]) => {
      const limit = state.values.clientOutputBufferLimit[field];
      const sizes = `${formatMemory(BigInt(limit.hard))} ${formatMemory(BigInt(limit.soft))}`;
      const force = !same(limit, DEFAULTS.clientOutputBufferLimit[field]);
      return { text: `${field} ${sizes} ${limit.softSeconds}`, force };
    });
  },
};

export const oomScoreAdjValues: Parameter = {
  ...common("oom-score-adj-values", { flags: MULTI_ARG, withoutEffect: "nothing is forked, the score stays" }),
  set(state, words) {
    if (words.length !== 3) return WRONG_COUNT;
    const scores: number[] = [];
    for (const word of words) {
      const score = looseInt(word);
      if (score === null || score < -2000n || score > 2000n) {
        return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
      }
      scores.push(Number(score));
    }
    if (scores.every((score, i) => score === state.values.oomScoreAdjValues[i])) return false;
    state.values.oomScoreAdjValues = scores;
    return true;
  },
  get: (state) => state.values.oomScoreAdjValues.join(" "),
  rewrite(state) {
    const text = oomScoreAdjValues.get(state);
    return [{ text, force: text !== DEFAULTS.oomScoreAdjValues.join(" ") }];
  },
};

/** In the order in which CONFIG GET shows them; `m` is not part of `A`. */
const EVENT_CLASSES: readonly (readonly [string, number])[] = [
  ["g", 1 << 2],
  ["$", 1 << 3],
  ["l", 1 << 4],
  ["s", 1 << 5],
  ["h", 1 << 6],
  ["z", 1 << 7],
  ["x", 1 << 8],
  ["e", 1 << 9],
  ["t", 1 << 10],
  ["d", 1 << 13],
  ["n", 1 << 14],
  ["K", 1 << 0],
  ["E", 1 << 1],
  ["m", 1 << 11],
];
const EVENTS_ALL = 0b10_0111_1111_1100;
const EVENT_BITS = new Map([...EVENT_CLASSES, ["A", EVENTS_ALL] as const]);
/** Letters that `A` hides when it is shown: the classes it contains, and `n`. */
const HIDDEN_BY_ALL = "g$lshzxetdn";

export const notifyKeyspaceEvents: Parameter = {
  ...common("notify-keyspace-events", {}),
  set(state, words) {
    let bits = 0;
    for (const letter of beforeNul(words[0])) {
      const bit = EVENT_BITS.get(letter);
      if (bit === undefined) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
      bits |= bit;
    }
    state.values.notifyKeyspaceEvents = bits;
    return true;
  },
  get(state) {
    const bits = state.values.notifyKeyspaceEvents;
    const all = (bits & EVENTS_ALL) === EVENTS_ALL;
    const letters = EVENT_CLASSES.filter(([letter, bit]) => bits & bit && !(all && HIDDEN_BY_ALL.includes(letter)));
    return (all ? "A" : "") + letters.map(([letter]) => letter).join("");
  },
  rewrite: (state) => [
    { text: quote(notifyKeyspaceEvents.get(state)), force: state.values.notifyKeyspaceEvents !== 0 },
  ],
};

const MAX_ADDRESSES = 16;

export const bind: Parameter = {
  ...common("bind", { flags: MULTI_ARG }),
  set(state, words) {
    if (words.length > MAX_ADDRESSES) return "Too many bind addresses specified.";
    state.values.bind = words.length === 1 && words[0] === "" ? [] : words.map(beforeNul);
    return true;
  },
  get: (state) => state.values.bind.join(" "),
  rewrite(state) {
    const addresses = bind.get(state);
    // A line that the file has stays, default or not: redis-server, whose default is every address, may be given the file.
    return [{
      text: state.values.bind.length === 0 ? '""' : addresses,
      force: addresses !== DEFAULTS.bind.join(" "),
    }];
  },
};

export const replicaof: Parameter = {
  ...common("replicaof", { alias: "slaveof", flags: IMMUTABLE | MULTI_ARG }),
  set(state, words) {
    if (words.length !== 2) return WRONG_COUNT;
    const host = beforeNul(words[0]);
    state.values.replicaof = null;
    if (lowerCase(host) === "no" && lowerCase(beforeNul(words[1])) === "one") return true;
    const loose = looseInt(words[1]);
    const port = loose === null ? -1 : int32(loose);
    if (port < 0 || port > 65535) return "Invalid master port";
    state.values.replicaof = { host, port };
    return true;
  },
  get(state: State) {
    const master = state.values.replicaof;
    return master === null ? "" : `${master.host} ${master.port}`;
  },
  rewrite(state) {
    if (state.values.clusterEnabled || state.values.replicaof === null) return [];
    return [{ text: replicaof.get(state), force: true }];
  },
};

export const latencyTrackingInfoPercentiles: Parameter = {
  ...common("latency-tracking-info-percentiles", { flags: MULTI_ARG }),
  set(state, words) {
    const percentiles: number[] = [];
    for (const word of words.length === 1 && words[0] === "" ? [] : words) {
      const percentile = parseReal(word);
      if (percentile === null) return "Invalid latency-tracking-info-percentiles parameters";
      if (percentile > 100 || percentile < 0) {
        return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
      }
      percentiles.push(percentile);
    }
    state.values.latencyTrackingInfoPercentiles = percentiles;
    return true;
  },
  get: (state) => state.values.latencyTrackingInfoPercentiles.map(formatReal).join(" "),
  rewrite(state) {
    const text = latencyTrackingInfoPercentiles.get(state);
    return [{ text: text === "" ? '""' : text, force: true }];
  },
};
