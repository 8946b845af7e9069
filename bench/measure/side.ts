// One of the two sides of a comparison, as the load sees it: where requests go and whose CPU they cost.

export interface Side {
  readonly name: "ours" | "reference";
  /** Origin of the entrance, for example http://127.0.0.1:40001. */
  readonly url: string;
  /** The two hops, visitor's side first. */
  readonly pids: readonly [number, number];
}

/** Both sides in front of the same origin, and the request head that both get. */
export interface Rig {
  readonly ours: Side;
  readonly reference: Side;
  /** Order kept; Host included. The same for both sides. */
  readonly headers: Readonly<Record<string, string>>;
}
