import { describe } from "vitest";
import { memoryTransports } from "./memory-transport.ts";
import { muxSuite } from "./mux-suite.ts";

describe("multiplexer over memory", () => {
  muxSuite({
    pair: async () => {
      const [relay, connector] = memoryTransports();
      return { relay, connector, close: async () => relay.cut() };
    },
  });
});
