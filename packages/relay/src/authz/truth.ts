// The three truth values of policy evaluation (R-N3) as numbers, so that OR, AND and NOT are max, min and 2 - x
// (Kleene's strong logic). Used by every node of a compiled policy. Must not know selectors, requests or policies.

/** False, unknown or true: what a selector says about a request. */
export type Truth = 0 | 1 | 2;

export const FALSE: Truth = 0;
/** The fact looked at is not known (no such claim, an address without country): never good enough to let anybody in. */
export const UNKNOWN: Truth = 1;
export const TRUE: Truth = 2;

export function truthOf(value: boolean): Truth {
  return value ? TRUE : FALSE;
}

export function negate(truth: Truth): Truth {
  return (TRUE - truth) as Truth;
}

export function both(left: Truth, right: Truth): Truth {
  return left < right ? left : right;
}

export function either(left: Truth, right: Truth): Truth {
  return left > right ? left : right;
}
