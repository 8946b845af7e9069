import { ManualClock } from "@sallyport/shared/clock";
import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { NETWORK_POLL_MS, routableAddresses, watchNetwork } from "./network.ts";

function entry(address: string, internal: boolean = false): NetworkInterfaceInfo {
  const family = address.includes(":") ? "IPv6" : "IPv4";
  return { address, internal, family, netmask: "", mac: "", cidr: null, scopeid: 0 } as NetworkInterfaceInfo;
}

function watched() {
  const clock = new ManualClock();
  const interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = { lo: [entry("127.0.0.1", true)], wlan0: [entry("192.0.2.1")] };
  const seen = { changes: 0 };
  const stop = watchNetwork(
    clock,
    () => void (seen.changes += 1),
    () => interfaces,
  );
  return { clock, interfaces, seen, stop };
}

test("a new address is noticed at the next look", () => {
  const { clock, interfaces, seen } = watched();
  clock.advance(10 * NETWORK_POLL_MS);
  expect(seen.changes).toBe(0);
  interfaces["eth0"] = [entry("198.51.100.4")];
  clock.advance(NETWORK_POLL_MS);
  expect(seen.changes).toBe(1);
  clock.advance(10 * NETWORK_POLL_MS);
  expect(seen.changes).toBe(1);
});

test("link-local and loopback addresses come and go unnoticed", () => {
  const { clock, interfaces, seen } = watched();
  interfaces["veth7"] = [entry("fe80::42"), entry("169.254.3.4")];
  clock.advance(NETWORK_POLL_MS);
  expect(seen.changes).toBe(0);
  expect(routableAddresses(() => interfaces)).toEqual(new Set(["192.0.2.1"]));
});

test("a sleep of the machine counts as a change, a corrected clock of some seconds does not", () => {
  const { clock, seen } = watched();
  clock.jump(3_000);
  clock.advance(NETWORK_POLL_MS);
  expect(seen.changes).toBe(0);
  clock.jump(3_600_000);
  clock.advance(NETWORK_POLL_MS);
  expect(seen.changes).toBe(1);
});

test("stopping leaves no timer", () => {
  const { clock, stop } = watched();
  clock.advance(3 * NETWORK_POLL_MS);
  stop();
  expect(clock.pendingTimers).toBe(0);
});
