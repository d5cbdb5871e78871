/** The Redis version whose behaviour this is: what HELLO, INFO, `--version` and the log say. */
export const REDIS_VERSION = "7.0.15";
