// Notices that the machine's network changed or that it slept, so that a connector does not sit out a wait (or a
// dead connection) that is pointless now (T5, R-L8). Node has no event for this: a cheap look every two seconds.

import type { Clock, Timer } from "@sallyport/shared/clock";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/** Time between two looks. */
export const NETWORK_POLL_MS = 2_000;
/** The wall clock ran this much further than the monotonic one: the machine was suspended. */
const SLEPT_MS = 5_000;

export type ReadInterfaces = () => NodeJS.Dict<NetworkInterfaceInfo[]>;

/**
 * Addresses by which another machine could be reached. Link-local ones are left out: container hosts add and remove
 * them all day without any change of the way to the relay.
 */
export function routableAddresses(read: ReadInterfaces = networkInterfaces): ReadonlySet<string> {
  const addresses = new Set<string>();
  for (const entries of Object.values(read())) {
    for (const { address, internal } of entries ?? []) {
      const linkLocal = address.startsWith("169.254.") || /^fe[89ab]/i.test(address);
      if (!internal && !linkLocal) addresses.add(address);
    }
  }
  return addresses;
}

/** Every address of this machine, loopback included: a socket bound to none of them is dead. */
export function allAddresses(read: ReadInterfaces = networkInterfaces): ReadonlySet<string> {
  return new Set(Object.values(read()).flatMap((entries) => (entries ?? []).map(({ address }) => address)));
}

/** Calls `onChange` after a change of {@link routableAddresses} or a sleep, until the returned function is called. */
export function watchNetwork(clock: Clock, onChange: () => void, read: ReadInterfaces = networkInterfaces): () => void {
  let known = fingerprint(read);
  let drift = clock.now() - clock.monotonic();
  let timer: Timer;
  const look = (): void => {
    const current = fingerprint(read);
    const currentDrift = clock.now() - clock.monotonic();
    const changed = current !== known || currentDrift - drift > SLEPT_MS;
    known = current;
    drift = currentDrift;
    timer = clock.after(NETWORK_POLL_MS, look);
    if (changed) onChange();
  };
  timer = clock.after(NETWORK_POLL_MS, look);
  return () => timer.cancel();
}

function fingerprint(read: ReadInterfaces): string {
  return [...routableAddresses(read)].sort().join(" ");
}
